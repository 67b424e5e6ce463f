package ppkg

import (
	"context"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

var update = flag.Bool("update", false, "write the golden files anew")

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// minimal is the package of formats/ppkg.md §8.
func minimal() *Package {
	return &Package{
		ID:      uuid.MustParse("0f8c1c8e-54f5-4b8e-8a3c-6f0a0d9a1b2c"),
		Name:    "Minimal",
		Version: "1.0",
		Owner:   ITAdmin,
		Settings: []Setting{Command{
			Name: "Setup",
			Line: "cmd /c setup.cmd",
			File: NewFile("setup.cmd", []byte("@echo off\r\n")),
		}.Setting()},
	}
}

func TestMinimalPackageCompilesToTheGoldenTree(t *testing.T) {
	golden(t, "minimal", minimal())
}

// golden compares a package's tree with a folder of testdata.
func golden(t *testing.T, name string, p *Package) {
	t.Helper()
	tree, err := Compile(context.Background(), p, testTime)
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(tree, "Multivariant/Multivariant.xml"); err != nil {
		t.Error(err)
	}
	got := contents(t, tree)
	dir := filepath.Join("testdata", name)
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		for path, data := range got {
			file := filepath.Join(dir, filepath.FromSlash(path))
			if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(data), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(contents(t, os.DirFS(dir)), got); diff != "" {
		t.Error(diff)
	}
}

// contents reads all files of a tree.
func contents(t *testing.T, fsys fs.FS) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(fsys, path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// The values are those of packages that icd.exe made (formats/ppkg.md §2.1)
// and of PackageStack, which took its from such packages.
func TestSettingsGroupsAreThoseOfICD(t *testing.T) {
	for path, want := range map[string]string{
		"Accounts/Azure":                                   "641c3728-5623-544a-9144-976a2dbf3ca9",
		"Accounts/ComputerAccount":                         "f35dd173-1c3e-5f2b-a3a4-29b602842b09",
		"Accounts/Users/User":                              "316e2a31-250a-5f09-a0e1-d2e5c6b03559",
		"ConnectivityProfiles/WLAN/WLANSetting/WLANConfig": "ac17da61-38b8-5bb9-bdaf-7436ac4eb133",
		"OOBE/Desktop/HideOobe":                            "b786dbf1-ec31-5be5-aa49-934e4489fae9",
		"OOBE/Desktop/EnableCortanaVoice":                  "2f06d211-95c0-5efd-a257-d6085f324283",
		"ProvisioningCommands/PrimaryContext/Command/CommandConfig/CommandFile":                   "1348d3d6-134b-5eb8-8f89-96c44bf9aa0b",
		"ProvisioningCommands/PrimaryContext/Command/CommandConfig/CommandLine":                   "56ccb8ff-b5f2-5806-a504-ab9091876608",
		"ProvisioningCommands/PrimaryContext/Command/CommandConfig/ContinueInstall":               "290f8b72-c400-5dc4-8e56-b98df699071a",
		"ProvisioningCommands/PrimaryContext/Command/CommandConfig/DependencyPackages/Dependency": "0fb42616-94a6-5da8-b711-fd15131232e9",
		"ProvisioningCommands/PrimaryContext/Command/CommandConfig/RestartRequired":               "0a0302fe-0203-5635-8005-2878eac632cd",
		"ProvisioningCommands/PrimaryContext/Command/CommandConfig/ReturnCodeRestart":             "0c1ffbe1-4777-5325-afb2-61bfeee42220",
		"ProvisioningCommands/PrimaryContext/Command/CommandConfig/ReturnCodeSuccess":             "370d2f73-b454-5319-b1b1-ad5dcb6c1e42",
	} {
		if got := settingsGroup(path, 0); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
		if got := settingsGroup(path, 2); got != want+"_1" {
			t.Errorf("third use of %s: %s, want %s_1", path, got, want)
		}
	}
}

func TestAltitudeIsOwnersBaseAndRank(t *testing.T) {
	for want, p := range map[int]*Package{
		0:    {Owner: Microsoft},
		2000: {Owner: OEM},
		5000: {Owner: ITAdmin},
		5099: {Owner: ITAdmin, Rank: 99},
	} {
		if got := p.Altitude(); got != want {
			t.Errorf("%v rank %d: %d, want %d", p.Owner, p.Rank, got, want)
		}
	}
}

// TestNamesOfFilesAreNoSecrets, whatever words are in them or in their hashes.
func TestNamesOfFilesAreNoSecrets(t *testing.T) {
	p := minimal()
	p.Settings = []Setting{Command{Name: "a", Line: "b", File: NewFile("password-token.msi", []byte("x"))}.Setting()}
	if got := openFile(t, writeFile(t, p)).Secrets(); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}
