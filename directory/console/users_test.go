package console

import (
	"bytes"
	"html"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// upload sends a form with a file, as a browser does.
func (d *desk) upload(path, field, file string, pairs ...string) answer {
	d.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := w.WriteField(pairs[i], pairs[i+1]); err != nil {
			d.t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile(field, "list.csv")
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := part.Write([]byte(file)); err != nil {
		d.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		d.t.Fatal(err)
	}
	return d.send(http.MethodPost, path, w.FormDataContentType(), &body)
}

// newcomer is a new user.
func (d *desk) newcomer(n api.NewUser) *api.CreatedUser {
	d.t.Helper()
	created, err := d.CreateUsers(d.t.Context(), "token:ann", []api.NewUser{n})
	if err != nil {
		d.t.Fatal(err)
	}
	return created[0]
}

var (
	sealedList = regexp.MustCompile(`name="checked" value="([^"]*)"`)
	givenOne   = regexp.MustCompile(`id="secret" value="([^"]*)"`)
)

// passwordIn is the temporary password that a page shows.
func passwordIn(t *testing.T, a answer) string {
	t.Helper()
	found := givenOne.FindStringSubmatch(a.text)
	if a.StatusCode != http.StatusOK || found == nil {
		t.Fatalf("no password is shown: %d\n%s", a.StatusCode, a.text)
	}
	return found[1]
}

// A temporary password is shown once, and nowhere else; each one ends the one before.
func TestTemporaryPasswordIsShownOnce(t *testing.T) {
	d := newDesk(t)
	d.role = api.Technician
	first := passwordIn(t, d.post("users", "name", "Ann", "fullName", "Ann Example", "email", "ann@acme.example"))
	u, err := d.FindUser(t.Context(), "ann")
	if err != nil || u.FullName != "Ann Example" || u.Email != "ann@acme.example" || u.CreatedBy != "admin:technician" || !u.Temporary {
		t.Fatalf("%+v, %v", u, err)
	}
	path := "users/" + u.ID.String()
	second := passwordIn(t, d.post(path+"/password"))
	if first == second {
		t.Error("the password stays")
	}
	d.role = api.Owner
	for _, page := range []string{"users", path, "audit", ""} {
		if a := d.get(page); a.StatusCode != http.StatusOK || strings.Contains(a.text, first) || strings.Contains(a.text, second) {
			t.Errorf("%q shows it again, or nothing: %d", page, a.StatusCode)
		}
	}
	if a := d.post("users", "name", "ann", "fullName", "Another"); a.StatusCode != http.StatusConflict || !strings.Contains(a.text, `value="Another"`) {
		t.Errorf("a name twice: %d", a.StatusCode)
	}
	if a := d.post(path + "/unlink"); a.StatusCode != http.StatusConflict {
		t.Errorf("unlinking who is not linked: %d", a.StatusCode)
	}
}

func TestDisabledUser(t *testing.T) {
	d := newDesk(t)
	u := d.newcomer(api.NewUser{Name: "ann"})
	path := "users/" + u.ID.String()
	if a := d.get(path + "/disable"); !strings.Contains(a.text, `action="/console/`+path+`/disable"`) {
		t.Errorf("nobody is asked:\n%s", a.text)
	}
	for verb, want := range map[string]api.UserState{"disable": api.UserDisabled} {
		if a := d.post(path + "/" + verb); a.Header.Get("Location") != "/console/"+path {
			t.Errorf("%s: %d", verb, a.StatusCode)
		}
		if now, err := d.FindUser(t.Context(), "ann"); err != nil || now.State != want {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if a := d.get(path); !strings.Contains(a.text, path+"/enable") || strings.Contains(a.text, path+`/disable"`) {
		t.Errorf("there is no way back:\n%s", a.text)
	}
	d.post(path + "/enable")
	if now, err := d.FindUser(t.Context(), "ann"); err != nil || now.State != api.UserActive {
		t.Errorf("it is not enabled: %v", err)
	}
	if a := d.post("users/" + uuid.NewString() + "/disable"); a.StatusCode != http.StatusNotFound {
		t.Errorf("nobody: %d", a.StatusCode)
	}
}

func TestLinkedUser(t *testing.T) {
	d := newDesk(t)
	u := d.newcomer(api.NewUser{Name: "ann"})
	path := "users/" + u.ID.String()
	if a := d.get(path + "/link"); !strings.Contains(a.text, "There is no identity provider yet.") {
		t.Errorf("without a provider:\n%s", a.text)
	}
	n := &api.NewProvider{ClientSecret: "secret"}
	n.ID, n.Name, n.Issuer, n.ClientID = "acme", "Acme <b>", "https://id.acme.example", "firstday"
	if _, err := d.CreateProvider(t.Context(), "token:ann", n); err != nil {
		t.Fatal(err)
	}
	if a := d.post(path+"/link", "provider", "acme", "subject", ""); a.StatusCode != http.StatusBadRequest {
		t.Errorf("nobody there: %d", a.StatusCode)
	}
	if a := d.post(path+"/link", "provider", "other", "subject", "x"); a.StatusCode < 400 || a.StatusCode >= 500 || !strings.Contains(a.text, `id="subject" name="subject" value="x"`) {
		t.Errorf("no such provider: %d\n%s", a.StatusCode, a.text)
	}
	if a := d.post(path+"/link", "provider", "acme", "subject", "4711"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("linking: %d\n%s", a.StatusCode, a.text)
	}
	if now, err := d.FindUser(t.Context(), "ann"); err != nil || now.Provider != n.Issuer {
		t.Errorf("%+v, %v", now, err)
	}
	if a := d.get(path); !strings.Contains(a.text, path+"/unlink") || strings.Contains(a.text, path+"/password") {
		t.Errorf("the page offers what cannot be:\n%s", a.text)
	}
	passwordIn(t, d.post(path+"/unlink"))
	if now, err := d.FindUser(t.Context(), "ann"); err != nil || now.Provider != "" || !now.Temporary {
		t.Errorf("%+v, %v", now, err)
	}
}

// A list is looked at, line by line, before anything is done; then one button does it.
func TestImport(t *testing.T) {
	d := newDesk(t)
	d.role = api.Technician
	d.newcomer(api.NewUser{Name: "ann"})
	a := d.upload("users/import", "file", "name;fullName\nbob;Bob\nann;Ann\nbob;Bob\n!;x\n")
	for _, want := range []string{"3 lines cannot be imported", "somebody has the name", "row 1 has the same name", "would be added"} {
		if !strings.Contains(a.text, want) {
			t.Errorf("the check does not say %q:\n%s", want, a.text)
		}
	}
	if sealedList.MatchString(a.text) {
		t.Error("a list with mistakes can be imported")
	}
	list := "name,password\nbob,\ncarl,correct horse battery\n"
	for name, checked := range map[string]answer{"a file": d.upload("users/import", "file", list), "a list": d.post("users/import", "list", list)} {
		if !strings.Contains(checked.text, "2 users would be added.") || strings.Contains(checked.text, "horse") {
			t.Errorf("%s: the check says\n%s", name, checked.text)
		}
		a = checked
	}
	if users, err := d.Users(t.Context(), ""); err != nil || len(users) != 1 {
		t.Fatalf("a look made %d users, %v", len(users), err)
	}
	sealed := html.UnescapeString(sealedList.FindStringSubmatch(a.text)[1])
	d.role = api.Owner
	if a := d.post("users/import/do", "checked", sealed); a.StatusCode != http.StatusBadRequest {
		t.Errorf("somebody else imports it: %d", a.StatusCode)
	}
	d.role = api.Technician
	a = d.post("users/import/do", "checked", sealed)
	if !strings.Contains(a.text, "2 users were added.") || !regexp.MustCompile(`(?m)^bob,[a-z2-7-]+$`).MatchString(a.text) || strings.Contains(a.text, "horse") || strings.Contains(a.text, "carl,") {
		t.Errorf("%d\n%s", a.StatusCode, a.text)
	}
	// Once more, all of them are there already.
	a = d.post("users/import/do", "checked", sealed)
	if a.StatusCode != http.StatusConflict || !strings.Contains(a.text, "2 lines cannot be imported") {
		t.Errorf("twice: %d\n%s", a.StatusCode, a.text)
	}
}

func TestImportRefuses(t *testing.T) {
	d := newDesk(t)
	for name, test := range map[string]struct {
		a    answer
		want int
	}{
		"nothing":           {d.upload("users/import", "file", ""), http.StatusUnprocessableEntity},
		"other columns":     {d.upload("users/import", "file", "phone\n1\n"), http.StatusBadRequest},
		"no text":           {d.upload("users/import", "file", "PK\x03\x04\x00\x00"), http.StatusBadRequest},
		"too many":          {d.upload("users/import", "file", "name\n"+strings.Repeat("a\n", maxImport+1)), http.StatusRequestEntityTooLarge},
		"too many secrets":  {d.upload("users/import", "file", "name,password\n"+strings.Repeat("a,b\n", maxImportPasswords+1)), http.StatusRequestEntityTooLarge},
		"too long":          {d.upload("users/import", "file", strings.Repeat("a", maxList)), http.StatusRequestEntityTooLarge},
		"a torn form":       {d.send(http.MethodPost, "users/import", "multipart/form-data; boundary=x", strings.NewReader("--x\r\nContent-Disposition: form-data; name=file\r\n\r\nname")), http.StatusBadRequest},
		"no boundary":       {d.send(http.MethodPost, "users/import", "multipart/form-data", strings.NewReader("x")), http.StatusBadRequest},
		"what was not seen": {d.post("users/import/do", "checked", "AAAA"), http.StatusBadRequest},
	} {
		if test.a.StatusCode != test.want {
			t.Errorf("%s: %d, not %d\n%s", name, test.a.StatusCode, test.want, test.a.text)
		}
	}
}

// Users are found by what they are called, page by page.
func TestUserPages(t *testing.T) {
	d := newDesk(t)
	list := make([]api.NewUser, userPage+5)
	for i := range list {
		list[i] = api.NewUser{Name: "u" + strings.ToLower(uuid.NewString()[:13]), FullName: "Ömer"}
	}
	if _, err := d.CreateUsers(t.Context(), "token:ann", list); err != nil {
		t.Fatal(err)
	}
	d.newcomer(api.NewUser{Name: "zoe"})
	a := d.get("users?text=" + url.QueryEscape("ömer"))
	next := regexp.MustCompile(`href="/console/(users\?after=[^"]*)"`).FindStringSubmatch(a.text)
	if rows := strings.Count(a.text, `<tr id="user-`); rows != userPage || next == nil {
		t.Fatalf("%d rows, next %v", rows, next)
	}
	a = d.get(html.UnescapeString(next[1]))
	if rows := strings.Count(a.text, `<tr id="user-`); rows != 5 || strings.Contains(a.text, "Next page") {
		t.Errorf("the second page has %d rows", rows)
	}
	for query, want := range map[string]string{"text=nobody": "No user is like that.", "state=disabled": "No user is like that."} {
		if a := d.get("users?" + query); !strings.Contains(a.text, want) {
			t.Errorf("%s:\n%s", query, a.text)
		}
	}
	if a := d.get("users?state=gone"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("no state: %d", a.StatusCode)
	}
}
