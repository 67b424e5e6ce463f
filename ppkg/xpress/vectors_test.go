package xpress

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// vectors are the examples of [MS-XCA] section 3.2. The code lengths are given
// by their place in the header; all others are zero.
var vectors = map[string]struct {
	plain   string
	lengths map[int]string // bytes in hexadecimal, by where they begin
	stream  string
}{
	"literals": {
		plain:   "abcdefghijklmnopqrstuvwxyz",
		lengths: map[int]string{0x30: "5055555555555555555555454404", 0x80: "04"},
		stream:  "d8523ed794115be9195ff9d67cdf8d0400000000",
	},
	"long match": {
		plain:   strings.Repeat("abc", 100),
		lengths: map[int]string{0x30: "3023", 0x80: "02", 0x8f: "20"},
		stream:  "a8dc0000ff2601",
	},
}

func TestSpecificationsExamples(t *testing.T) {
	for name, v := range vectors {
		packed := make([]byte, numHeader)
		for at, lengths := range v.lengths {
			copy(packed[at:], unhex(t, lengths))
		}
		packed = append(packed, unhex(t, v.stream)...)
		got := make([]byte, len(v.plain))
		if err := new(Decompressor).Decompress(got, packed); err != nil || string(got) != v.plain {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err := new(Decompressor).Decompress(got, packed[:numHeader+5]); err == nil {
			t.Errorf("%s: read without its end", name)
		}
	}
	// What we make of the second one differs in nothing but where zero bits end.
	v := vectors["long match"]
	for _, level := range levels {
		packed, ok := NewCompressor(level).Compress(nil, []byte(v.plain))
		if !ok || !bytes.Equal(packed[numHeader:], unhex(t, v.stream)) {
			t.Errorf("level %d: stream %x, %v", level, packed[numHeader:], ok)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
