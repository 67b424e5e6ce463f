package accounts

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMacAccountInTheRecords(t *testing.T) {
	s, l := openMac(t)
	n := jane()
	n.Administrator = true
	if _, err := s.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	want := macRecord{
		attrName: {"jane"}, attrFullName: {"Jane Doe"}, attrNumber: {"601"}, attrGroup: {"20"}, attrShell: {"/bin/zsh"},
		attrHome: {s.home("jane")}, attrGUID: {"00000000-0000-4000-8000-000000000004"}, attrMark: {"firstday/T-1/unused"},
		attrAuthority: {";DisabledTags;SecureToken", ";ShadowHash;HASHLIST:<SALTED-SHA512-PBKDF2>", ";DisabledUser;"},
	}
	for _, own := range []string{"passwd", "hint", "picture", "jpegphoto", "AvatarRepresentation", "UserCertificate", "unlockOptions", "inputSources"} {
		want["dsAttrTypeNative:_writers_"+own] = []string{"jane"}
	}
	if diff := cmp.Diff(want, l.find("jane")); diff != "" {
		t.Error(diff)
	}
	if err := s.Enable(t.Context(), "jane"); err != nil {
		t.Fatal(err)
	}
	want[attrMark], want[attrAuthority] = []string{"firstday/T-1"}, want[attrAuthority][1:2]
	if diff := cmp.Diff(want, l.find("jane")); diff != "" {
		t.Error(diff)
	}
}

// A failing call is taken back, and a kill there leaves what Remove removes.
func TestMacCreateTakesBack(t *testing.T) {
	for _, call := range []string{"create", "password", "change " + attrAuthority, "member", "home"} {
		s, l := openMac(t)
		n := jane()
		n.Administrator = true
		l.broken = call
		if _, err := s.Create(t.Context(), n); !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", call, err)
		}
		l.broken = ""
		if diff := cmp.Diff(newLocalNode().users, l.users); diff != "" {
			t.Errorf("%s left:\n%s", call, diff)
		}
		if entries, err := os.ReadDir(s.homes); err != nil || len(entries) > 0 {
			t.Errorf("%s left %v, %v", call, entries, err)
		}
		if members := l.groups[0][attrMembers]; !slices.Equal(members, []string{"root"}) {
			t.Errorf("%s left %v", call, members)
		}
	}
}

// The login window takes full names for names.
func TestMacFullNameOfAnother(t *testing.T) {
	s, l := openMac(t)
	l.users = append(l.users, macRecord{attrName: {"jdoe"}, attrFullName: {"jane DOE"}, attrNumber: {"501"}, attrGUID: {"G-x"}})
	a, err := s.Create(t.Context(), jane())
	if err != nil || a.FullName != "Jane Doe (jane)" {
		t.Fatalf("%+v, %v", a, err)
	}
	for full, want := range map[string]string{"Jane Smith": "Jane Smith", "JDOE": "JDOE (jane)", "root": "root (jane)", "jane": "", "": "", "Jane Doe": "Jane Doe (jane)"} {
		if err := s.SetFullName(t.Context(), "jane", full); err != nil {
			t.Fatal(err)
		}
		if a, err := s.Find(t.Context(), "jane"); err != nil || a.FullName != want {
			t.Errorf("%s: %+v, %v", full, a, err)
		}
	}
}

// createhomedir may leave a home to root.
func TestMacHomeOfAnother(t *testing.T) {
	s, l := openMac(t)
	l.owners["jane"] = 0
	if _, err := s.Create(t.Context(), jane()); err == nil {
		t.Error("made")
	}
	clean(t, "a home of root's", s, l)
	l.owners["jane"] = 601
	if _, err := s.Create(t.Context(), jane()); err != nil {
		t.Error(err)
	}
}

func TestMacNamesInTheWay(t *testing.T) {
	s, l := openMac(t)
	l.users = append(l.users,
		macRecord{attrName: {"jdoe", "JANE"}, attrFullName: {" Joe "}, attrNumber: {"501"}, attrGUID: {"G-x"}},
		macRecord{attrName: {"x1"}, attrFullName: {"\uff2b\uff49\uff4d"}}, // Kim, in wide letters
		macRecord{attrName: {"x2"}, attrFullName: {"ma\u017f\u017f"}})     // mass, with long s
	for _, dir := range []string{"Ann", "bob (Deleted)", deletedHomes + "/Carl.dmg", deletedHomes + "/dora"} {
		if err := os.MkdirAll(s.home(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"www", "jane", "joe", "staff", "administrators", "ann", "bob", "carl", "dora", "kim", "mass"} {
		n := jane()
		n.Name = name
		if _, err := s.Create(t.Context(), n); !errors.Is(err, ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Disable(t.Context(), "jane"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an alias was disabled: %v", err)
	}
	n := jane()
	n.Name = "carla"
	if _, err := s.Create(t.Context(), n); err != nil {
		t.Error(err)
	}
}

// Nobody gets the files of who had the number before.
func TestMacNumbers(t *testing.T) {
	for name, test := range map[string]struct {
		taken  []string
		owners map[string]int
		want   string
	}{
		"the first":             {nil, nil, "601"}, // after that of a helper
		"numbers as text":       {[]string{" 700 ", "+701", "0702", "1e9", "seven", "", "-2", "99999999999999999999", "4294967294"}, nil, "703"},
		"two numbers":           {[]string{"801\x00802"}, nil, "803"},
		"of who is gone":        {nil, map[string]int{"old": 900, "Deleted Users": 0}, "901"},
		"of who came from away": {[]string{"1234567890"}, map[string]int{"ad": 1234567890}, "601"},
		"a gap":                 {[]string{"60000", "501", "502", "504"}, map[string]int{"old": 503}, "505"},
		"below the last":        {[]string{"59999"}, nil, "60000"},
	} {
		t.Run(name, func(t *testing.T) {
			s, l := openMac(t)
			for _, numbers := range test.taken {
				l.users = append(l.users, macRecord{attrName: {"x" + numbers}, attrNumber: strings.Split(numbers, "\x00")})
			}
			for dir := range test.owners {
				if err := os.Mkdir(s.home(dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			l.owners = test.owners
			if _, err := s.Create(t.Context(), jane()); err != nil || l.find("jane").first(attrNumber) != test.want {
				t.Errorf("%v, %v, want %s", l.find("jane"), err, test.want)
			}
		})
	}
	used := make(map[int]bool)
	for n := firstPersonOfMac; n <= lastPersonOfMac; n++ {
		used[n] = true
	}
	if n, err := freeNumber(used); !errors.Is(err, errNumbers) {
		t.Errorf("%s, %v", n, err)
	}
}

func TestMacDisabledAuthority(t *testing.T) {
	for _, c := range []struct {
		authority, enabled []string
		disabled           bool
	}{
		{nil, nil, false},
		{[]string{";ShadowHash;"}, []string{";ShadowHash;"}, false},
		{[]string{";ShadowHash;", ";DisabledUser;"}, []string{";ShadowHash;"}, true},
		{[]string{";DisabledUser;;ShadowHash;x", ";SecureToken;"}, []string{";ShadowHash;x", ";SecureToken;"}, true}, // as pwpolicy wrote
		{[]string{";DisabledUser;"}, nil, true},
		{[]string{";DisabledTags;SecureToken"}, []string{";DisabledTags;SecureToken"}, false}, // somebody else's wish
	} {
		r := macRecord{attrAuthority: c.authority}
		if r.isDisabled() != c.disabled || !slices.Equal(r.enabledAuthority(), c.enabled) {
			t.Errorf("%q: %v, %q", c.authority, r.isDisabled(), r.enabledAuthority())
		}
	}
}

func TestMacPasswordDoesNotEnable(t *testing.T) {
	s, l := openMac(t)
	if _, err := s.Create(t.Context(), jane()); err != nil {
		t.Fatal(err)
	}
	l.forgets = true
	if err := s.SetPassword(t.Context(), "jane", []byte("another horse")); err != nil {
		t.Fatal(err)
	}
	if l.canSignIn("jane", "another horse") {
		t.Error("the account is open")
	}
}
