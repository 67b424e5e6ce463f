package propertylist

import (
	"errors"
	"strings"
	"testing"
)

func TestUnmarshal(t *testing.T) {
	var v struct {
		Name string `plist:"name"`
	}
	if err := Unmarshal([]byte(`<?xml version="1.0"?><plist version="1.0"><dict><key>name</key><string>a</string></dict></plist>`), &v); err != nil || v.Name != "a" {
		t.Errorf("%v, %v", v, err)
	}
	if err := Unmarshal([]byte("bplist00"), &v); !errors.Is(err, ErrBinary) {
		t.Errorf("of a binary one: %v", err)
	}
	var anything any
	for _, bad := range []string{"", "<plist>", "<dict></plist>", "x", strings.Repeat("<array>", 1_000_000), "<plist>" + strings.Repeat("<dict><key>a</key>", maxDepth)} {
		if err := Unmarshal([]byte(bad), &anything); err == nil {
			t.Errorf("%.20q… was accepted", bad)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`<plist version="1.0"><dict><key>a</key><array><integer>1</integer><real>2</real><true/><data>AA==</data><date>2026-01-01T00:00:00Z</date></array></dict></plist>`))
	f.Add([]byte("bplist00"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var v any
		_ = Unmarshal(data, &v)
	})
}
