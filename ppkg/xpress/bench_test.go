package xpress

import (
	"os"
	"testing"
)

// program is a real program: this one.
func program(b *testing.B) [][]byte {
	path, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	var chunks [][]byte
	for len(data) > 0 {
		n := min(32768, len(data))
		chunks = append(chunks, data[:n])
		data = data[n:]
	}
	return chunks
}

func BenchmarkCompress(b *testing.B) {
	chunks := program(b)
	for name, level := range map[string]Level{"fast": Fast, "default": Default, "best": Best} {
		b.Run(name, func(b *testing.B) {
			c := NewCompressor(level)
			var out []byte
			plain, packed := 0, 0
			for b.Loop() {
				plain, packed = 0, 0
				for _, chunk := range chunks {
					var ok bool
					plain += len(chunk)
					if out, ok = c.Compress(out[:0], chunk); ok {
						packed += len(out)
					} else {
						packed += len(chunk)
					}
				}
			}
			b.SetBytes(int64(plain))
			b.ReportMetric(100*float64(packed)/float64(plain), "%")
		})
	}
}

func BenchmarkDecompress(b *testing.B) {
	var packed [][]byte
	plain := 0
	c := NewCompressor(Default)
	for _, chunk := range program(b) {
		if out, ok := c.Compress(nil, chunk); ok && len(chunk) == 32768 {
			packed = append(packed, out)
			plain += len(chunk)
		}
	}
	var d Decompressor
	chunk := make([]byte, 32768)
	b.SetBytes(int64(plain))
	for b.Loop() {
		for _, p := range packed {
			if err := d.Decompress(chunk, p); err != nil {
				b.Fatal(err)
			}
		}
	}
}
