package accounts

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/api"
	"firstday.dev/internal/statefile"
	"github.com/google/go-cmp/cmp"
)

// pretendWindows is a Windows as far as our own account needs one.
type pretendWindows struct {
	Users   map[string]pretendUser // by name
	Rights  map[string]bool        // SIDs
	Hidden  map[string]bool        // names
	Homes   map[string]bool        // SIDs
	next    int
	calls   []string
	failing string // the call that fails
	dies    bool   // or, after which the process dies
}

type pretendUser struct{ SID, Password, Comment string }

var errPretend = errors.New("what the test has Windows refuse")

func newPretendWindows() *pretendWindows {
	return &pretendWindows{Users: map[string]pretendUser{}, Rights: map[string]bool{}, Hidden: map[string]bool{}, Homes: map[string]bool{}, next: 1000}
}

// call notes a call, and fails or dies where it should.
func (w *pretendWindows) call(name string) error {
	w.calls = append(w.calls, name)
	if w.failing == name && !w.dies {
		return errPretend
	}
	return nil
}

// died ends the process, after the call has done what it does.
func (w *pretendWindows) died(name string) {
	if w.failing == name && w.dies {
		w.failing = ""
		panic(errPretend)
	}
}

func (w *pretendWindows) holder(name string) (string, string, error) {
	for n, u := range w.Users {
		if strings.EqualFold(n, name) {
			return u.SID, u.Comment, nil
		}
	}
	return "", "", notFound(name)
}

func (w *pretendWindows) named(sid string) (string, error) {
	for name, u := range w.Users {
		if u.SID == sid {
			return name, nil
		}
	}
	return "", notFound(sid)
}

func (w *pretendWindows) add(name string, password []byte, comment string) error {
	if err := w.call("add"); err != nil {
		return err
	}
	w.next++
	w.Users[name] = pretendUser{fmt.Sprintf("S-1-5-21-1-2-3-%d", w.next), string(password), comment}
	w.died("add")
	return nil
}

func (w *pretendWindows) setPassword(name string, password []byte) error {
	if err := w.call("setPassword"); err != nil {
		return err
	}
	u, there := w.Users[name]
	if !there {
		return notFound(name)
	}
	u.Password = string(password)
	w.Users[name] = u
	return nil
}

func (w *pretendWindows) remove(name string) error {
	if err := w.call("remove"); err != nil {
		return err
	}
	if _, there := w.Users[name]; !there {
		return notFound(name)
	}
	delete(w.Users, name)
	w.died("remove")
	return nil
}

func (w *pretendWindows) set(call string, in map[string]bool, key string, to bool) error {
	if err := w.call(call); err != nil {
		return err
	}
	if to {
		in[key] = true
	} else {
		delete(in, key)
	}
	w.died(call)
	return nil
}

func (w *pretendWindows) restrict(sid string) error { return w.set("restrict", w.Rights, sid, true) }
func (w *pretendWindows) release(sid string) error  { return w.set("release", w.Rights, sid, false) }
func (w *pretendWindows) hide(name string) error    { return w.set("hide", w.Hidden, name, true) }
func (w *pretendWindows) show(name string) error    { return w.set("show", w.Hidden, name, false) }
func (w *pretendWindows) removeProfile(sid string) error {
	return w.set("removeProfile", w.Homes, sid, false)
}

// start gives the account as a service sees it that starts now.
func (w *pretendWindows) start(t *testing.T, file string) *Own {
	t.Helper()
	return &Own{Name: OwnName, File: file, system: w}
}

// survive runs what may end the process.
func survive(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errPretend
		}
	}()
	return f()
}

const personSID = "S-1-5-21-1-2-3-500"

// withPerson gives a Windows where somebody has the name.
func withPerson(name string) *pretendWindows {
	w := newPretendWindows()
	w.Users[name] = pretendUser{personSID, "theirs", "a person"}
	w.Hidden[name] = true // their choice
	return w
}

func TestOwnAccount(t *testing.T) {
	w, file := newPretendWindows(), filepath.Join(t.TempDir(), "own.json")
	o := w.start(t, file)
	if err := o.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	u := w.Users[OwnName]
	if u.Password != string(o.password) || len(u.Password) < 60 || !w.Rights[u.SID] || !w.Hidden[OwnName] || len(w.Users) != 1 || !isOwn(OwnName, u.Comment) {
		t.Errorf("%+v", w)
	}
	// Once is enough, until the service starts again: then it has another password.
	w.calls = nil
	if err := o.ready(t.Context()); err != nil || w.calls != nil {
		t.Errorf("%v after %v", w.calls, err)
	}
	if err := w.start(t, file).ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := w.Users[OwnName]
	if again.SID != u.SID || again.Password == u.Password || len(w.Users) != 1 {
		t.Errorf("%+v, before %+v", again, u)
	}
	kept, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(kept), again.Password) || !strings.Contains(string(kept), u.SID) {
		t.Errorf("kept: %s, %v", kept, err)
	}
	if err := o.Remove(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(newPretendWindows(), w, cmp.Comparer(func(a, b *pretendWindows) bool {
		return cmp.Equal([]any{a.Users, a.Rights, a.Hidden, a.Homes}, []any{b.Users, b.Rights, b.Hidden, b.Homes})
	})); diff != "" {
		t.Errorf("after Remove (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the record: %v", err)
	}
	if err := o.Remove(); err != nil {
		t.Errorf("again: %v", err)
	}
}

// Somebody else's account of the name is nothing to us: it is not used, changed,
// hidden, shown or removed.
func TestOwnAccountLeavesOthersAlone(t *testing.T) {
	for name, record := range map[string]*ownRecord{
		"nothing kept":     nil,
		"another is ours":  {Tag: "T", SID: "S-1-5-21-1-2-3-1001"},
		"one never made":   {Tag: "T"},
		"a person's words": {Tag: "a person"},
	} {
		t.Run(name, func(t *testing.T) {
			w, file := withPerson("firstdaySIGNIN"), filepath.Join(t.TempDir(), "own.json")
			if record != nil {
				if err := statefile.Write(file, record); err != nil {
					t.Fatal(err)
				}
			}
			o := w.start(t, file)
			if err := o.ready(t.Context()); !errors.Is(err, ErrExists) {
				t.Errorf("ready: %v", err)
			}
			if err := o.Remove(); err != nil {
				t.Errorf("Remove: %v", err)
			}
			want := withPerson("firstdaySIGNIN")
			if diff := cmp.Diff([]any{want.Users, want.Hidden}, []any{w.Users, w.Hidden}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever the service dies of, the next one has the account, and only one.
func TestOwnAccountSurvivesTheService(t *testing.T) {
	for _, after := range []string{"add", "restrict", "hide"} {
		t.Run(after, func(t *testing.T) {
			w, file := newPretendWindows(), filepath.Join(t.TempDir(), "own.json")
			w.failing, w.dies = after, true
			if err := survive(func() error { return w.start(t, file).ready(t.Context()) }); err == nil {
				t.Fatal("it did not die")
			}
			if err := w.start(t, file).ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			if u := w.Users[OwnName]; len(w.Users) != 1 || !w.Rights[u.SID] || !w.Hidden[OwnName] {
				t.Errorf("%+v", w)
			}
		})
	}
}

// So does its removal, and one that Windows refuses.
func TestOwnAccountIsRemovedInTheEnd(t *testing.T) {
	for _, at := range []string{"remove", "release", "removeProfile", "show"} {
		for _, dies := range []bool{true, false} {
			t.Run(fmt.Sprint(at, dies), func(t *testing.T) {
				w, file := newPretendWindows(), filepath.Join(t.TempDir(), "own.json")
				if err := w.start(t, file).ready(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.Homes[w.Users[OwnName].SID] = true
				w.failing, w.dies = at, dies
				if err := survive(w.start(t, file).Remove); err == nil {
					t.Fatal("it did not fail")
				}
				w.failing = ""
				if err := w.start(t, file).Remove(); err != nil {
					t.Fatal(err)
				}
				if len(w.Users)+len(w.Rights)+len(w.Hidden)+len(w.Homes) != 0 {
					t.Errorf("%+v is left", w)
				}
			})
		}
	}
}

func TestOwnAccountThatIsRefused(t *testing.T) {
	for _, at := range []string{"add", "restrict", "hide", "setPassword"} {
		w, file := newPretendWindows(), filepath.Join(t.TempDir(), "own.json")
		w.failing = at
		o := w.start(t, file)
		if err := o.ready(t.Context()); !errors.Is(err, errPretend) || o.password != nil {
			t.Errorf("%s: %v", at, err)
		}
		w.failing = ""
		if err := o.ready(t.Context()); err != nil {
			t.Errorf("after %s: %v", at, err)
		}
	}
}

// An administrator may rename or remove the account.
func TestOwnAccountThatOthersChanged(t *testing.T) {
	w, file := newPretendWindows(), filepath.Join(t.TempDir(), "own.json")
	if err := w.start(t, file).ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Users["renamed"] = w.Users[OwnName]
	delete(w.Users, OwnName)
	o := w.start(t, file)
	if err := o.ready(t.Context()); err != nil || o.name != "renamed" || len(w.Users) != 1 {
		t.Errorf("renamed: %v, %+v", err, w)
	}
	delete(w.Users, "renamed")
	if err := w.start(t, file).ready(t.Context()); err != nil || w.Users[OwnName].Password == "" {
		t.Errorf("removed: %v, %+v", err, w)
	}
	// From an image, with other SIDs.
	u := w.Users[OwnName]
	u.SID = "S-1-5-21-4-5-6-1002"
	w.Users[OwnName] = u
	if err := w.start(t, file).ready(t.Context()); err != nil || !w.Rights[u.SID] || len(w.Users) != 1 {
		t.Errorf("from an image: %v, %+v", err, w)
	}
}

// A record that cannot be read is no reason to make another account, or to leave
// one behind, or to refuse to be removed.
// An administrator has deleted the data folder; the other account is not touched.
func TestOwnAccountWithoutARecord(t *testing.T) {
	w := newPretendWindows()
	for _, name := range []string{OwnName, PagesName} {
		o := w.start(t, filepath.Join(t.TempDir(), "own.json"))
		o.Name = name
		if err := o.ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	o := w.start(t, filepath.Join(t.TempDir(), "own.json"))
	o.Name = PagesName
	if err := o.ready(t.Context()); !errors.Is(err, ErrExists) {
		t.Errorf("ready without a record: %v", err)
	}
	if err := o.Remove(); err != nil {
		t.Error(err)
	}
	if _, there := w.Users[OwnName]; !there || len(w.Users) != 1 {
		t.Errorf("left are %+v", w.Users)
	}
	if len(w.Rights) != 1 || len(w.Hidden) != 1 {
		t.Errorf("left are %+v and %+v", w.Rights, w.Hidden)
	}
}

func TestOwnAccountOfADamagedRecord(t *testing.T) {
	person := pretendUser{"S-1-5-21-1-2-3-1007", "theirs", "a person's"}
	for name, c := range map[string]struct{ has, left map[string]pretendUser }{
		"ours":            {nil, map[string]pretendUser{}},
		"nobody":          {map[string]pretendUser{}, map[string]pretendUser{}},
		"somebody else's": {map[string]pretendUser{OwnName: person}, map[string]pretendUser{OwnName: person}},
	} {
		w, file := newPretendWindows(), filepath.Join(t.TempDir(), "own.json")
		if err := w.start(t, file).ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c.has != nil {
			w.Users, w.Rights, w.Hidden = maps.Clone(c.has), map[string]bool{}, map[string]bool{}
		}
		users := len(w.Users)
		if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		o := w.start(t, file)
		if err := o.ready(t.Context()); err == nil || len(w.Users) != users {
			t.Errorf("%s: %v, %+v", name, err, w.Users)
		}
		if err := o.Remove(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.left, w.Users); diff != "" || len(w.Rights)+len(w.Hidden) != 0 {
			t.Errorf("%s (-want +got):\n%s\n%+v", name, diff, w)
		}
		if _, err := os.Lstat(file); err == nil {
			t.Errorf("%s: the record is left", name)
		}
	}
}

func TestNobodyIsCalledLikeOurAccount(t *testing.T) {
	for _, name := range []string{OwnName, strings.ToLower(OwnName), strings.ToUpper(OwnName), PagesName, strings.ToLower(PagesName)} {
		if err := CheckName(api.Windows, name); !errors.Is(err, ErrName) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NameFor(api.Windows, "{local}", User{Email: "FirstdaySignIn@acme.example"}); !errors.Is(err, ErrName) {
		t.Error(err)
	}
	for _, p := range []platform{macPlatform, linuxPlatform} {
		if err := p.checkName(strings.ToLower(OwnName)); err != nil {
			t.Error(err)
		}
	}
	if len(OwnName) > windowsPlatform.maxName || len(PagesName) > windowsPlatform.maxName {
		t.Errorf("%d and %d characters", len(OwnName), len(PagesName))
	}
}

func TestOwnAccountIsNobodys(t *testing.T) {
	for _, test := range []struct {
		name, comment string
		want          bool
	}{
		{OwnName, ownComment("X"), true},
		{"FIRSTDAYSIGNIN", ownComment(""), true},
		{PagesName, ownComment("X"), true},
		{OwnName, "", false},
		{OwnName, "a person", false},
		{"jane", ownComment("X"), false},
	} {
		if got := isOwn(test.name, test.comment); got != test.want {
			t.Errorf("%s, %q: %v", test.name, test.comment, got)
		}
	}
}

func TestOwnAccountInAGroup(t *testing.T) {
	ordinary := []string{
		"S-1-5-21-1-2-3-513", "S-1-1-0", "S-1-5-113", "S-1-5-32-545", "S-1-5-3", "S-1-2-1", "S-1-5-11", "S-1-5-15", "S-1-5-5-0-77", "S-1-5-64-10", "S-1-16-8192",
	}
	if err := checkOwnGroups(ordinary); err != nil {
		t.Error(err)
	}
	for _, more := range []string{"S-1-5-32-544", "S-1-5-32-547", "S-1-5-32-551", "S-1-5-32-555", "S-1-5-32-578"} {
		if err := checkOwnGroups(append(ordinary, more)); !errors.Is(err, errInGroup) || !strings.Contains(err.Error(), more) {
			t.Errorf("%s: %v", more, err)
		}
	}
}
