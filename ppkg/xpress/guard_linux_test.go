package xpress

import (
	"bytes"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
)

// guarded gives n bytes between two pages that nobody may touch: against the
// second if atEnd, else against the first. load.go looks past Go's own bounds
// checks; here the processor checks them.
func guarded(t *testing.T, n int, atEnd bool) []byte {
	t.Helper()
	page := os.Getpagesize()
	room := (n + page - 1) / page * page
	all, err := syscall.Mmap(-1, 0, room+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(all) })
	for _, guard := range [][]byte{all[:page], all[page+room:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	if atEnd {
		return all[page+room-n : page+room : page+room]
	}
	return all[page : page+n : page+n]
}

func TestLoadsStayWithinTheChunk(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	sizes := []int{4096, 32767, 32768, MaxChunk - 1, MaxChunk}
	for n := range 300 {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		text := make([]byte, n)
		for i := range text {
			text[i] = "abc"[r.IntN(3)]
		}
		for _, plain := range [][]byte{make([]byte, n), bytes.Repeat([]byte("abcd"), n/4+1)[:n], text} {
			for _, atEnd := range []bool{true, false} {
				src := guarded(t, n, atEnd)
				copy(src, plain)
				for _, level := range levels {
					packed, ok := NewCompressor(level).Compress(nil, src)
					if !ok {
						continue
					}
					in, out := guarded(t, len(packed), atEnd), guarded(t, n, atEnd)
					copy(in, packed)
					if err := new(Decompressor).Decompress(out, in); err != nil || !bytes.Equal(out, plain) {
						t.Fatalf("%d bytes, level %d: %v", n, level, err)
					}
				}
			}
		}
	}
}
