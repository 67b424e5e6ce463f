package pin

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestWeak(t *testing.T) {
	for digits, want := range map[string]error{
		"":        ErrForm,
		"12345":   ErrForm,
		"1234567": ErrForm,
		"48291a":  ErrForm,
		"48 915":  ErrForm,
		"４８２":     ErrForm, // nine bytes
		"٤٨٢":     ErrForm, // six bytes
		"-48291":  ErrForm,
		"000000":  ErrRow,
		"777777":  ErrRow,
		"123456":  ErrRow,
		"654321":  ErrRow,
		"890123":  ErrRow,
		"321098":  ErrRow,
		"135791":  ErrRow,
		"246802":  ErrRow,
		"123123":  ErrPattern,
		"484848":  ErrPattern,
		"112233":  ErrPattern,
		"447799":  ErrPattern,
		"555888":  ErrPattern,
		"482284":  ErrPattern,
		"147258":  ErrPopular,
		"159753":  ErrPopular,
		"142857":  ErrPopular,
		"482913":  ErrSerial,
		"829137":  ErrSerial,
		"310785":  ErrDate, // 31 July 1985
		"073185":  ErrDate, // as Americans write it
		"850731":  ErrDate, // as computers do
		"290204":  ErrDate,
		"310685":  nil, // June has 30 days
		"300285":  nil,
		"001385":  nil,
		"482915":  nil,
		"482931":  nil,
		"960471":  nil,
		"907348":  nil,
		"174852":  nil, // no line: 1 7 4 8 5 2
	} {
		if err := Weak([]byte(digits), "SN-48-2913/7"); !errors.Is(err, want) {
			t.Errorf("%q is refused for %v, not %v", digits, err, want)
		}
	}
	if err := Weak([]byte("482915"), ""); err != nil {
		t.Error(err)
	}
}

// The figure in the comment and in docs/security.md: how many PINs are left.
func TestHowManyAreLeft(t *testing.T) {
	left, dates := 0, 0
	for n := range 1_000_000 {
		switch err := Weak(fmt.Appendf(nil, "%06d", n), ""); {
		case err == nil:
			left++
		case errors.Is(err, ErrDate):
			dates++
		}
	}
	if left != 912_936 || dates != 84_018 {
		t.Errorf("%d are left, %d are dates", left, dates)
	}
}

// What another rule refuses does not belong in the list.
func TestFavouritesAreRefusedForNothingElse(t *testing.T) {
	for _, digits := range strings.Fields(favourites) {
		if err := Weak([]byte(digits), ""); !errors.Is(err, ErrPopular) {
			t.Errorf("%s: %v", digits, err)
		}
		if d := []byte(digits); date(d) {
			t.Errorf("%s is a date", digits)
		}
	}
}
