package kit

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzParseSums(f *testing.F) {
	hash := strings.Repeat("5a", 32)
	f.Add([]byte(hash + "  Acme.cat\n" + hash + "  Acme.ppkg\n"))
	f.Add([]byte(hash + "  ../Acme.ppkg\n"))
	f.Add([]byte(hash + " *Acme.ppkg\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSums(data)
		if err != nil {
			return
		}
		for name := range s {
			if strings.ContainsAny(name, `/\`) || name == ".." {
				t.Errorf("%q leads out of the kit", name)
			}
		}
		if !bytes.Equal(sums(s).encode(), data) {
			t.Error("accepted, and written differently")
		}
	})
}

func FuzzReadManifest(f *testing.F) {
	f.Add([]byte(`{"version":1,"builder":"firstday 1.0.0","organisation":"Acme","directory":"https://d.example",` +
		`"created":"2026-11-23T12:00:00Z","packages":[{"platform":"windows","file":"Acme.ppkg","size":1,"sha256":"00",` +
		`"id":"3f2b1c60-9a1e-4a52-8d6e-0a6c0a2a7b11","name":"Acme","version":"1.0","catalog":"Acme.cat","contents":[]}]}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ReadManifest(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadManifest(bytes.NewReader(again)); err != nil {
			t.Errorf("not accepted a second time: %v", err)
		}
	})
}

// FuzzJournal reads journals that others may have touched.
func FuzzJournal(f *testing.F) {
	first := `{"version":1,"key":"` + strings.Repeat("ab", 32) + `"}` + "\n"
	for _, seed := range []string{"", first, first + `{"kit":"a","inputs":"1","sums":"2"}` + "\n", "{}\n", first + "{\n", "\n" + first} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j := &journal{made: make(map[string]*entry)}
		if err := j.parse(data); err == nil && len(data) > 0 && len(j.key) != 32 {
			t.Errorf("a key of %d bytes", len(j.key))
		}
	})
}
