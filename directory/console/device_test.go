package console

import (
	"bytes"
	"html"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/google/uuid"

	"firstday.dev/api"
)

// sees makes sure that a page says something.
func (a answer) sees(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s: %d, not %d", a.Request.URL.Path, a.StatusCode, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.text, text) {
			t.Errorf("%s lacks %q:\n%s", a.Request.URL.Path, text, a.text)
		}
	}
}

// leadsTo makes sure that a form did what it is for, and leads on.
func (a answer) leadsTo(t *testing.T, path string) {
	t.Helper()
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != Path+path {
		t.Errorf("%s: %d, to %q:\n%s", a.Request.URL.Path, a.StatusCode, a.Header.Get("Location"), a.text)
	}
}

// A device's page does all that is done to a device, and tells what stood against it.
func TestDeviceIsChanged(t *testing.T) {
	d := newDesk(t)
	d.role = api.Technician
	key := d.mint(api.NewConnectKey{Approval: true, Label: "store"})
	id := d.enroll(key.Secret, laptop("S1")).DeviceID
	d.user("ann")
	path := "devices/" + id.String()
	is := func(what string, right func(*api.Device) bool) {
		t.Helper()
		if v, err := d.Directory.Device(t.Context(), id); err != nil || !right(v) {
			t.Errorf("%s: %+v, %v", what, v, err)
		}
	}
	d.get(path).sees(t, http.StatusOK, "waits for approval", "Nobody has the device.", `action="/console/`+path+`/approve"`, "192.0.2.1", "store")

	d.post(path+"/approve").leadsTo(t, path)
	is("approved", func(v *api.Device) bool { return v.State == api.DeviceActive })
	d.post(path+"/sign-in", "off", "on").leadsTo(t, path)
	is("switched off", func(v *api.Device) bool { return v.SSAPOff })
	d.get(path).sees(t, http.StatusOK, "sign-in off here", "Sign-in switched off here", "admin:technician")
	d.post(path+"/sign-in").leadsTo(t, path)
	is("switched on", func(v *api.Device) bool { return !v.SSAPOff })

	d.post(path+"/bind").sees(t, http.StatusUnprocessableEntity, `id="user-error"`)
	d.post(path+"/bind", "user", "<b>bob").sees(t, http.StatusUnprocessableEntity, `id="user-error"`, `value="&lt;b&gt;bob"`, "There is no user &lt;b&gt;bob.")
	d.post(path+"/bind", "user", "ann").leadsTo(t, path)
	is("given", func(v *api.Device) bool { return len(v.Users) == 1 && v.Users[0].State == api.Awaiting })
	d.get(path).sees(t, http.StatusOK, "is to sign in", "Example ann", "Given to a person", path+"/unbind?user=ann")
	d.post(path+"/bind", "user", "ann").leadsTo(t, path) // nothing is lost by it

	d.get(path+"/unbind?user=ann").sees(t, http.StatusOK, "Do you want to take this device from this person?", `name="user" value="ann"`)
	d.post(path+"/unbind", "user", "nobody").sees(t, http.StatusNotFound, `role="alert"`, "Example ann")
	d.post(path+"/unbind", "user", "ann").leadsTo(t, path)
	is("taken", func(v *api.Device) bool { return v.Users[0].State == api.Unbound })
	d.post(path+"/unbind", "user", "ann").sees(t, http.StatusNotFound, "does not have the user ann")

	d.get(path+"/remove").sees(t, http.StatusOK, "Do you want to remove this device?", "LAPTOP-S1")
	d.post(path+"/remove").leadsTo(t, path)
	is("removed", func(v *api.Device) bool { return v.State == api.DeviceRemoved })
	for _, form := range []string{"/approve", "/sign-in", "/bind"} {
		a := d.post(path+form, "user", "ann", "off", "on")
		if a.StatusCode != http.StatusConflict && a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusGone || !strings.Contains(a.text, `role="alert"`) {
			t.Errorf("%s of a removed device: %d\n%s", form, a.StatusCode, a.text)
		}
	}
	if a := d.get(path); strings.Contains(a.text, "<form method=\"post\" action=\"/console/devices") {
		t.Errorf("a removed device can be changed:\n%s", a.text)
	}
	d.get("devices/"+uuid.NewString()).sees(t, http.StatusNotFound)
	d.get("devices/nonsense").sees(t, http.StatusNotFound)
}

// The page tells what became of tries to sign in, in words and with the code, and
// what brought the device, with the way to what else came by it.
func TestDeviceTellsItsStory(t *testing.T) {
	d := newDesk(t)
	o, err := d.CreateOrder(t.Context(), "token:ann", api.NewOrder{PO: "PO-7", Quantity: 2, Tags: []string{"sales & more"}, Life: api.Duration(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	key := d.mint(api.NewConnectKey{Label: "Lyon", OrderID: o.ID})
	pkg := uuid.New()
	r := request(t, key.Secret, laptop("S1"))
	r.PackageID = pkg
	enrolled, err := d.Enroll(t.Context(), r, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	id := enrolled.DeviceID
	d.Change(func(s *api.Settings) { s.Windows.SSAP, s.Windows.Password = true, api.ChoosePassword })
	started, err := d.StartSignIn(t.Context(), id, new(api.SignInRequest), "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	ann := d.MustHire("ann")
	wrong := *ann
	wrong.Password = "wrong"
	if _, err := wrong.SignIn(t.Context(), d.At, d.signInAddress(started)); err == nil {
		t.Error("anybody may sign in")
	}
	d.signIn(id, ann)
	a := d.get("devices/" + id.String())
	a.sees(t, http.StatusOK, "A sign-in did not succeed", "<code>"+string(api.CodeCredentials)+"</code>", html.EscapeString(api.Explain(api.CodeCredentials).IT), "The account was made", "has an account",
		`<a href="/console/keys/`+key.ID.String()+`"><bdi>Lyon</bdi></a>`, "/console/devices?key="+key.ID.String(), "/console/devices?package="+pkg.String(),
		"PO-7", "/console/devices?order="+o.ID.String(), `/console/devices?tag=sales%20%26%20more`)
	for _, to := range regexp.MustCompile(`/console/(devices\?[^"]+)"`).FindAllStringSubmatch(a.text, -1) {
		if list := d.get(to[1]); strings.Count(list.text, `<tr id="device-`) != 1 {
			t.Errorf("%s does not lead back:\n%s", to[1], list.text)
		}
	}
	d.get("keys/"+key.ID.String()).sees(t, http.StatusOK, `href="/console/devices/`+id.String()+`"`, "/console/devices?key="+key.ID.String())
}

// The password in escrow is given sealed, for a reason, to who has just proved who
// they are; only the recovery key opens it.
func TestRevealIsSealed(t *testing.T) {
	now := time.Now()
	d := newDeskAt(t, func() time.Time { return now })
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, identity.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "break glass 1"); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	id := d.enroll(d.mint(api.NewConnectKey{}).Secret, laptop("S1")).DeviceID
	path := "devices/" + id.String() + "/reveal"
	d.post(path, "reason", "ticket 7").sees(t, http.StatusNotFound, "nothing is in escrow", `value="ticket 7"`)
	if _, err := d.Escrow(t.Context(), id, &api.EscrowRequest{Account: "rescue", Sealed: sealed.Bytes(), RecoveryKey: identity.Recipient().String()}); err != nil {
		t.Fatal(err)
	}

	d.post(path).sees(t, http.StatusUnprocessableEntity, `id="reason-error"`)
	d.post(path, "reason", strings.Repeat("r", 501)).sees(t, http.StatusBadRequest, `role="alert"`)
	shown := d.post(path, "reason", "ticket 7", "as", "page")
	shown.sees(t, http.StatusOK, "rescue", identity.Recipient().String(), "firstday device open "+id.String()+".age --identity RECOVERY-KEY-FILE")
	file := d.post(path, "reason", "ticket 7", "as", "file")
	if file.Header.Get("Content-Disposition") != "attachment; filename="+id.String()+".age" {
		t.Errorf("the file is %v", file.Header)
	}
	if !strings.Contains(html.UnescapeString(shown.text), strings.TrimSpace(file.text)) {
		t.Errorf("the page shows something else than the file:\n%s\n%s", shown.text, file.text)
	}
	opened, err := age.Decrypt(armor.NewReader(strings.NewReader(file.text)), identity)
	if err != nil {
		t.Fatal(err)
	}
	if password, err := io.ReadAll(opened); err != nil || string(password) != "break glass 1" {
		t.Errorf("%q, %v", password, err)
	}
	d.get("devices/"+id.String()).sees(t, http.StatusOK, "The break-glass password was shown", "ticket 7")
	d.get("audit?action=device.reveal").sees(t, http.StatusOK, "admin:owner", "ticket 7")

	now = now.Add(api.ConsoleProof)
	if a := d.post(path, "reason", "ticket 7"); !strings.HasPrefix(a.Header.Get("Location"), pathProve) || strings.Contains(a.text, "AGE") {
		t.Errorf("without a fresh proof: %d, to %q", a.StatusCode, a.Header.Get("Location"))
	}
	d.role = api.Auditor
	d.post(path, "reason", "ticket 7").sees(t, http.StatusForbidden)
}

// Who may only look is offered nothing to do.
func TestAuditorsOnlyLook(t *testing.T) {
	d := newDesk(t)
	ids := d.fleet()
	d.role = api.Auditor
	for _, path := range []string{"devices", "devices/" + ids["P1"].String(), "devices/" + ids["M1"].String()} {
		a := d.get(path)
		a.sees(t, http.StatusOK)
		for _, offer := range []string{"checkbox", "/approve", "/remove", "/reveal", "/bind", "/unbind", "/sign-in\""} {
			if strings.Contains(a.text, offer) {
				t.Errorf("%s offers %s", path, offer)
			}
		}
	}
}
