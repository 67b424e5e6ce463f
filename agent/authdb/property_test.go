package authdb

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// lists is how many random lists each property is tried on.
const lists = 100_000

// others are mechanisms that leave the window alone.
var others = []string{
	"Crypt:Check,privileged", "Crypt:CryptGUI", "Crypt:Enablement,privileged",
	"Escrow Buddy:Invoke,privileged",
	"XCredsLoginPlugin:PowerControl,privileged", "XCredsLoginPlugin:KeychainAdd,privileged", "XCredsLoginPlugin:LoginDone",
	"JamfConnectLogin:Notify", "JamfConnectLogin:RunScript,privileged",
	"NoMADLoginAD:EULA", "NoMADLoginAD:CreateUser,privileged",
	"builtin:smartcard-sniffer,privileged",
	"Acme & Söhne:check", "FirstdayLoginHelper:login", "loginwindow:login,privileged",
}

// escaper does what macOS does.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// source makes random lists.
type source struct {
	*rand.Rand
	base *Definition
}

func newSource(t *testing.T, seed uint64) source {
	t.Helper()
	return source{rand.New(rand.NewPCG(seed, 0)), parseFile(t, "macos-14-crypt.plist")}
}

func (s source) pick(list []string) string { return list[s.IntN(len(list))] }

func (s source) insert(list []string, m string) []string {
	return slices.Insert(list, s.IntN(len(list)+1), m)
}

// whole is a list of Apple's, with mechanisms of others anywhere.
func (s source) whole() []string {
	apple, _, _ := appleList([]int{12, 13, 14, 15, 26, 27}[s.IntN(6)])
	list := slices.Clone(apple)
	for range s.IntN(7) {
		list = s.insert(list, s.pick(others))
	}
	return list
}

// broken is a list to which anything may have happened.
func (s source) broken() []string {
	list := s.whole()
	if s.IntN(2) == 0 {
		i := slices.Index(list, AppleUI)
		list = slices.Replace(list, i, i+1, UI, Guard)
	}
	for range s.IntN(5) {
		switch i := s.IntN(len(list)); s.IntN(6) {
		case 0:
			list = slices.Delete(list, i, i+1)
		case 1:
			list = s.insert(list, list[i])
		case 2:
			m := list[i]
			list = s.insert(slices.Delete(list, i, i+1), m)
		case 3:
			list = s.insert(list, s.pick([]string{UI, Guard, AppleUI, plugin + ":login,privileged", strings.ToLower(UI)}))
		case 4:
			list = s.insert(list, s.pick(windows))
		default:
			list = s.insert(list, s.pick(others))
		}
	}
	return list
}

// define gives a definition with a list, as macOS would write it.
func (s source) define(t *testing.T, list []string) *Definition {
	t.Helper()
	var items []item
	for _, m := range list {
		items = append(items, item{mechanism: m, lead: "\n\t\t", text: element(escaper.Replace(m))})
	}
	d := s.base.with(items)
	if s.IntN(50) > 0 {
		return d
	}
	parsed, err := Parse(d.Bytes())
	if err != nil || !slices.Equal(parsed.Mechanisms(), list) {
		t.Fatalf("%v, %q of %q", err, parsed.Mechanisms(), list)
	}
	return parsed
}

// theirs are the mechanisms that are neither ours nor Apple's window.
func theirs(d *Definition) []string {
	return slices.DeleteFunc(d.Mechanisms(), func(m string) bool { return isOurs(m) || m == AppleUI })
}

// around is the text without the list.
func around(d *Definition) string { return string(d.text[:d.from]) + string(d.text[d.to:]) }

func TestEnableThenDisableGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	s := newSource(t, 1)
	for range lists {
		before := s.define(t, s.whole())
		enabled, err := before.Enable()
		if err != nil {
			t.Fatalf("%q: %v", before.Mechanisms(), err)
		}
		list := enabled.Mechanisms()
		i := slices.Index(before.Mechanisms(), AppleUI)
		if want := slices.Replace(before.Mechanisms(), i, i+1, UI, Guard); !slices.Equal(list, want) {
			t.Fatalf("%q became %q", before.Mechanisms(), list)
		}
		if v := enabled.Judge(); v.State != Ours || v.Window != UI || !v.NeedsBundle || len(v.Faults) > 0 {
			t.Fatalf("%q: %+v", list, v)
		}
		if again, err := enabled.Enable(); err != nil || !bytes.Equal(again.Bytes(), enabled.Bytes()) {
			t.Fatalf("%q: a second time: %v, %q", list, err, again.Mechanisms())
		}
		if after := enabled.Disable(); !bytes.Equal(after.Bytes(), before.Bytes()) {
			t.Fatalf("%q came back as %q", before.Mechanisms(), after.Mechanisms())
		}
		for name, d := range map[string]*Definition{"Apple's": before, "ours": enabled} {
			if r, err := d.Repair(); err != nil || !bytes.Equal(r.Bytes(), d.Bytes()) {
				t.Fatalf("repairing %s, %q: %v", name, d.Mechanisms(), err)
			}
		}
	}
}

func TestNothingIsLeftHalf(t *testing.T) {
	t.Parallel()
	s := newSource(t, 2)
	count := map[string]int{}
	for range lists {
		before := s.define(t, s.broken())
		list, v := before.Mechanisms(), before.Judge()
		count[string(v.State)]++
		check := func(what string, after *Definition) Verdict {
			if !slices.Equal(theirs(after), theirs(before)) || around(after) != around(before) {
				t.Fatalf("%s of %q lost what is others': %q", what, list, after.Mechanisms())
			}
			return after.Judge()
		}

		off := before.Disable()
		switch w := check("Disable", off); {
		case w.NeedsBundle || slices.ContainsFunc(off.Mechanisms(), isOurs):
			t.Fatalf("Disable of %q left %q", list, off.Mechanisms())
		case !v.NeedsBundle && off != before:
			t.Fatalf("Disable changed %q, where nothing is ours", list)
		case v.State == Ours && w.State != Apple:
			t.Fatalf("Disable of %q: %+v", list, w)
		case v.NeedsBundle && v.State != Foreign && windowsOf(off) != 1:
			t.Fatalf("Disable of %q left %d windows: %q", list, windowsOf(off), off.Mechanisms())
		case off.Disable() != off:
			t.Fatalf("Disable of %q is not done after once", list)
		}

		repaired, err := before.Repair()
		switch {
		case err == nil:
			w := check("Repair", repaired)
			if w.State != Apple && w.State != Ours || w.State == Ours && repaired != before {
				t.Fatalf("Repair of %q: %+v", list, w)
			}
			if again, err := repaired.Repair(); err != nil || again != repaired {
				t.Fatalf("Repair of %q is not done after once: %v", list, err)
			}
			count["repaired"]++
		case v.State == Foreign && errors.Is(err, ErrForeign):
		case v.State == Damaged && errors.Is(err, ErrDamaged):
			count["refused"]++
		default:
			t.Fatalf("Repair of %q, %+v: %v", list, v, err)
		}

		switch enabled, err := before.Enable(); {
		case err == nil:
			if w := check("Enable", enabled); w.State != Ours || v.State != Apple && v.State != Ours {
				t.Fatalf("Enable of %q: %+v", list, w)
			}
		case !errors.Is(err, ErrForeign) && !errors.Is(err, ErrDamaged):
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"apple", "ours", "foreign", "damaged", "repaired", "refused"} {
		if count[kind] < lists/100 {
			t.Errorf("only %d lists of %d are %s: %v", count[kind], lists, kind, count)
		}
	}
}

func windowsOf(d *Definition) (n int) {
	for _, m := range d.Mechanisms() {
		if m == AppleUI || m == UI {
			n++
		}
	}
	return n
}

func TestRepairFindsThePlaceAgain(t *testing.T) {
	s := newSource(t, 3)
	for range 1000 {
		want := s.define(t, s.whole())
		enabled, err := want.Enable()
		if err != nil {
			t.Fatal(err)
		}
		for _, damage := range []func([]string) []string{
			func(l []string) []string { return slices.DeleteFunc(l, func(m string) bool { return m == UI }) },
			func(l []string) []string { return slices.DeleteFunc(l, func(m string) bool { return m == Guard }) },
			func(l []string) []string { return slices.Insert(l, slices.Index(l, UI), UI) },
			func(l []string) []string { return append(l, Guard) },
			func(l []string) []string { return append(l, AppleUI) },
			func(l []string) []string { return append(l, fmt.Sprintf("%s:later%d", plugin, s.IntN(10))) },
		} {
			broken := s.define(t, damage(enabled.Mechanisms()))
			got, err := broken.Repair()
			if err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Fatalf("%q: %v; want %q", broken.Mechanisms(), err, want.Mechanisms())
			}
		}
	}
}
