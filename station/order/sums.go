package order

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"firstday.dev/internal/contextio"
	"firstday.dev/kit"
)

const (
	maxFiles = 5000    // in a bundle: a kit has a dozen
	maxSums  = 1 << 20 // bytes, of their checksums
	maxSmall = 1 << 20 // bytes, of the signature and the certificates
)

// contents is what lies in the folder of a bundle, by path with slashes, without
// SHA256SUMS and its signature.
type contents struct {
	files map[string]fs.FileInfo
	odd   []string // what is no regular file, and no folder of a bundle
	size  int64    // of all files, bytes
}

// listBundle follows no link.
func listBundle(root *os.Root) (*contents, error) {
	c := &contents{files: make(map[string]fs.FileInfo)}
	for _, folder := range []string{".", KitFolder} {
		if info, err := root.Lstat(folder); err != nil || !info.IsDir() {
			continue // its files are missing, then
		}
		f, err := root.Open(folder)
		if err != nil {
			return nil, err
		}
		entries, err := f.ReadDir(maxFiles + 1)
		if err := errors.Join(ignoreEOF(err), f.Close()); err != nil {
			return nil, err
		}
		if len(entries)+len(c.files)+len(c.odd) > maxFiles {
			return nil, fmt.Errorf("%w: it holds more than %d files", ErrBundle, maxFiles)
		}
		for _, e := range entries {
			name := path.Join(folder, e.Name())
			if folder == "." && (name == kit.SumsFile || name == kit.SignatureFile) || name == KitFolder && e.IsDir() {
				continue
			}
			info, err := e.Info()
			if err != nil {
				return nil, err
			}
			if !info.Mode().IsRegular() {
				c.odd = append(c.odd, name)
				continue
			}
			c.files[name] = info
			c.size += info.Size()
		}
	}
	return c, nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// sum hashes every file of the bundle.
func (c *contents) sum(ctx context.Context, root *os.Root, progress func(done, total int64)) (map[string]string, error) {
	sums := make(map[string]string, len(c.files))
	var done int64
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		f, err := openRegular(root, name)
		if err != nil {
			return nil, err
		}
		h := sha256.New()
		_, err = io.Copy(h, contextio.Reader(ctx, f))
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		sums[name] = hex.EncodeToString(h.Sum(nil))
		done += c.files[name].Size()
		progress(done, c.size)
	}
	return sums, nil
}

// openRegular opens a file, and nothing that only looks like one: to open a pipe
// is to wait.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(filepath.FromSlash(name))
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("%w: not a regular file", ErrBundle)}
	}
	if err != nil {
		return nil, err
	}
	return root.Open(filepath.FromSlash(name))
}

// readSmall reads a file of at most so many bytes.
func readSmall(root *os.Root, name string, most int64) ([]byte, error) {
	f, err := openRegular(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%w: %s is larger than %d bytes", ErrBundle, name, most)
	}
	return data, err
}

// encodeSums writes checksums as `sha256sum -c` reads them, sorted by path.
func encodeSums(sums map[string]string) []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&b, "%s  %s\n", sums[name], name)
	}
	return b.Bytes()
}

// parseSums reads SHA256SUMS exactly as a bundle holds it: anything looser would
// let two readers see two bundles.
func parseSums(data []byte) (map[string]string, error) {
	sums := make(map[string]string)
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		folder, base := path.Split(name)
		switch {
		case n > maxFiles:
			return nil, fmt.Errorf("%s lists more than %d files", kit.SumsFile, maxFiles)
		case !ok || len(sum) != 2*sha256.Size || strings.Trim(sum, "0123456789abcdef") != "":
			return nil, fmt.Errorf("%s:%d: not a SHA-256 and a file name", kit.SumsFile, n)
		case base == "" || base == "." || base == ".." || folder != "" && folder != KitFolder+"/" || strings.ContainsAny(base, "\\\x00\r"):
			return nil, fmt.Errorf("%s:%d: %q is not the name of a file in the bundle", kit.SumsFile, n, name)
		}
		sums[name] = sum
	}
	if !bytes.Equal(encodeSums(sums), data) {
		return nil, fmt.Errorf("%s is not written as Firstday writes it", kit.SumsFile)
	}
	return sums, nil
}
