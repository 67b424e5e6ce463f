package packages

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// onEachStore runs a test on a folder and on S3.
func onEachStore(t *testing.T, f func(t *testing.T, s store)) {
	t.Run("folder", func(t *testing.T) { f(t, mustOpen(t, t.TempDir(), "directory-1")) })
	t.Run("s3", func(t *testing.T) { f(t, mustOpen(t, newJudge(t).address(), "directory-1")) })
}

func mustOpen(t *testing.T, at, directory string) store {
	t.Helper()
	s, err := openStore(at, directory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// noise is no data that repeats itself.
func noise(size int) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	return data
}

func mustPut(t *testing.T, s store, name string, data []byte) {
	t.Helper()
	if err := s.put(t.Context(), name, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
}

func mustList(t *testing.T, s store, prefix string, want ...string) {
	t.Helper()
	names, err := s.list(t.Context(), prefix)
	slices.Sort(names)
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("below %s are %q, %v, want %q", prefix, names, err, want)
	}
}

func TestStoresKeepFiles(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store) {
		one, two := uuid.New(), uuid.New()
		sizes := []int{1, 1000, partSize, 2*partSize + 17}
		for n, size := range sizes {
			mustPut(t, s, kitFile(one, 1, n), noise(size))
		}
		mustPut(t, s, kitFile(one, 12, 0), []byte("of the twelfth worker"))
		mustPut(t, s, kitFile(two, 1, 0), []byte("of another job"))
		for n, size := range sizes {
			f, err := s.open(t.Context(), kitFile(one, 1, n))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(f)
			if err != nil || !bytes.Equal(got, noise(size)) {
				t.Errorf("%d bytes come back as %d, %v", size, len(got), err)
			}
			if size > 1000 {
				part := make([]byte, 100)
				_, sought := f.Seek(-200, io.SeekEnd)
				_, read := io.ReadFull(f, part)
				if err := errors.Join(sought, read); err != nil || !bytes.Equal(part, noise(size)[size-200:size-100]) {
					t.Errorf("a part of %d bytes is another, %v", size, err)
				}
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := s.open(t.Context(), kitFile(two, 2, 0)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a file that is not there: %v", err)
		}
		// What one worker left goes, and nothing beside it.
		for range 2 {
			if err := s.remove(t.Context(), kitFolder(one, 1)); err != nil {
				t.Fatal(err)
			}
		}
		mustList(t, s, kitsFolder+"/"+one.String(), kitFile(one, 12, 0))
		mustList(t, s, kitsFolder+"/"+two.String(), kitFile(two, 1, 0))
		mustList(t, s, uploadsFolder)
	})
}

// brokenReader ends in the middle.
type brokenReader struct{ io.Reader }

var errBroken = errors.New("the source broke")

func (b brokenReader) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = errBroken
	}
	return n, err
}

func TestStoresKeepNothingByHalves(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store) {
		const size = partSize + 1000
		job := uuid.New()
		for n, c := range []struct {
			r    io.Reader
			said int64
			want error
		}{
			{brokenReader{bytes.NewReader(noise(size - 1))}, size, errBroken},
			{bytes.NewReader(noise(size - 1)), size, errSize},
			{bytes.NewReader(noise(size + 1)), size, errSize},
			{strings.NewReader("x"), 0, errSize},
		} {
			if err := s.put(t.Context(), kitFile(job, 1, n), c.r, c.said); !errors.Is(err, c.want) {
				t.Errorf("%d: %v, want %v", n, err, c.want)
			}
			if _, err := s.open(t.Context(), kitFile(job, 1, n)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%d: it is there: %v", n, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.put(ctx, kitFile(job, 1, 9), bytes.NewReader(noise(10)), 10); err == nil {
			t.Error("it is put after the end")
		}
		mustList(t, s, kitsFolder+"/"+job.String())
	})
}

func TestDirectoriesHaveStoresApart(t *testing.T) {
	for _, at := range []string{t.TempDir(), newJudge(t).address()} {
		one, other := mustOpen(t, at, "directory-1"), mustOpen(t, at, "directory-2")
		mustPut(t, one, uploadFile(uuid.Nil), []byte("x"))
		mustList(t, other, uploadsFolder)
		if err := other.remove(t.Context(), uploadFile(uuid.Nil)); err != nil {
			t.Fatal(err)
		}
		mustList(t, one, uploadsFolder, uploadFile(uuid.Nil))
	}
}

// What arrives changed is not taken for what was sent.
func TestS3ComparesChecksums(t *testing.T) {
	j := newJudge(t)
	s := mustOpen(t, j.address(), "directory-1")
	job := uuid.New()
	mustPut(t, s, kitFile(job, 1, 0), noise(partSize+5))
	if j.parts.Load() != 2 || j.bare.Load() != 0 {
		t.Errorf("%d parts with a checksum, %d without", j.parts.Load(), j.bare.Load())
	}
	j.corrupt.Store(true)
	if err := s.put(t.Context(), kitFile(job, 1, 1), bytes.NewReader(noise(1000)), 1000); err == nil || !strings.Contains(err.Error(), "checksum is another") {
		t.Errorf("%v", err)
	}
	j.corrupt.Store(false)
	mustList(t, s, kitsFolder, kitFile(job, 1, 0))
}

func TestS3ThatIsFullSaysSo(t *testing.T) {
	j := newJudge(t)
	s := mustOpen(t, j.address(), "directory-1")
	j.full.Store(true)
	if err := s.put(t.Context(), kitFile(uuid.New(), 1, 0), bytes.NewReader(noise(1000)), 1000); !errors.Is(err, errStoreFull) {
		t.Errorf("%v", err)
	}
}

func TestAddressesOfStores(t *testing.T) {
	for _, at := range []string{"http://s3.acme.example/bucket", "https://s3.acme.example", "https:///bucket", "https://me:secret@s3.acme.example/bucket", "https://s3.acme.example/bucket?x=secret", "https://s3.acme.example/bucket#x"} {
		if _, err := openStore(at, "d"); !errors.Is(err, ErrStoreAddress) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// Whatever lies in a store, it is read back only if it is what we would have
// written.
func FuzzParseKitFile(f *testing.F) {
	f.Add(kitFile(uuid.New(), 7, 3))
	f.Add(kitFile(uuid.Nil, 0, 0) + partly)
	f.Add("kits/../../x")
	f.Add("kits/00000000-0000-0000-0000-000000000000/-1/0")
	f.Add("kits/{00000000-0000-0000-0000-000000000000}/+1/0")
	f.Fuzz(func(t *testing.T, name string) {
		job, fence, ok := parseKitFile(name)
		if ok && !strings.HasPrefix(name, kitFolder(job, fence)+"/") {
			t.Errorf("%q is taken for one of %s", name, kitFolder(job, fence))
		}
	})
}
