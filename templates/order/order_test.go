package order

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testtool"
)

// Both scripts are plain ASCII: no code page of a partner's makes other text of them.
func TestScriptsArePlain(t *testing.T) {
	for name, script := range map[string]string{"verify.sh": Shell, "verify.ps1": PowerShell} {
		if i := strings.IndexFunc(script, func(r rune) bool { return r != '\n' && r != '\t' && (r < ' ' || r > '~') }); i >= 0 {
			t.Errorf("%s has something else at byte %d", name, i)
		}
	}
}

func TestShellScript(t *testing.T) {
	for _, judge := range [][]string{{"shellcheck", "--shell=sh", "-"}, {"dash", "-n"}, {"bash", "-n"}, {"bash", "--posix", "-n"}} {
		c := exec.CommandContext(t.Context(), testtool.Need(t, judge[0]), judge[1:]...)
		c.Stdin = strings.NewReader(Shell)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", judge, err, out)
		}
	}
	// What bash 3.2 of macOS lacks, and what other shells do.
	for _, newer := range []string{"[[", "<<<", "declare", "local ", "mapfile", "readarray", "${name,,}", "&>", "<(", "function "} {
		if strings.Contains(Shell, newer) {
			t.Errorf("the script uses %s", newer)
		}
	}
}

// No PowerShell is here to run the other one. What can be judged is that every
// bracket and string ends, and that nothing is used that PowerShell 5.1 lacks.
func TestPowerShellScript(t *testing.T) {
	var open []rune
	quote := rune(0)
	comment := false
	for _, r := range PowerShell {
		switch {
		case comment:
			comment = r != '\n'
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '#':
			comment = true
		case r == '\'' || r == '"':
			quote = r
		case strings.ContainsRune("({[", r):
			open = append(open, r)
		case strings.ContainsRune(")}]", r):
			if len(open) == 0 || strings.IndexRune("({[", open[len(open)-1]) != strings.IndexRune(")}]", r) {
				t.Fatalf("%c ends what is not open: %q", r, string(open))
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 || quote != 0 {
		t.Errorf("%q is open at the end, and the quote %q", string(open), quote)
	}
	for _, newer := range []string{"??", "?.", "&& ", " || ", "FromHexString", "ToHexString", "HashData", "ForEach-Object -Parallel"} {
		if strings.Contains(PowerShell, newer) {
			t.Errorf("the script uses %s, which PowerShell 5.1 lacks", newer)
		}
	}
	for _, variable := range regexp.MustCompile(`\$([A-Za-z]+) =`).FindAllStringSubmatch(PowerShell, -1) {
		if strings.Count(PowerShell, "$"+variable[1]) < 2 && variable[1] != "ErrorActionPreference" {
			t.Errorf("$%s is set and never used", variable[1])
		}
	}
}

// Both scripts say the same of themselves, and want the same.
func TestScriptsCannotVouchForThemselves(t *testing.T) {
	for name, script := range map[string]string{"verify.sh": Shell, "verify.ps1": PowerShell} {
		plain := strings.Join(strings.Fields(strings.ReplaceAll(script, "\n#", "")), " ")
		for _, want := range []string{"It cannot vouch for itself", "in another way than this bundle came", "do not take it from this bundle"} {
			if !strings.Contains(plain, want) {
				t.Errorf("%s does not say %q", name, want)
			}
		}
	}
}

func TestInstructions(t *testing.T) {
	b := &Bundle{PO: "PO <1>", Organisation: "A & B", Quantity: 1, ExpiresAt: time.Date(2027, 1, 2, 3, 4, 0, 0, time.UTC), Packages: []Package{{"macOS", "Acme.pkg", "00"}}}
	var out bytes.Buffer
	if err := b.Page().WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 laptop for A &amp; B", "PO &lt;1&gt;", "2 January 2027, 03:04 UTC", "Acme.pkg", "A Mac:", ">any<"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing in %s", want, out.String())
		}
	}
	for _, not := range []string{"Windows: at the first page", ">Tags<", ">For<"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("it says %s", not)
		}
	}
}
