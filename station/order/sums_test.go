package order

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"
)

func FuzzParseSums(f *testing.F) {
	f.Add([]byte(strings.Repeat("0", 64) + "  order.json\n"))
	f.Add([]byte(strings.Repeat("0", 64) + "  kit/a\n" + strings.Repeat("1", 64) + "  kit/b\n"))
	f.Add([]byte(strings.Repeat("0", 64) + "  ../x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sums, err := parseSums(data)
		if err != nil {
			return
		}
		if !bytes.Equal(encodeSums(sums), data) {
			t.Errorf("%q reads as %v", data, sums)
		}
		for name := range sums {
			if !fs.ValidPath(name) || strings.Count(name, "/") > 1 {
				t.Errorf("%q is a name", name)
			}
		}
	})
}
