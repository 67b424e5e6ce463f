package securetoken

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const jane = "3C7DB8EE-5EA4-4C18-A7E4-25C6C0F94667"

func TestJudge(t *testing.T) {
	yes, no := new(true), new(false)
	held, none := &[]Holder{{jane, true}}, &[]Holder{}
	for name, test := range map[string]struct {
		mac  Mac
		id   string
		told *bool
		want State
	}{
		"both say so":              {Mac{Holders: held, Escrowed: no}, strings.ToLower(jane), yes, Held},
		"both say no":              {Mac{Holders: none, Escrowed: no}, jane, no, Missing},
		"the MDM's state unknown":  {Mac{Holders: none}, jane, no, Missing},
		"the MDM will give one":    {Mac{Holders: none, Escrowed: yes}, jane, no, Coming},
		"they contradict":          {Mac{Holders: none, Escrowed: yes}, jane, yes, Unknown},
		"the other way round":      {Mac{Holders: held}, jane, no, Unknown},
		"sysadminctl says nothing": {Mac{Holders: held}, jane, nil, Unknown},
		"diskutil says nothing":    {Mac{Escrowed: yes}, jane, yes, Unknown},
		"no ID":                    {Mac{Holders: none}, "", no, Unknown},
	} {
		if s := test.mac.Judge(test.id, test.told); s != test.want {
			t.Errorf("%s: %s, want %s", name, s, test.want)
		}
	}
	if (&Mac{}).NobodyHas() || !(&Mac{Holders: none}).NobodyHas() || (&Mac{Holders: held}).NobodyHas() {
		t.Error("who does not know says that nobody has a token")
	}
}

// The directory takes 200 bytes, and cuts what is longer: the help is at the end.
func TestProblemsFit(t *testing.T) {
	for _, s := range []State{Held, Alone, Coming, Missing, Unknown} {
		p := s.Problem(strings.Repeat("a", 31))
		if (p == "") != (s == Held || s == Coming) || len(p) > 200 {
			t.Errorf("%s: %d bytes, %q", s, len(p), p)
		}
	}
}

// tools answer as the files of testdata say.
type tools struct {
	t     *testing.T
	files map[string]string // of the command's words after the folder
	asked []string
}

func (f *tools) Run(_ context.Context, _ []byte, path string, args ...string) (stdout, stderr []byte, err error) {
	command := path[strings.LastIndex(path, "/")+1:] + " " + strings.Join(args, " ")
	f.asked = append(f.asked, command)
	file := f.files[command]
	if file == "" {
		return nil, []byte("usage"), errors.New("exit status 1")
	}
	if strings.HasPrefix(command, "sysadminctl") {
		return nil, sample(f.t, file), nil
	}
	return sample(f.t, file), nil, nil
}

func TestLook(t *testing.T) {
	f := &tools{t: t, files: map[string]string{
		"diskutil apfs listUsers / -plist":     "diskutil-13.plist",
		"profiles status -type bootstraptoken": "profiles-13-yes.txt",
		"fdesetup status":                      "fdesetup-on.txt",
		"fdesetup list":                        "fdesetup-list.txt",
		"sysadminctl -secureTokenStatus jane":  "sysadminctl-26-enabled.txt",
	}}
	m, err := Tokens(t.Context(), f)
	if err == nil {
		err = m.Disk(t.Context(), f)
	}
	want := &Mac{Holders: &[]Holder{{jane, true}}, Escrowed: new(true), FileVault: "FileVault is On.", Unlockers: &[]string{"mliebreich"}}
	if diff := cmp.Diff(want, m); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if told, err := Told(t.Context(), f, "jane"); err != nil || told == nil || !*told || m.Judge(jane, told) != Held {
		t.Errorf("%v, %v", told, err)
	}

	f.files, f.asked = map[string]string{"fdesetup status": "fdesetup-off.txt"}, nil
	m, err = Tokens(t.Context(), f)
	if diff := cmp.Diff(new(Mac), m); !errors.Is(err, errOutput) || diff != "" {
		t.Errorf("of tools that fail: %v\n%s", err, diff)
	}
	if err := m.Disk(t.Context(), f); err != nil || m.FileVault != "FileVault is Off." || slices.Contains(f.asked, "fdesetup list") {
		t.Errorf("%v, %+v, %q", err, m, f.asked)
	}
	if told, err := Told(t.Context(), f, "jane"); told != nil || !errors.Is(err, errOutput) {
		t.Errorf("%v, %v", told, err)
	}
}
