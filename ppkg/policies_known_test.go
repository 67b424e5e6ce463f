package ppkg

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKnownPolicy(t *testing.T) {
	for _, c := range []struct {
		area, name string
		typ        Type
		labels     map[string]string
		known      bool
	}{
		{"Experience", "AllowCortana", Integer, map[string]string{"Yes": "1", "No": "0"}, true},
		{"DeviceLock", "MinDevicePasswordLength", Integer, nil, true},
		{"Start", "ConfigureStartPins", String, nil, true},
		{"experience", "AllowCortana", 0, nil, false},
		{"Experience", "AllowCortna", 0, nil, false},
		{"", "", 0, nil, false},
	} {
		typ, labels, known := KnownPolicy(c.area, c.name)
		if diff := cmp.Diff(c.labels, labels); typ != c.typ || known != c.known || diff != "" {
			t.Errorf("%s/%s: %v, %v, labels (-want +got):\n%s", c.area, c.name, typ, known, diff)
		}
	}
	for _, path := range Known() {
		if policy, ok := strings.CutPrefix(path, "Policies/"); ok {
			area, name, _ := strings.Cut(policy, "/")
			if typ, _, known := KnownPolicy(area, name); !known || typ != Integer && typ != String {
				t.Errorf("%s: %v, %v", policy, typ, known)
			}
		}
	}
}
