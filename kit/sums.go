package kit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// sums maps the names of a kit's files to the lower-case hex SHA-256 of each,
// in the form that `sha256sum -c` reads.
type sums map[string]string

const (
	maxSumsSize  = 1 << 20
	maxSumsFiles = 4096
)

// folder is what lies in a kit, without SHA256SUMS and its signature.
type folder struct {
	files []string // regular ones
	odd   []string // anything else
	size  int64    // of all files, bytes
}

func listFolder(dir string) (*folder, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	f := new(folder)
	for _, e := range entries {
		if e.Name() == SumsFile || e.Name() == SignatureFile {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			f.odd = append(f.odd, e.Name())
			continue
		}
		f.files = append(f.files, e.Name())
		f.size += info.Size()
	}
	return f, nil
}

// sumFiles hashes every regular file of the folder but those that are known.
func sumFiles(ctx context.Context, dir string, f *folder, known sums, progress func(done, total int64)) (sums, error) {
	s := make(sums, len(f.files))
	var done int64
	for _, name := range f.files {
		path := filepath.Join(dir, name)
		if s[name] = known[name]; s[name] != "" {
			info, err := os.Stat(path)
			if err != nil {
				return nil, err
			}
			done += info.Size()
			continue
		}
		sum, err := sumFile(ctx, path, func(n int64) {
			done += n
			progress(done, f.size)
		})
		if err != nil {
			return nil, err
		}
		s[name] = sum
	}
	return s, nil
}

// sumFile hashes one file, telling progress how many bytes more it has read.
func sumFile(ctx context.Context, path string, progress func(n int64)) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	buf := make([]byte, min(max(info.Size(), 512), 1<<20)) // a kit has many small files
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		progress(int64(n))
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// encode writes the sums sorted by name.
func (s sums) encode() []byte {
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	sort.Strings(names)
	var b bytes.Buffer
	for _, name := range names {
		fmt.Fprintf(&b, "%s  %s\n", s[name], name)
	}
	return b.Bytes()
}

// ParseSums reads SHA256SUMS, exactly as a kit holds it: anything looser would
// let two readers see two kits. It gives the lower-case hex SHA-256 of each file
// by its name.
func ParseSums(data []byte) (map[string]string, error) {
	if len(data) > maxSumsSize {
		return nil, fmt.Errorf("%s is larger than %d bytes", SumsFile, maxSumsSize)
	}
	s := sums{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		switch {
		case !ok || len(sum) != 2*sha256.Size || strings.Trim(sum, "0123456789abcdef") != "":
			return nil, fmt.Errorf("%s:%d: not a SHA-256 and a file name", SumsFile, n)
		case name == "" || name != filepath.Base(name) || strings.ContainsAny(name, `/\`) || name == ".." || name == ".":
			return nil, fmt.Errorf("%s:%d: %q is not the name of a file in the kit", SumsFile, n, name)
		case s[name] != "":
			return nil, fmt.Errorf("%s:%d: %s is listed twice", SumsFile, n, name)
		case len(s) == maxSumsFiles:
			return nil, fmt.Errorf("%s lists more than %d files", SumsFile, maxSumsFiles)
		}
		s[name] = sum
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", SumsFile, err)
	}
	if !bytes.Equal(s.encode(), data) {
		return nil, fmt.Errorf("%s is not written as Firstday writes it", SumsFile)
	}
	return s, nil
}
