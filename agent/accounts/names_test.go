package accounts

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"firstday.dev/api"
	"firstday.dev/internal/nametemplate"
)

func TestCheckName(t *testing.T) {
	long := strings.Repeat("a", 20)
	for _, c := range []struct {
		name                string
		windows, mac, linux bool
	}{
		{"jane", true, true, true},
		{"jane.doe", true, true, true},
		{"jane_doe-2", true, true, true},
		{long, true, true, true},
		{long + "a", false, true, true},
		{strings.Repeat("a", 31), false, true, true},
		{strings.Repeat("a", 32), false, false, true},
		{strings.Repeat("a", 33), false, false, false},
		{"Jane", true, false, false},
		{"Jane Doe", true, false, false},
		{"jürgen", true, false, false},
		{"日本", true, false, false},
		{"😀😀😀😀😀😀😀😀😀😀", true, false, false},
		{"😀😀😀😀😀😀😀😀😀😀a", false, false, false}, // 21 units of UTF-16
		{"1st", true, true, false},
		{"1234", true, false, false},
		{"_jane", true, false, true},
		{"-jane", true, false, false},
		{".jane", true, false, false},
		{"", false, false, false},
		{"jane.", false, false, false},
		{"...", false, false, false},
		{" jane", false, false, false},
		{"jane ", false, false, false},
		{"jane\x00", false, false, false},
		{"jane\n", false, false, false},
		{"jane\u200b", false, false, false},
		{"jane\xff", false, false, false},
		{"jane@acme", false, false, false},
		{`acme\jane`, false, false, false},
		{"jane:x", false, false, false},
		{"jane$", true, false, false},
		{"Administrator", false, false, false},
		{"guest", false, false, true},
		{"WDAGUtilityAccount", false, false, false},
		{"CON", false, false, false},
		{"lpt1", false, true, true},
		{"shared", true, false, true},
		{"root", true, false, false},
		{"nobody", true, false, false},
	} {
		for p, want := range map[api.Platform]bool{api.Windows: c.windows, api.MacOS: c.mac, api.Linux: c.linux} {
			if err := CheckName(p, c.name); (err == nil) != want || err != nil && !errors.Is(err, ErrName) {
				t.Errorf("%s, %q: %v", p, c.name, err)
			}
		}
	}
	if CheckName("beos", "jane") == nil {
		t.Error("a platform that is none")
	}
}

func TestNameFor(t *testing.T) {
	jane := User{"Jane.Doe+news@acme.example", "Jane Mary Doe"}
	for _, c := range []struct {
		template string
		user     User
		want     string
		err      error
	}{
		{"{local}", jane, "jane.doe", nil},
		{"{first}.{last}", jane, "jane.doe", nil},
		{"{f}{last}", jane, "jdoe", nil},
		{"{last}{f}", jane, "doej", nil},
		{"{first}{l}", jane, "janed", nil},
		{"{first}_{last}-x1", jane, "jane_doe-x1", nil},
		{"{first}.{last}", User{FullName: "Doe, Jane"}, "jane.doe", nil},
		{"{first}.{last}", User{FullName: "Madonna"}, "madonna", nil},
		{"{f}{last}", User{FullName: "Madonna"}, "m", nil},
		{"{first}.{last}", User{FullName: "  Jürgen   Groß-Müller "}, "jurgen.gross-muller", nil},
		{"{first}.{last}", User{FullName: "Søren Ærøskøbing"}, "soren.aeroskobing", nil},
		{"{first}.{last}", User{FullName: "ŁUKASZ Żółć"}, "lukasz.zolc", nil},
		{"{first}.{last}", User{FullName: "Þór Guðmundsdóttir"}, "thor.gudmundsdottir", nil},
		{"{first}.{last}", User{FullName: "İbrahim Işık"}, "ibrahim.isik", nil},
		{"{first}.{last}", User{FullName: "Nguyễn Đức"}, "nguyen.duc", nil},
		{"{first}.{last}", User{FullName: "Siobhán O’Brien"}, "siobhan.obrien", nil},
		{"{first}.{last}", User{FullName: "Ｊａｎｅ ﬁsh"}, "jane.fish", nil},
		{"{local}", User{Email: "42jane@acme.example"}, "jane", nil},
		{"{local}", User{Email: "..jane..@acme.example"}, "jane", nil},
		{"{local}", User{Email: "jane"}, "jane", nil},
		{"{first}", User{FullName: "Иван Петров"}, "", ErrNotLatin},
		{"{f}{last}", User{FullName: "太郎 山田"}, "", ErrNotLatin},
		{"{first}.{last}", User{FullName: "Jane 山田"}, "", ErrNotLatin},
		{"{first}.{last}", User{FullName: "Jane -山-"}, "", ErrNotLatin},
		{"{local}", User{"taro@acme.example", "山田"}, "taro", nil},
		{"{local}", User{}, "", ErrNothingLeft},
		{"{first}", User{FullName: "42 ..."}, "", ErrNothingLeft},
		{"{local}", User{Email: "+@acme.example"}, "", ErrNothingLeft},
		{"{local}", User{Email: strings.Repeat("x", maxSource+1)}, "", ErrName},
		{"{nickname}", jane, "", ErrTemplate},
		{"{local", jane, "", ErrTemplate},
		{"jane", jane, "", ErrTemplate},
		{"", jane, "", ErrTemplate},
		{"{local}@acme", jane, "", ErrTemplate},
		{"{local}}", jane, "", ErrTemplate},
		{"Ä{local}", jane, "", ErrTemplate},
		{"{local}", User{Email: "nobody@acme.example"}, "", ErrName},
	} {
		got, err := NameFor(api.Linux, c.template, c.user)
		if !errors.Is(err, c.err) || err == nil && got != c.want {
			t.Errorf("%s of %+v: %q, %v; want %q", c.template, c.user, got, err, c.want)
		}
	}
}

func TestNamesAreAsLongAsThePlatformTakes(t *testing.T) {
	u := User{Email: strings.Repeat("a", 19) + "." + strings.Repeat("b", 50)}
	for p, want := range map[api.Platform]string{
		api.Windows: strings.Repeat("a", 19), // no full stop at its end
		api.MacOS:   u.Email[:31],
		api.Linux:   u.Email[:32],
	} {
		if got, err := NameFor(p, "{local}", u); err != nil || got != want {
			t.Errorf("%s: %q, %v", p, got, err)
		}
	}
	if _, err := NameFor("beos", "{local}", u); err == nil {
		t.Error("a platform that is none")
	}
	if _, err := NameFor(api.Windows, "{local}", User{Email: "administrator@acme.example"}); !errors.Is(err, ErrName) {
		t.Errorf("the administrator's name: %v", err)
	}
}

func TestFullNames(t *testing.T) {
	for in, want := range map[string]string{
		"Jane Doe":                     "Jane Doe",
		"  Jane\t\nDoe ":               "Jane Doe",
		"Doe, Jane: a=b":               "Doe Jane a b",
		"山田 \u202etaro\x00\xff":        "山田 taro",
		strings.Repeat("ab ", 50) + "": strings.TrimSpace(strings.Repeat("ab ", 33)) + " a",
	} {
		if got := linuxPlatform.fullName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := windowsPlatform.fullName("Doe, Jane"); got != "Doe, Jane" {
		t.Errorf("on Windows: %q", got)
	}
}

func TestPasswordsThatNoSystemStores(t *testing.T) {
	for _, c := range []struct {
		password            string
		windows, mac, linux bool
	}{
		{"correct horse, battery: staple", true, true, true},
		{"pässwörd 山田", true, true, true},
		{"", false, false, false},
		{"a\nroot:x", false, false, false},
		{"a\x00", false, false, false},
		{"a\xff", false, false, false},
		{strings.Repeat("ä", 256), true, false, false},
		{strings.Repeat("a", 252), true, false, true},
		{strings.Repeat("a", 511), false, false, true},
		{strings.Repeat("a", 512), false, false, false},
		{strings.Repeat("😀", 129), false, false, false},
	} {
		for p, want := range map[*platform]bool{&windowsPlatform: c.windows, &macPlatform: c.mac, &linuxPlatform: c.linux} {
			err := p.checkPassword([]byte(c.password))
			if (err == nil) != want || err != nil && !errors.Is(err, ErrPassword) {
				t.Errorf("%s, %.40q: %v", p.name, c.password, err)
			}
			if err != nil && c.password != "" && strings.Contains(err.Error(), c.password) {
				t.Errorf("%s: the error tells the password: %v", p.name, err)
			}
		}
	}
}

func TestMarks(t *testing.T) {
	for _, unused := range []bool{true, false} {
		tag, got := readMark(mark("A-1", unused))
		if tag != "A-1" || got != unused {
			t.Errorf("%q, %v", tag, got)
		}
	}
	for _, s := range []string{"", "A-1", "firstday/", "firstday//unused", "firstday/a b", "x firstday/a", "firstday/a/used", "firstday/" + strings.Repeat("a", 65)} {
		if tag, unused := readMark(s); tag != "" || unused {
			t.Errorf("%q: %q, %v", s, tag, unused)
		}
	}
}

// Whatever goes in, what comes out is a name.
func FuzzNameFor(f *testing.F) {
	f.Add("{local}", "jane.doe@acme.example", "Jane Doe")
	f.Add("{first}.{last}", "", "Doe, Jürgen")
	f.Add("{f}{last}", "x@y", "太郎 山田")
	f.Add("{l}-{f}_9.", "con@", "ŉ ﬃ İ")
	f.Add("{{local}}", "\xff@", "\xff \u0300")
	f.Fuzz(func(t *testing.T, template, email, fullName string) {
		for _, p := range api.Platforms {
			name, err := NameFor(p, template, User{email, fullName})
			if err != nil {
				continue
			}
			if err := CheckName(p, name); err != nil {
				t.Fatal(err)
			}
			for _, r := range name {
				if r >= utf8.RuneSelf || !strings.ContainsRune(nametemplate.Signs, r) {
					t.Fatalf("%q", name)
				}
			}
			if again, err := NameFor(p, template, User{email, fullName}); again != name || err != nil {
				t.Fatalf("%q, then %q, %v", name, again, err)
			}
			if derived, err := NameFor(p, "{local}", User{Email: name}); derived != name || err != nil {
				t.Fatalf("the name of %q is %q, %v", name, derived, err)
			}
		}
	})
}
