package accounts

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// deletedHomes is where macOS leaves the homes of accounts that are gone, as disk
// images; others stay in place with a mark behind the name.
const (
	deletedHomes = "Deleted Users"
	deletedMark  = " (Deleted)"
	deletedImage = ".dmg"
)

// maxHomes bounds what is read of a folder of homes.
const maxHomes = 20000

var errNumbers = errors.New("all numbers for accounts are taken")

func (s macStore) home(name string) string { return filepath.Join(s.homes, name) }

// place makes sure that the name is free, and gives a free number: one above all
// others that people have, or had, so that nobody gets the files of who had it
// before.
func (s macStore) place(name string) (string, error) {
	wanted, used := fold(name), make(map[int]bool)
	for _, kind := range []string{macUsers, macGroups} {
		records, err := s.dir.records(kind)
		if err != nil {
			return "", err
		}
		for _, r := range records {
			if r.is(wanted) {
				return "", taken(name, fmt.Sprintf("there is %.64q of %s", r.first(attrName), kind))
			}
			for _, n := range r.numbers() {
				used[n] = true
			}
		}
	}
	for _, dir := range []string{s.homes, filepath.Join(s.homes, deletedHomes)} {
		if err := s.lookAtHomes(dir, name, used); err != nil {
			return "", err
		}
	}
	return freeNumber(used)
}

// lookAtHomes refuses a name that a home is left of, and collects who owns them.
func (s macStore) lookAtHomes(dir, name string, used map[int]bool) error {
	entries, err := readFolder(dir)
	if err != nil {
		return err
	}
	wanted := []string{fold(name), fold(name + deletedMark), fold(name + deletedImage)}
	for _, e := range entries {
		if slices.Contains(wanted, fold(e.Name())) {
			return taken(name, fmt.Sprintf("%.300q is there", filepath.Join(dir, e.Name())))
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it went meanwhile
		}
		if err != nil {
			return err
		}
		if n, ok := s.owner(info); ok {
			used[n] = true
		}
	}
	return nil
}

// readFolder gives nothing for a folder that is not there.
func readFolder(dir string) ([]fs.DirEntry, error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(maxHomes + 1)
	if errors.Is(err, io.EOF) { // it is empty
		err = nil
	}
	if err == nil && len(entries) > maxHomes {
		err = fmt.Errorf("%s has more than %d entries", dir, maxHomes)
	}
	return entries, err
}

// freeNumber goes back to a gap only when the numbers are at their end.
func freeNumber(used map[int]bool) (string, error) {
	next := firstPersonOfMac
	for n := range used {
		if n >= next && n <= lastPersonOfMac {
			next = n + 1
		}
	}
	if next > lastPersonOfMac {
		for next = firstPersonOfMac; used[next]; next++ {
		}
	}
	if next > lastPersonOfMac {
		return "", errNumbers
	}
	return strconv.Itoa(next), nil
}
