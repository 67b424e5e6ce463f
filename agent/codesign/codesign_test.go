package codesign

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestWhatAStatusMeans(t *testing.T) {
	meanings := map[string]error{"unavailable": ErrUnavailable, "gone": ErrGone, "foreign": ErrForeign}
	for status, want := range map[int32]struct{ means, words string }{
		-67072: {"unavailable", "-67072"},
		-67067: {"unavailable", "-67067"},
		-67065: {"gone", "no such process (-67065)"},
		-67063: {"", "not valid any more (-67063)"},
		-67062: {"", "not signed (-67062)"},
		-67061: {"", "not what was signed (-67061)"},
		-67050: {"foreign", "somebody else (-67050)"},
		-1:     {"", "signature: -1"},
	} {
		err := fmt.Errorf("process 7: %w", refused(status))
		for meaning, target := range meanings {
			if got := errors.Is(err, target); got != (meaning == want.means) {
				t.Errorf("%v is %s: %t", err, meaning, got)
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
