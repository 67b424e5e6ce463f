package accounts

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// hostile has what no Mac should have, and 10,000 users.
func hostile(l *localNode) {
	huge := strings.Repeat("\u017f", 1<<20)
	l.users = append(l.users,
		macRecord{},
		macRecord{attrNumber: {"502"}},
		macRecord{attrName: {""}, attrNumber: {"503"}, attrFullName: {""}},
		macRecord{attrName: {huge}, attrNumber: {"504"}, attrFullName: {huge}},
		macRecord{attrName: {"bad\xff"}, attrNumber: {"505"}},
		macRecord{attrName: {"two\nlines"}, attrNumber: {"506"}},
		macRecord{attrName: {"text"}, attrNumber: {"five hundred"}},
		macRecord{attrName: {"much"}, attrNumber: {huge}},
		macRecord{attrName: {"none"}, attrNumber: {}},
		macRecord{attrName: {"aliased", huge, "\xff"}, attrNumber: {"507"}, attrAuthority: {huge, ";DisabledUser;"}},
	)
	l.groups = append(l.groups, macRecord{}, macRecord{attrName: {huge}})
	for i := range 10000 {
		l.users = append(l.users, macRecord{attrName: {fmt.Sprintf("u%d", i)}, attrNumber: {fmt.Sprint(1000 + i)}, attrGUID: {fmt.Sprintf("U-%d", i)}})
	}
}

func TestMacOfHostileRecords(t *testing.T) {
	s, l := openMac(t)
	hostile(l)
	people, err := s.List(t.Context())
	if err != nil || len(people) != 10001 || people[0].Name != "aliased" || !people[0].Disabled {
		t.Errorf("%d people, %v", len(people), err)
	}
	a, err := s.Create(t.Context(), jane())
	if err != nil || l.find("jane").first(attrNumber) != "11000" || a.FullName != "Jane Doe" {
		t.Errorf("%+v, %v", a, err)
	}
	for _, name := range []string{"", "\xff", strings.Repeat("x", 1<<20)} {
		if a, err := s.Find(t.Context(), name); err == nil || len(err.Error()) > 500 {
			t.Errorf("found %+v, %v", a, err)
		}
	}
}

func TestMacHiddenPeople(t *testing.T) {
	s, l := openMac(t)
	for i, r := range []macRecord{
		{attrHidden: {"1"}}, {attrHidden: {"YES"}}, {attrHidden: {"0"}}, {attrHidden: {}}, {}, {attrShell: {"/usr/bin/false"}}, {attrShell: {macShell}},
	} {
		r[attrName], r[attrNumber] = []string{fmt.Sprintf("u%d", i)}, []string{fmt.Sprint(700 + i)}
		l.users = append(l.users, r)
	}
	people, err := s.List(t.Context())
	var hidden []bool
	for _, a := range people {
		hidden = append(hidden, a.Hidden)
	}
	if want := []bool{true, true, false, false, false, true, false}; err != nil || !slices.Equal(hidden, want) {
		t.Errorf("%v, %v, want %v", hidden, err, want)
	}
}

// Names that differ are not the same, whatever the directory holds.
func FuzzFold(f *testing.F) {
	for _, name := range []string{"", "jane", "JANE", "stra\u00dfe", "\uff2b", "\u017f", "e\u0301", "\u00e9", "\xff", " jane ", "\u0130"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		folded := fold(name)
		if len(name) <= 4*longestName && strings.ToLower(name) == name && macName.MatchString(name) && folded != name {
			t.Errorf("%q is %q", name, folded)
		}
		if len(folded) > 64*longestName {
			t.Errorf("%d bytes of %d", len(folded), len(name))
		}
		r := macRecord{attrName: {name}}
		if r.is("jane") != (folded == "jane") {
			t.Errorf("%q is jane: %v", name, r.is("jane"))
		}
	})
}
