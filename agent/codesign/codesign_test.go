package codesign

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestWhatAStatusMeans(t *testing.T) {
	for status, want := range map[int32]struct {
		is    error // nil: none of them
		words string
	}{
		-67072: {ErrUnavailable, "-67072"},
		-67067: {ErrUnavailable, "-67067"},
		-67065: {ErrGone, "no such process (-67065)"},
		-67063: {nil, "not valid any more (-67063)"},
		-67062: {nil, "not signed (-67062)"},
		-67061: {nil, "not what was signed (-67061)"},
		-67050: {ErrForeign, "somebody else (-67050)"},
		-1:     {nil, "signature: -1"},
	} {
		err := fmt.Errorf("process 7: %w", refused(status))
		for _, target := range []error{ErrUnavailable, ErrGone, ErrForeign} {
			if got := errors.Is(err, target); got != (target == want.is) {
				t.Errorf("%v is %q: %t", err, target, got)
			}
		}
		if !strings.HasSuffix(err.Error(), want.words) {
			t.Errorf("%d: %v, want %s", status, err, want.words)
		}
	}
	if err := refused(0); err != nil {
		t.Errorf("0: %v", err)
	}
}

// Its place in the token is that of audit_token_to_pid (bsm/libbsm.h).
func TestTokenNamesTheProcess(t *testing.T) {
	if p := (Token{501, 92, 92, 92, 92, 777, 100001, 3}).Process(); p != 777 {
		t.Error(p)
	}
}
