package packages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// store keeps files under names that this package makes, of letters, digits and
// slashes. A file is there as a whole or not at all.
type store interface {
	// put keeps the bytes of r, which are size many, under a name that was never
	// used.
	put(ctx context.Context, name string, r io.Reader, size int64) error
	// open reads a file; the error is fs.ErrNotExist if there is none.
	open(ctx context.Context, name string) (io.ReadSeekCloser, error)
	// remove removes all files of which the name is prefix or begins with it and a
	// slash, and what was left of such that are not there as a whole.
	remove(ctx context.Context, prefix string) error
	// list gives the names below prefix, also of what is not there as a whole.
	list(ctx context.Context, prefix string) ([]string, error)
	// String says where it is.
	String() string
	close() error
}

// Errors of the store.
var (
	errStore     = errors.New("the store of kits")
	errStoreFull = errors.New("the store of kits is full")
)

// openStore opens a folder, or an S3-compatible store: https://host/bucket/prefix.
// Below it, one directory's files are apart from another's.
func openStore(at, directory string) (store, error) {
	if strings.HasPrefix(at, "https://") || strings.HasPrefix(at, "http://") {
		return openS3(at, directory)
	}
	return openFolder(at, directory)
}

// Where files lie.
const (
	kitsFolder    = "kits"
	uploadsFolder = "uploads"
)

// kitFolder is where the files of a kit lie that a job may come to: each worker that
// takes it up has its own.
func kitFolder(job uuid.UUID, fence int64) string {
	return fmt.Sprintf("%s/%s/%d", kitsFolder, job, fence)
}

// kitFile is the name of a kit's file by its number.
func kitFile(job uuid.UUID, fence int64, n int) string {
	return fmt.Sprintf("%s/%d", kitFolder(job, fence), n)
}

func uploadFile(id uuid.UUID) string { return uploadsFolder + "/" + id.String() }

// parseKitFile reads what kitFile wrote, with whatever the store appends to what is
// not there as a whole.
func parseKitFile(name string) (job uuid.UUID, fence int64, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || parts[0] != kitsFolder {
		return job, 0, false
	}
	job, err := uuid.Parse(parts[1])
	if err != nil {
		return job, 0, false
	}
	fence, err = strconv.ParseInt(parts[2], 10, 64)
	return job, fence, err == nil && fence > 0 && strings.HasPrefix(name, kitFolder(job, fence)+"/")
}

// counted fails unless its reader gives exactly so many bytes.
type counted struct {
	io.Reader
	left int64
}

var errSize = errors.New("it is longer or shorter than was said")

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.left -= int64(n)
	if c.left < 0 || errors.Is(err, io.EOF) && c.left > 0 {
		return n, errSize
	}
	return n, err
}
