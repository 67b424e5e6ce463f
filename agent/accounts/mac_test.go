package accounts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// localNode is a directory node in memory that behaves as far as the sources in
// mac.go tell.
type localNode struct {
	users, groups []macRecord
	passwords     map[string]string
	broken        string // the call that fails
	forgets       bool   // a new password takes away that an account is disabled
}

var errBroken = errors.New("broken")

func newLocalNode() *localNode {
	return &localNode{
		users: []macRecord{
			{attrName: {"root"}, attrFullName: {"System Administrator"}, attrNumber: {"0"}, attrGUID: {"G-root"}},
			{attrName: {"_www", "www"}, attrFullName: {"World Wide Web Server"}, attrNumber: {"70"}, attrGUID: {"G-www"}},
			{attrName: {"_helper"}, attrFullName: {"Hidden Helper"}, attrNumber: {"600"}, attrGUID: {"G-helper"}},
			{attrName: {"nobody"}, attrNumber: {"-2"}},
		},
		groups: []macRecord{
			{attrName: {"admin", "BUILTIN\\Administrators"}, attrFullName: {"Administrators"}, attrMembers: {"root"}},
			{attrName: {"staff"}, attrFullName: {"Staff"}},
		},
		passwords: make(map[string]string),
	}
}

func (l *localNode) fail(call string) error {
	if l.broken == call {
		return errBroken
	}
	return nil
}

func (l *localNode) records(kind string) ([]macRecord, error) {
	source := l.users
	if kind == macGroups {
		source = l.groups
	}
	var copies []macRecord
	for _, r := range source {
		c := make(macRecord)
		for name, values := range r {
			c[name] = slices.Clone(values)
		}
		copies = append(copies, c)
	}
	return copies, l.fail("records")
}

func (l *localNode) create(name string, attributes macRecord) error {
	if err := l.fail("create"); err != nil {
		return err
	}
	r := maps.Clone(attributes)
	r[attrName], r[attrGUID] = []string{name}, []string{fmt.Sprintf("G-%d", len(l.users))}
	l.users = append(l.users, r)
	return nil
}

func (l *localNode) find(name string) macRecord {
	i := slices.IndexFunc(l.users, func(r macRecord) bool { return strings.EqualFold(r.first(attrName), name) })
	return l.users[i]
}

func (l *localNode) set(name, attribute string, values []string) error {
	if err := l.fail("set " + attribute); err != nil {
		return err
	}
	l.find(name)[attribute] = slices.Clone(values)
	return nil
}

func (l *localNode) setPassword(name string, password []byte) error {
	if err := l.fail("password"); err != nil {
		return err
	}
	r := l.find(name)
	if !slices.ContainsFunc(r[attrAuthority], func(a string) bool { return strings.HasPrefix(a, hashAuthority) }) {
		r[attrAuthority] = append(r[attrAuthority], hashAuthority+"HASHLIST:<SALTED-SHA512-PBKDF2>")
	}
	if l.forgets {
		r[attrAuthority] = r.enabledAuthority()
	}
	l.passwords[name] = string(password)
	return nil
}

func (l *localNode) setMember(group, name string, member bool) error {
	if err := l.fail("member"); err != nil {
		return err
	}
	i := slices.IndexFunc(l.groups, func(r macRecord) bool { return r.first(attrName) == group })
	g, guid := l.groups[i], l.find(name).first(attrGUID)
	without := func(values []string, gone string) []string {
		return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == gone })
	}
	g[attrMembers], g[attrMembersGUIDs] = without(g[attrMembers], name), without(g[attrMembersGUIDs], guid)
	if member {
		g[attrMembers], g[attrMembersGUIDs] = append(g[attrMembers], name), append(g[attrMembersGUIDs], guid)
	}
	return nil
}

func (l *localNode) deleteUser(name string) error {
	if err := l.fail("delete"); err != nil {
		return err
	}
	gone := l.find(name).first(attrGUID)
	l.users = slices.DeleteFunc(l.users, func(r macRecord) bool { return r.first(attrGUID) == gone })
	return nil
}

// canSignIn is how the login window would judge.
func (l *localNode) canSignIn(name, password string) bool {
	i := slices.IndexFunc(l.users, func(r macRecord) bool { return r.first(attrName) == name })
	return i >= 0 && !l.users[i].isDisabled() && l.passwords[name] == password
}

func jane() New {
	return New{Name: "jane", FullName: "Jane Doe", Password: []byte("correct horse"), Tag: "T-1"}
}

func openMac(t *testing.T) (macStore, *localNode) {
	t.Helper()
	l, homes := newLocalNode(), t.TempDir()
	return macStore{
		dir: l, homes: homes,
		makeHome: func(_ context.Context, name string) error {
			if err := l.fail("home"); err != nil {
				return err
			}
			return os.MkdirAll(filepath.Join(homes, name, "Library"), 0o700)
		},
		secureToken: func(context.Context, string) *bool { return new(false) },
	}, l
}

func TestMacAccountInTheRecords(t *testing.T) {
	s, l := openMac(t)
	n := jane()
	n.Administrator = true
	if _, err := s.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	want := macRecord{
		attrName: {"jane"}, attrFullName: {"Jane Doe"}, attrNumber: {"601"}, attrGroup: {"20"}, attrShell: {"/bin/zsh"},
		attrHome: {s.home("jane")}, attrGUID: {"G-4"}, attrMark: {"firstday/T-1/unused"},
		attrAuthority: {";ShadowHash;HASHLIST:<SALTED-SHA512-PBKDF2>", ";DisabledUser;"},
	}
	if diff := cmp.Diff(want, l.find("jane")); diff != "" {
		t.Error(diff)
	}
	if err := s.Enable(t.Context(), "jane"); err != nil {
		t.Fatal(err)
	}
	want[attrMark], want[attrAuthority] = []string{"firstday/T-1"}, want[attrAuthority][:1]
	if diff := cmp.Diff(want, l.find("jane")); diff != "" {
		t.Error(diff)
	}
}

// A failing call is taken back, and a kill there leaves what Remove removes.
func TestMacCreateTakesBack(t *testing.T) {
	for _, call := range []string{"create", "password", "set " + attrAuthority, "member", "home"} {
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

	// Killed right after the record was made, and after the password.
	for _, password := range []bool{false, true} {
		s, l := openMac(t)
		if err := l.create("jane", macRecord{attrMark: {mark("T-1", true)}, attrNumber: {"601"}, attrHome: {s.home("jane")}}); err != nil {
			t.Fatal(err)
		}
		if password {
			if err := l.setPassword("jane", []byte("x")); err != nil {
				t.Fatal(err)
			}
		} else if err := s.Enable(t.Context(), "jane"); !errors.Is(err, ErrPassword) {
			t.Errorf("enabled without a password: %v", err)
		}
		if a, err := s.Find(t.Context(), "jane"); err != nil || a.Tag != "T-1" || !a.Unused {
			t.Errorf("left %+v, %v", a, err)
		}
		if err := s.Remove(t.Context(), "jane"); err != nil {
			t.Error(err)
		}
	}
}

func TestMacNamesInTheWay(t *testing.T) {
	s, l := openMac(t)
	l.users = append(l.users, macRecord{attrName: {"jdoe", "jane"}, attrFullName: {"Joe"}, attrNumber: {"501"}, attrGUID: {"G-x"}})
	if err := os.Mkdir(s.home("ann"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"www", "jane", "joe", "staff", "administrators", "ann"} {
		n := jane()
		n.Name = name
		if _, err := s.Create(t.Context(), n); !errors.Is(err, ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Disable(t.Context(), "jane"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an alias was disabled: %v", err)
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

// For TestMacStore, which is outside the package.
func OpenMac(t *testing.T) (Store, func(name, password string) bool) {
	s, l := openMac(t)
	return s, l.canSignIn
}
