package sheet

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
)

func TestUsers(t *testing.T) {
	want := []User{
		{2, api.NewUser{Name: "carl"}},
		{3, api.NewUser{Name: "dora", Email: "dora@acme.example", FullName: "Dora Müller, the second"}},
	}
	for name, text := range map[string]string{
		"plain":           "name,email,fullName\ncarl,,\nDora,Dora@acme.example,\"Dora Müller, the second\"\n",
		"a mark, spaces":  "\ufeffname, email, fullName\r\ncarl,,\r\n Dora , Dora@acme.example ,\"Dora Müller, the second\"\r\n",
		"a space first":   "name, email, fullName\n\"carl\", ,\ndora, dora@acme.example, \"Dora Müller, the second\"\n",
		"semicolons":      "name;email;fullName\ncarl;;\nDora;Dora@acme.example;Dora Müller, the second\n",
		"another order":   "fullName\tname\temail\n\tcarl\t\nDora Müller, the second\tdora\tdora@acme.example",
		"UTF-16":          inUTF16(binary.LittleEndian, "name\temail\tfullName\r\ncarl\t\t\r\ndora\tdora@acme.example\tDora Müller, the second\r\n"),
		"Windows-1252":    "name;email;fullName\ncarl;;\nDora;Dora@acme.example;Dora M\xfcller, the second\n",
		"with a password": "name,email,fullName,password\ncarl,,,\ndora,dora@acme.example,\"Dora Müller, the second\",\n",
	} {
		got, err := Users(strings.NewReader(text))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	got, err := Users(strings.NewReader("name,password\nann, correct horse battery \n"))
	if err != nil || len(got) != 1 || got[0].Password.Reveal() != "correct horse battery " {
		t.Errorf("a password is changed behind its space: %v", err)
	}
}

// Mistakes are told with the line that they are in.
func TestUsersTellsMistakes(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":            {"", "the file is empty"},
		"blank lines":        {"\n\n  \n", "the file is empty"},
		"an unknown column":  {"name,phone\nerik,1\n", `line 1: column "phone" is none of name`},
		"a column twice":     {"name,email,name\n", "two columns are called name"},
		"no name":            {"email\na@b.example\n", "no column is called name"},
		"a cell too many":    {"name,email\nann,,\n", "line 2: 3 columns, the first line names 2"},
		"a cell too few":     {"name,email\n\nann\n", "line 3: 1 columns"},
		"an open quote":      {"name,email\nann,\"a@b\n", "line 2"},
		"no text":            {"name\x00,email\n", "it is no text"},
		"half a character":   {"\xff\xfen", "UTF-16"},
		"more than anywhere": {"name\n" + strings.Repeat("a\n", MaxUsers+1), "more than 10000 users"},
	} {
		if _, err := Users(strings.NewReader(test.text)); !errors.Is(err, ErrUsers) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzUsers(f *testing.F) {
	f.Add([]byte("name,email,fullName,password\nann,a@b.example,\"Ann, B\",secret\n"))
	f.Add([]byte("\xff\xfen\x00a\x00m\x00e\x00"))
	f.Add([]byte("sep=;\nname;email\nann;\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		users, err := Users(strings.NewReader(string(data)))
		if err != nil {
			if !errors.Is(err, ErrUsers) || users != nil {
				t.Errorf("%d users, %v", len(users), err)
			}
			return
		}
		last := 0
		for _, u := range users {
			if u.Line <= last || len(users) > MaxUsers {
				t.Errorf("line %d after %d", u.Line, last)
			}
			last = u.Line
		}
	})
}
