package directory

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"firstday.dev/api"
)

// What docs/security.md says is true: the tests that it and its page on accounts
// name are there, and its figures are those of the code.
func TestSecurityPage(t *testing.T) {
	text, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(text)), " ")
	there := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err = filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(source, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var accounts strings.Builder
	for _, page := range []string{"windows-accounts.md", "macos-accounts.md"} {
		text, err := os.ReadFile("../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		accounts.Write(text)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(page+accounts.String(), -1)
	if len(named) < 40 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, m := range named {
		if !there[m[1]] {
			t.Errorf("there is no %s", m[1])
		}
	}
	days := func(d time.Duration) int { return int(d / (24 * time.Hour)) }
	minutes := func(d time.Duration) int { return int(d / time.Minute) }
	for _, figure := range []string{
		fmt.Sprintf("| user code | 34.5 bits, %d minutes |", minutes(api.SignInLife)),
		fmt.Sprintf("the slot that it holds | %d minutes |", minutes(api.TicketLife)),
		fmt.Sprintf("| number on the other device | %d tries |", numberTries),
		fmt.Sprintf("| %d days by default, at most %d |", days(time.Duration(api.DefaultKeyLife)), days(maxKeyLife)),
		fmt.Sprintf("| wrong user codes | %d at once, then %[1]d a minute", newLimits().codes.attempts),
		fmt.Sprintf("| logins | %d a minute", newLimits().logins.attempts),
		fmt.Sprintf("| %d, then %d s to %d minutes |", freeFailures, firstLock/time.Second, minutes(longestLock)),
		fmt.Sprintf("| sign-ins started, by a device | %d a minute |", newLimits().starts.attempts),
		fmt.Sprintf("%d KiB; %d MiB |", api.MaxDeviceMessage>>10, api.MaxMessage>>20),
		fmt.Sprintf("| a page's form | %d KiB |", maxForm>>10),
		fmt.Sprintf("| %d days, %d days, %d years |", days(deviceLife), days(serverLife), days(caLife)/365),
		fmt.Sprintf("argon2id (%d MiB, %d passes, %d lanes)", chosen.memory>>10, chosen.time, chosen.threads),
		fmt.Sprintf("At least %d characters", api.MinPassword),
	} {
		if !strings.Contains(page, figure) {
			t.Errorf("it does not say %q", figure)
		}
	}
}
