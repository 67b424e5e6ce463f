package webview

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Of all that the runtime can do, pages get scripts.
func TestOnlyScriptsAreOn(t *testing.T) {
	seen := make(map[int]bool)
	for _, s := range settings {
		if s.on != (s.name == "IsScriptEnabled") || seen[s.put] || s.put%2 != 0 {
			t.Errorf("%+v", s)
		}
		seen[s.put] = true
	}
}

func TestFatalFailures(t *testing.T) {
	want := []int32{browserExited, rendererExited, rendererUnresponsive, frameRendererExited, 10, 11}
	var got []int32
	for kind := range int32(12) {
		if fatal(kind) {
			got = append(got, kind)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || !fatal(-1) {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFirstPage(t *testing.T) {
	var j journey
	if first, err := j.completed(false); first || !errors.Is(err, ErrNoPage) {
		t.Errorf("a first page that fails: %v, %v", first, err)
	}
	if first, err := j.completed(true); !first || err != nil {
		t.Errorf("a first page: %v, %v", first, err)
	}
	for _, success := range []bool{true, false} { // a wrong password's page fails, too
		if first, err := j.completed(success); first || err != nil {
			t.Errorf("another page: %v, %v", first, err)
		}
	}
}

func TestFailuresHaveNumbersOfTheirOwn(t *testing.T) {
	seen := make(map[string]bool)
	for f := ErrNoRuntime; f <= ErrProcessLost; f++ {
		if seen[f.Error()] || !f.Known() {
			t.Errorf("%d: %s", f, f)
		}
		seen[f.Error()] = true
	}
	for _, f := range []FailureError{0, 1, 2, ErrNoRuntime - 1, ErrProcessLost + 1, -1} {
		if f.Known() {
			t.Errorf("%d is known", f)
		}
	}
}
