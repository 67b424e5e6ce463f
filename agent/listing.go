package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// listing is what lies in the agent's folders.
type listing struct {
	Folders   []listedFolder `json:"folders"`
	Truncated bool           `json:"truncated"` // there are more files than are listed
}

type listedFolder struct {
	Path  string       `json:"path"`
	Error string       `json:"error,omitempty"` // why not all of it is listed
	Files []listedFile `json:"files"`
}

type listedFile struct {
	Path     string    `json:"path"` // below the folder
	Mode     string    `json:"mode"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

// list lists files and follows no links.
func (c *collection) list(context.Context) (*listing, error) {
	l := new(listing)
	left := maxFiles
	for _, dir := range []string{c.layout.Program, c.layout.Data} {
		folder := listedFolder{Path: dir, Files: []listedFile{}}
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return nil //nolint:nilerr // it went away meanwhile
			}
			if left == 0 {
				l.Truncated = true
				return fs.SkipAll
			}
			left--
			rel, err := filepath.Rel(dir, path)
			folder.Files = append(folder.Files, listedFile{filepath.ToSlash(rel), info.Mode().String(), info.Size(), info.ModTime().UTC()})
			return err
		})
		if errors.Is(err, fs.ErrNotExist) {
			folder.Error = "it is not there"
		} else if err != nil {
			folder.Error = err.Error()
		}
		l.Folders = append(l.Folders, folder)
	}
	return l, nil
}

// tailOf gives the end of a log, whole lines of it.
func tailOf(log func(Layout) string, suffix string) func(*collection, context.Context) (string, error) {
	return func(c *collection, _ context.Context) (string, error) {
		path := log(c.layout) + suffix
		info, err := os.Lstat(path)
		if err != nil {
			return "", err
		}
		if !info.Mode().IsRegular() {
			return "", fmt.Errorf("%s is not a regular file", path)
		}
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		from := max(0, info.Size()-maxTail)
		data, err := io.ReadAll(io.NewSectionReader(f, from, maxTail))
		if err != nil {
			return "", err
		}
		if from > 0 {
			_, data, _ = bytes.Cut(data, []byte("\n"))
		}
		return c.redactor.lines(string(data)), nil
	}
}
