package securetoken

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStatusOfEachVersion(t *testing.T) {
	for name, want := range map[string]bool{
		"sysadminctl-11-disabled.txt": false, "sysadminctl-11-enabled.txt": true,
		"sysadminctl-26-disabled.txt": false, "sysadminctl-26-enabled.txt": true,
	} {
		if has, err := parseStatus(sample(t, name)); err != nil || has != want {
			t.Errorf("%s: %v, %v", name, has, err)
		}
	}
	for name, output := range map[string]string{
		"an unknown account":     string(sample(t, "sysadminctl-26-unknown.txt")),
		"nothing":                "",
		"a name that claims it":  "2026-09-23 10:10:38.638 sysadminctl[1056:11522] Unknown user Secure token is ENABLED for user x\n",
		"a name of two lines":    string(sample(t, "sysadminctl-26-disabled.txt")) + "Secure token is ENABLED for user x\n",
		"more than a tool would": strings.Repeat("x", maxOutput) + "\nSecure token is ENABLED for user x\n",
	} {
		if has, err := parseStatus([]byte(output)); has || !errors.Is(err, errOutput) {
			t.Errorf("%s: %v, %v", name, has, err)
		}
	}
}

func TestHoldersOfEachVersion(t *testing.T) {
	for name, want := range map[string][]Holder{
		"diskutil-10.15.plist": {{"FB756838-0000-4000-8000-40FB5E7D5D3F", false}, {"C22BDCD3-0000-4000-8000-65D3332605C3", false}},
		"diskutil-13.plist":    {{"3C7DB8EE-5EA4-4C18-A7E4-25C6C0F94667", true}},
		"diskutil-empty.plist": {},
		"diskutil-none.txt":    {},
	} {
		holders, err := parseHolders(sample(t, name))
		if diff := cmp.Diff(want, holders); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

// What cannot be read is not nobody: that would have a token given out.
func TestHoldersThatCannotBeRead(t *testing.T) {
	good := string(sample(t, "diskutil-13.plist"))
	for name, output := range map[string]string{
		"nothing":          "",
		"an error":         "Error: -69808: Some information was unavailable during an internal lookup\n",
		"two lines":        "No cryptographic users for disk1s1\nUnexpected trailing text\n",
		"cut":              good[:len(good)/2],
		"no list":          "<plist><dict></dict></plist>",
		"no kind":          strings.ReplaceAll(good, "APFSCryptoUserType", "Kind"),
		"an ID that isn't": strings.Replace(good, "3C7DB8EE-", "3C7DB8EE/", 1),
		"too many":         strings.Replace(good, "<array>", "<array>"+strings.Repeat("<dict/>", maxHolders), 1),
		"binary":           "bplist00",
	} {
		if holders, err := parseHolders([]byte(output)); err == nil || holders != nil {
			t.Errorf("%s: %v, %v", name, holders, err)
		}
	}
	guest := strings.Replace(good, "3C7DB8EE-5EA4-4C18-A7E4-25C6C0F94667", strings.ToLower(guestID), 1)
	if holders, err := parseHolders([]byte(guest)); err != nil || len(holders) > 0 {
		t.Errorf("the guest: %v, %v", holders, err)
	}
}

func TestBootstrapOfEachVersion(t *testing.T) {
	for name, want := range map[string]bool{
		"profiles-10.15-no.txt": false, "profiles-13-yes.txt": true, "profiles-filewave.txt": true, "profiles-none.txt": false,
	} {
		if yes, err := parseBootstrap(sample(t, name)); err != nil || yes != want {
			t.Errorf("%s: %v, %v", name, yes, err)
		}
	}
	for _, output := range []string{
		"", "profiles: Bootstrap Token supported on server: YES\n", "profiles: Bootstrap Token escrowed to server: MAYBE\n",
		"Bootstrap Token escrowed to server: YES\nBootstrap Token escrowed to server: NO\n", "xBootstrap Token escrowed to server: YES\n",
	} {
		if yes, err := parseBootstrap([]byte(output)); yes || !errors.Is(err, errOutput) {
			t.Errorf("%q: %v, %v", output, yes, err)
		}
	}
}

func TestFileVaultOfEachVersion(t *testing.T) {
	for name, want := range map[string]string{
		"fdesetup-on.txt": "FileVault is On.", "fdesetup-off.txt": "FileVault is Off.",
		"fdesetup-deferred.txt": "FileVault is Off.", "fdesetup-key.txt": "FileVault is On.",
	} {
		if line, err := parseFileVault(sample(t, name)); err != nil || line != want {
			t.Errorf("%s: %q, %v", name, line, err)
		}
	}
	if line, err := parseFileVault([]byte("Error: Unable to connect.\n")); !errors.Is(err, errOutput) {
		t.Errorf("%q, %v", line, err)
	}
	if names, err := parseUnlockers(sample(t, "fdesetup-list.txt")); err != nil || !slices.Equal(names, []string{"mliebreich"}) {
		t.Errorf("%q, %v", names, err)
	}
	if names, err := parseUnlockers([]byte("Error: User is not authorized.\n")); !errors.Is(err, errOutput) {
		t.Errorf("%q, %v", names, err)
	}
}

// Whatever a tool prints, it ends, and what is believed of it is bounded.
func FuzzOutput(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) < 15 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		if filepath.Ext(file) != ".md" {
			f.Add(sample(f, filepath.Base(file)))
		}
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		if has, err := parseStatus(output); err != nil && has {
			t.Error("an error, and a token")
		}
		holders, err := parseHolders(output)
		if (err == nil) != (holders != nil) || len(holders) > maxHolders {
			t.Errorf("%d holders, %v", len(holders), err)
		}
		for _, h := range holders {
			if !guid.MatchString(h.ID) || h.ID != strings.ToUpper(h.ID) || h.ID == guestID {
				t.Errorf("holder %q", h.ID)
			}
		}
		if yes, err := parseBootstrap(output); err != nil && yes {
			t.Error("an error, and a bootstrap token")
		}
		if line, err := parseFileVault(output); err == nil && !strings.HasPrefix(line, "FileVault is ") || len(line) >= 200 {
			t.Errorf("%q", line)
		}
		names, err := parseUnlockers(output)
		if (err == nil) != (names != nil) || len(names) > maxHolders {
			t.Errorf("%d names, %v", len(names), err)
		}
	})
}
