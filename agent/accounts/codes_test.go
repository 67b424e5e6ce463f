package accounts

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Each code that Windows has for us is one thing, told with the name and number
// by which administrators find it.
func TestWindowsCodes(t *testing.T) {
	kinds := []error{ErrNotFound, ErrExists, ErrName, ErrPassword, ErrGroup, ErrDenied, ErrFull, ErrLocked, errWindows, errAlready, errWrongPassword, errRightPassword}
	want := map[uint32]error{ // by the documentation, not by the table
		1378: errAlready, 1377: errAlready, 2221: ErrNotFound, 2224: ErrExists, 1316: ErrExists, 2223: ErrExists, 1379: ErrExists, 2202: ErrName, 1315: ErrName,
		2245: ErrPassword, 1325: ErrPassword, 1324: ErrPassword, 86: ErrPassword, 2220: ErrGroup, 1376: ErrGroup, 5: ErrDenied, 1371: ErrDenied,
		112: ErrFull, 87: errWindows, 1326: errWrongPassword, 1327: errRightPassword, 1328: errRightPassword, 1329: errRightPassword,
		1330: errRightPassword, 1331: errRightPassword, 1385: errRightPassword, 1907: errRightPassword, 1909: ErrLocked, 1311: errWindows,
	}
	seen := make(map[uint32]bool)
	for _, c := range windowsCodes {
		if seen[c.number] {
			t.Errorf("%d is there twice", c.number)
		}
		seen[c.number] = true
		err := windowsError("making", "jane", c.number)
		if is, listed := want[c.number]; listed && is != c.is { //nolint:errorlint // these very ones
			t.Errorf("%s: %v", c.name, err)
		}
		is := 0
		for _, kind := range kinds {
			if errors.Is(err, kind) {
				is++
			}
		}
		text := fmt.Sprint(err)
		if is != 1 || !strings.Contains(text, `"jane"`) || !strings.HasSuffix(text, fmt.Sprintf("(%s, %d)", c.name, c.number)) {
			t.Errorf("%s is %d things: %v", c.name, is, err)
		}
	}
	for number := range want {
		if !seen[number] {
			t.Errorf("%d is missing", number)
		}
	}
	if err := windowsError("making", "jane", 4711); !errors.Is(err, errWindows) || !strings.Contains(err.Error(), "4711") {
		t.Errorf("an unknown one: %v", err)
	}
	if err := windowsError("making", "jane", 0); err != nil {
		t.Error(err)
	}
}

// Of the reasons for which Windows lets somebody not in, one is a wrong password.
func TestOnlyOneCodeIsAWrongPassword(t *testing.T) {
	for _, c := range windowsCodes {
		right, err := passwordIsRight("jane", c.number)
		if right != errors.Is(c.is, errRightPassword) || (err == nil) != (right || c.number == 1326) {
			t.Errorf("%s: %v, %v", c.name, right, err)
		}
	}
}

func TestDocumentsListTheWindowsCodes(t *testing.T) {
	const page = "../../docs/windows-accounts.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range windowsCodes {
		if !strings.Contains(string(text), fmt.Sprintf("\n| %d %s | ", c.number, c.name)) {
			t.Errorf("%s does not tell of %d %s", page, c.number, c.name)
		}
	}
}
