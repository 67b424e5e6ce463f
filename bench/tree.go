//go:build linux

package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// minTree is how much the tree must hold for the times to mean something.
const minTree = 200_000_000

type tree struct {
	path   string
	origin string
	files  int
	bytes  int64
}

// makeTree copies source, or the programs, libraries and sources of the Go
// tool chain that every machine with this repository has, into memory.
func makeTree(path, source string) (tree, error) {
	t := tree{path: path, origin: source}
	parts := map[string]string{".": source}
	if source == "" {
		root, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return t, fmt.Errorf("go env GOROOT: %w", err)
		}
		t.origin = "bin, lib, pkg and src of the Go tool chain"
		parts = map[string]string{}
		for _, part := range []string{"bin", "lib", "pkg", "src"} {
			parts[part] = filepath.Join(strings.TrimSpace(string(root)), part)
		}
	}
	for name, from := range parts {
		from, err := filepath.EvalSymlinks(from)
		if err != nil {
			return t, err
		}
		if err := t.copy(filepath.Join(path, name), from, nil); err != nil {
			return t, err
		}
	}
	if t.bytes < minTree {
		return t, fmt.Errorf("%s holds only %d bytes; name another with -tree", t.origin, t.bytes)
	}
	return t, nil
}

// copy copies the directories and regular files below from, and adds tail to
// each file.
func (t *tree) copy(to, from string, tail []byte) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o777)
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data = append(data, tail...)
		t.files++
		t.bytes += int64(len(data))
		if err := os.WriteFile(target, data, 0o666); err != nil {
			return err
		}
		return os.Chtimes(target, info.ModTime(), info.ModTime())
	})
}

// withLargeFiles is the tree and files each of which holds the whole tree
// behind a number that makes it differ from the others: size bytes in all.
func (t *tree) withLargeFiles(path string, size int64) (tree, error) {
	big := tree{path: path, origin: "the tree, and files that each hold all of it"}
	if err := big.copy(path, t.path, nil); err != nil {
		return big, err
	}
	for i := 0; big.bytes < size; i++ {
		n, err := t.concatenate(filepath.Join(path, fmt.Sprintf("payload-%d.bin", i)), i)
		if err != nil {
			return big, err
		}
		big.files++
		big.bytes += n
	}
	return big, nil
}

// manyTimes is the tree again and again, each file with a number at its end
// that makes it differ from the others: size bytes in all.
func (t *tree) manyTimes(path string, size int64) (tree, error) {
	big := tree{path: path, origin: "the tree again and again, each file a little different"}
	for i := 0; big.bytes < size; i++ {
		number := fmt.Sprint(i)
		if err := big.copy(filepath.Join(path, number), t.path, []byte(number)); err != nil {
			return big, err
		}
	}
	return big, nil
}

func (t *tree) concatenate(path string, number int) (int64, error) {
	out, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	if _, err := fmt.Fprintf(out, "payload %d\n", number); err != nil {
		return 0, err
	}
	err = filepath.WalkDir(t.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(out, in)
		return err
	})
	if err != nil {
		return 0, err
	}
	return out.Seek(0, io.SeekCurrent)
}
