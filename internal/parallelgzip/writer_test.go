package parallelgzip

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestReadersTakeIt(t *testing.T) {
	mixed := mixed(3*blockSize + 12345)
	for _, size := range []int{0, 1, windowSize - 1, windowSize, blockSize - 1, blockSize, blockSize + 1, 2 * blockSize, len(mixed)} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var want []byte
			for threads := range 4 {
				got := compressed(t, mixed[:size], threads)
				if want == nil {
					want = got
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%d threads make other bytes than one", threads)
				}
			}
			r, err := gzip.NewReader(bytes.NewReader(want))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, mixed[:size]) {
				t.Errorf("read %d bytes of %d, %v", len(got), size, err)
			}
		})
	}
}

// A block finds what is in the one before it: the stream is hardly longer than
// one that no thread cut.
func TestBlocksShareAWindow(t *testing.T) {
	noise := make([]byte, windowSize/2)
	fill(noise)
	in := bytes.Repeat(noise, 4*blockSize/len(noise))
	var whole bytes.Buffer
	if err := make(compressors).at(levelFast, in, nil, &whole); err != nil {
		t.Fatal(err)
	}
	if got := len(compressed(t, in, 2)); got > whole.Len()*101/100 {
		t.Errorf("%d bytes, in one block %d", got, whole.Len())
	}
}

func TestLevelFollowsTheContents(t *testing.T) {
	noise := make([]byte, blockSize)
	fill(noise)
	for name, test := range map[string]struct {
		in   []byte
		want int
	}{
		"zeros": {make([]byte, blockSize), levelFast},
		"noise": {noise, levelBest},
		"few":   {[]byte("a"), levelBest},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := make(compressors).levelFor(test.in, new(bytes.Buffer))
			if err != nil || got != test.want {
				t.Errorf("level %d, %v, want %d", got, err, test.want)
			}
		})
	}
}

func TestErrorsComeBack(t *testing.T) {
	full := errors.New("disk full")
	for _, after := range []int{0, len(header), blockSize} {
		z := NewWriter(&failing{after: after, err: full}, 2)
		noise := make([]byte, blockSize)
		fill(noise)
		var err error
		for range 50 {
			if _, err = z.Write(noise); err != nil {
				break
			}
		}
		if !errors.Is(err, full) {
			t.Errorf("after %d bytes: Write says %v", after, err)
		}
		for range 2 {
			if err := z.Close(); !errors.Is(err, full) {
				t.Errorf("after %d bytes: Close says %v", after, err)
			}
		}
	}
	z := NewWriter(io.Discard, 1)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Write after Close says %v", err)
	}
}

// failing is full after some bytes.
type failing struct {
	after int
	err   error
}

func (f *failing) Write(p []byte) (int, error) {
	if len(p) > f.after {
		return 0, f.err
	}
	f.after -= len(p)
	return len(p), nil
}

func compressed(t *testing.T, in []byte, threads int) []byte {
	t.Helper()
	var out bytes.Buffer
	z := NewWriter(&out, threads)
	for piece := range slices.Chunk(in, 100_000) {
		if n, err := z.Write(piece); err != nil || n != len(piece) {
			t.Fatal(n, err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// mixed is of parts that compress well, hardly and not at all.
func mixed(size int) []byte {
	b := make([]byte, size)
	fill(b[size/3:])
	for i := size / 3; i < 2*size/3; i++ {
		b[i] &= 15
	}
	return b
}

func fill(b []byte) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}
