package accounts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// localNode is a directory node in memory that behaves as far as the sources in
// mac.go tell.
type localNode struct {
	users, groups []macRecord
	passwords     map[string]string
	broken        string          // the call that fails
	forgets       bool            // a new password takes away that an account is disabled
	looksFirst    bool            // at the password, and only then whether the account is disabled
	tokens        map[string]bool // by GeneratedUID
	escrowed      bool            // the MDM has a bootstrap token
	silent        string          // the tool that says nothing
	owners        map[string]int  // of homes, by the name of the folder
	checked       int             // how often a password was looked at

	calls int // so far
	dieAt int // the call at which the process is killed, before or after its effect
	after bool
	dead  bool
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
		passwords: make(map[string]string), tokens: make(map[string]bool), owners: make(map[string]int),
	}
}

// do is one call, which may fail, or be the last of the process.
func (l *localNode) do(call string, effect func()) error {
	if l.dead {
		return ErrKilled
	}
	if l.calls++; l.calls == l.dieAt {
		l.dead = true
		if l.after {
			effect()
		}
		return ErrKilled
	}
	if l.broken == call {
		return errBroken
	}
	effect()
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
	return copies, l.do("records", func() {})
}

func (l *localNode) create(name string, attributes macRecord) error {
	return l.do("create", func() {
		r := maps.Clone(attributes)
		r[attrName], r[attrGUID] = []string{name}, []string{fmt.Sprintf("00000000-0000-4000-8000-%012X", len(l.users))}
		l.users = append(l.users, r)
	})
}

func (l *localNode) find(name string) macRecord {
	i := slices.IndexFunc(l.users, func(r macRecord) bool { return strings.EqualFold(r.first(attrName), name) })
	return l.users[i]
}

func (l *localNode) set(name, attribute string, values []string) error {
	return l.do("set "+attribute, func() { l.find(name)[attribute] = slices.Clone(values) })
}

func (l *localNode) change(name, attribute string, add, remove []string) error {
	r := l.find(name)
	for _, v := range add {
		if err := l.do("change "+attribute, func() { r[attribute] = append(r[attribute], v) }); err != nil {
			return err
		}
	}
	for _, v := range remove {
		if err := l.do("change "+attribute, func() {
			r[attribute] = slices.DeleteFunc(r[attribute], func(has string) bool { return has == v })
		}); err != nil {
			return err
		}
	}
	return nil
}

// setPassword gives the Mac's first token, as macOS 11 and newer do.
func (l *localNode) setPassword(name string, password []byte) error {
	return l.do("password", func() {
		r := l.find(name)
		if !slices.ContainsFunc(r[attrAuthority], func(a string) bool { return strings.HasPrefix(a, hashAuthority) }) {
			r[attrAuthority] = append(r[attrAuthority], hashAuthority+"HASHLIST:<SALTED-SHA512-PBKDF2>")
		}
		if l.forgets {
			r[attrAuthority] = slices.DeleteFunc(r[attrAuthority], func(a string) bool { return a == disabledAuthority })
		}
		if !slices.Contains(r[attrAuthority], noTokenAuthority) && len(l.tokens) == 0 {
			l.tokens[r.first(attrGUID)] = true
		}
		l.passwords[name] = string(password)
	})
}

func (l *localNode) checkPassword(name string, password []byte) error {
	wrong := l.passwords[name] != string(password)
	l.checked++
	shut := l.find(name).isDisabled()
	number := 0
	switch {
	case wrong && (!shut || l.looksFirst):
		number = 5000
	case shut:
		number = 5301
	}
	if err := l.do("check", func() {}); err != nil || number == 0 {
		return err
	}
	return macError("asking for the password of", name, number, "No.")
}

func (l *localNode) changePassword(name string, old, password []byte) error {
	if l.passwords[name] != string(old) {
		return macError("changing the password of", name, 5000, "Credentials could not be verified, username or password is invalid.")
	}
	return l.do("change password", func() { l.passwords[name] = string(password) })
}

func (l *localNode) setMember(group, name string, member bool) error {
	i := slices.IndexFunc(l.groups, func(r macRecord) bool { return r.first(attrName) == group })
	g, guid := l.groups[i], l.find(name).first(attrGUID)
	for _, list := range []struct{ attribute, value string }{{attrMembers, name}, {attrMembersGUIDs, guid}} {
		if err := l.do("member", func() {
			g[list.attribute] = slices.DeleteFunc(slices.Clone(g[list.attribute]), func(v string) bool { return v == list.value })
			if member {
				g[list.attribute] = append(g[list.attribute], list.value)
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

func (l *localNode) deleteUser(name string) error {
	return l.do("delete", func() {
		gone := l.find(name).first(attrGUID)
		l.users = slices.DeleteFunc(l.users, func(r macRecord) bool { return r.first(attrGUID) == gone })
	})
}

// Run is macOS' tools, which say what the node knows.
func (l *localNode) Run(_ context.Context, _ []byte, path string, args ...string) (stdout, stderr []byte, err error) {
	tool := filepath.Base(path)
	if l.silent == tool {
		return nil, nil, errBroken
	}
	switch tool {
	case "diskutil":
		var users strings.Builder
		for _, id := range slices.Sorted(maps.Keys(l.tokens)) {
			fmt.Fprintf(&users, "<dict><key>APFSCryptoUserType</key><string>LocalOpenDirectory</string><key>APFSCryptoUserUUID</key><string>%s</string></dict>", id)
		}
		return []byte("<plist><dict><key>Users</key><array>" + users.String() + "</array></dict></plist>"), nil, nil
	case "sysadminctl":
		word := "DISABLED"
		if l.tokens[l.find(args[1]).first(attrGUID)] {
			word = "ENABLED"
		}
		return nil, []byte("Secure token is " + word + " for user " + args[1] + "\n"), nil
	case "profiles":
		word := "NO"
		if l.escrowed {
			word = "YES"
		}
		return []byte("profiles: Bootstrap Token escrowed to server: " + word + "\n"), nil, nil
	}
	return nil, nil, errBroken
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
		dir: l, homes: homes, tools: l,
		makeHome: func(_ context.Context, name string) error {
			var made error
			if err := l.do("home", func() { made = os.MkdirAll(filepath.Join(homes, name, "Library"), 0o700) }); err != nil {
				return err
			}
			return made
		},
		owner: func(info fs.FileInfo) (int, bool) {
			n, ok := l.owners[info.Name()]
			return n, ok
		},
	}, l
}

// For TestMacStore, which is outside the package.
func OpenMac(t *testing.T) (Store, func(name, password string) bool) {
	s, l := openMac(t)
	return s, l.canSignIn
}
