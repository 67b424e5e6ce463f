package xpress

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var levels = []Level{Fast, Default, Best}

// samples are chunks with something odd about them.
func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, MaxChunk)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	text := make([]byte, MaxChunk)
	for i := range text {
		text[i] = "the quick brown fox jumps over the lazy dog"[r.IntN(1+i%43)]
	}
	s := map[string][]byte{
		"zeros":     make([]byte, MaxChunk),
		"abc":       bytes.Repeat([]byte("abc"), 10000),
		"text":      text,
		"wim chunk": text[:32768],
		"far match": slices.Concat(text[:4000], noise[:50000], text[:4000]),
		"far three": slices.Concat([]byte("xyz"), text[:40000], []byte("xyz")),
		"two bytes": bytes.Repeat([]byte{0, 255}, 400),
		"skewed":    skewed(),
	}
	// Matches of every length around those that change how a length is written.
	for _, n := range []int{3, 4, 17, 18, 19, 272, 273, 274, 300, 32767, 45000} {
		s[fmt.Sprintf("length %d", n)] = slices.Concat(text[:20000], noise[:40], bytes.Repeat([]byte{7}, n), noise[40:80], text[20000:])[:min(MaxChunk, 20500+n)]
	}
	return s
}

// skewed has byte counts like Fibonacci numbers: an unlimited Huffman code for
// them is longer than 15 bits.
func skewed() []byte {
	var out []byte
	a, b := 1, 1
	for value := byte(0); len(out)+a <= MaxChunk; value++ {
		out = append(out, bytes.Repeat([]byte{value}, a)...)
		a, b = b, a+b
	}
	r := rand.New(rand.NewPCG(3, 4))
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func TestRoundTrip(t *testing.T) {
	for _, level := range levels {
		c, d := NewCompressor(level), new(Decompressor)
		for name, plain := range samples() {
			prefix := []byte("prefix")
			out, ok := c.Compress(prefix, plain)
			if !ok {
				t.Errorf("level %d: %s does not shrink", level, name)
				continue
			}
			if !bytes.HasPrefix(out, prefix) || len(out)-len(prefix) >= len(plain) {
				t.Errorf("level %d: %s: %d bytes from %d", level, name, len(out)-len(prefix), len(plain))
			}
			got := make([]byte, len(plain))
			if err := d.Decompress(got, out[len(prefix):]); err != nil {
				t.Errorf("level %d: %s: %v", level, name, err)
			} else if !bytes.Equal(got, plain) {
				t.Errorf("level %d: %s comes back different", level, name)
			}
		}
	}
}

func TestCompressRefusesWhatDoesNotShrink(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	noise := make([]byte, MaxChunk+1)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for _, level := range levels {
		c := NewCompressor(level)
		for _, n := range []int{0, 1, 2, 255, 260, 261, 4096, MaxChunk, MaxChunk + 1} {
			dst := []byte("kept")
			if out, ok := c.Compress(dst, noise[:n]); ok || string(out) != "kept" {
				t.Errorf("level %d: %d random bytes: ok %v, %d bytes", level, n, ok, len(out))
			}
		}
	}
}

func TestNoAllocationPerChunk(t *testing.T) {
	plain := samples()["wim chunk"]
	for _, level := range levels {
		c, d := NewCompressor(level), new(Decompressor)
		out := make([]byte, 0, 2*len(plain))
		got := make([]byte, len(plain))
		if n := testing.AllocsPerRun(10, func() {
			packed, ok := c.Compress(out, plain)
			if !ok || d.Decompress(got, packed) != nil {
				t.Error("no round trip")
			}
		}); n != 0 {
			t.Errorf("level %d: %v allocations per chunk", level, n)
		}
	}
}

func TestDecompressRefuses(t *testing.T) {
	plain := samples()["text"]
	packed, ok := NewCompressor(Default).Compress(nil, plain)
	if !ok {
		t.Fatal("text does not shrink")
	}
	flat := bytes.Repeat([]byte{0x99}, numHeader) // 512 codes of 9 bits
	for name, c := range map[string]struct {
		src  []byte
		size int
	}{
		"nothing":                    {nil, 10},
		"half a header":              {packed[:100], 10},
		"header only":                {packed[:numHeader], 10},
		"truncated":                  {packed[:len(packed)/2], len(plain)},
		"no code":                    {make([]byte, 300), 10},
		"incomplete code":            {append(bytes.Repeat([]byte{0x9A}, numHeader), 1, 2, 3, 4), 10},
		"match before the start":     {append(slices.Clone(flat), 0, 0xFF, 0, 0, 0, 0), 10},
		"chunk larger than allowed":  {packed, MaxChunk + 1},
		"chunk larger than its data": {packed, len(plain) + 1},
	} {
		var d Decompressor
		if err := d.Decompress(make([]byte, c.size), c.src); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("abcabcabcabc"), uint16(400))
	f.Add(bytes.Repeat([]byte{0, 1, 2, 3}, 100), uint16(1))
	f.Fuzz(func(t *testing.T, seed []byte, times uint16) {
		plain := bytes.Repeat(seed, 1+int(times))
		plain = plain[:min(len(plain), MaxChunk)]
		for _, level := range levels {
			out, ok := NewCompressor(level).Compress(nil, plain)
			if !ok {
				continue
			}
			got := make([]byte, len(plain))
			if err := new(Decompressor).Decompress(got, out); err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("level %d: %v", level, err)
			}
		}
	})
}

func FuzzDecompress(f *testing.F) {
	for _, plain := range [][]byte{bytes.Repeat([]byte("abc"), 200), make([]byte, 3000)} {
		out, _ := NewCompressor(Default).Compress(nil, plain)
		f.Add(out, uint16(len(plain)))
	}
	f.Add(append(bytes.Repeat([]byte{0x99}, numHeader), 1, 2, 3, 4, 5, 6, 7, 8), uint16(20))
	f.Fuzz(func(t *testing.T, src []byte, size uint16) {
		room := make([]byte, int(size)+1)
		room[size] = 0xA5
		err := new(Decompressor).Decompress(room[:size:size], src)
		if room[size] != 0xA5 {
			t.Fatal("wrote beyond the chunk")
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}
