package strictjson

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRead(t *testing.T) {
	type document struct{ Name string }
	var d document
	if err := Read(strings.NewReader(" {\"name\":\"a\"}\n"), 20, &d); err != nil || d.Name != "a" {
		t.Errorf("%v, %v", d, err)
	}
	for _, bad := range []string{"", "{", `{"name":"a"} {}`, `{"name":"a"}x`, `{"other":1}`, `{"name":1}`, `{"name":"` + strings.Repeat("a", 20) + `"}`} {
		if err := Read(strings.NewReader(bad), 20, new(document)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
	broken := errors.New("broken")
	if err := Read(iotest.ErrReader(broken), 20, new(document)); !errors.Is(err, broken) {
		t.Errorf("a reader's error became %v", err)
	}
}
