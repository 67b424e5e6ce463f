package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// hostile is what a device may say in each of its texts, or an administrator type.
const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}${7*7}`

// hostileFacts say it wherever a device says something.
func hostileFacts() api.Facts {
	return api.Facts{
		Platform: api.Windows, Serial: hostile, Manufacturer: hostile, Model: hostile, Name: hostile, OS: hostile, OSVersion: hostile, Arch: hostile,
		AgentVersion: hostile, KeyStorage: api.KeyInFile, Problems: []string{hostile}, Users: []api.LocalUser{{Name: hostile, FullName: hostile}},
	}
}

// fill makes one of each thing that pages show, with hostile texts, and gives the
// ids by the name that paths have for them.
func (d *desk) fill() map[string]string {
	d.t.Helper()
	key := d.mint(api.NewConnectKey{Label: hostile, Batch: hostile, Tags: []string{hostile}, Approval: true})
	device := d.enroll(key.Secret, hostileFacts()).DeviceID
	d.keep(device)
	few := d.mint(api.NewConnectKey{Label: hostile, Serials: []string{hostile}})
	if _, err := d.Enroll(d.t.Context(), request(d.t, few.Secret, laptop("S1")), hostile); err == nil {
		d.t.Error("a device with another serial number is in")
	}
	invitation, err := d.InviteAdministrator(d.t.Context(), "token:ann", api.NewAdministrator{Name: "hostile", FullName: hostile, Role: api.Auditor})
	if err != nil {
		d.t.Fatal(err)
	}
	token, err := d.CreateToken(d.t.Context(), "token:ann", api.NewToken{Name: strings.ReplaceAll(hostile, " ", ""), Role: api.Auditor, Life: api.Duration(time.Hour)})
	if err != nil {
		d.t.Fatal(err)
	}
	me, err := d.FindAdministrator(d.t.Context(), string(d.role))
	if err != nil {
		d.t.Fatal(err)
	}
	d.fillSettings()
	user, order := d.fillPeople()
	return map[string]string{
		"users": user.String(), "orders": order.String(),
		"keys": few.ID.String(), "devices": device.String(), "settings/providers": hostileProvider, "administrators": invitation.Administrator.ID.String(), "administrators/tokens": token.ID.String(),
		"account/passkeys": me.Passkeys[0].ID.String(), "welcome": invitation.Secret.Reveal(),
	}
}

// fillPeople makes a user with a device and sign-ins, and an order of which one device
// came and one was refused.
func (d *desk) fillPeople() (user, order uuid.UUID) {
	d.t.Helper()
	ctx := d.t.Context()
	created, err := d.CreateUsers(ctx, "token:ann", []api.NewUser{{Name: "hostile", FullName: hostile}})
	if err != nil {
		d.t.Fatal(err)
	}
	o, err := d.CreateOrder(ctx, "token:ann", api.NewOrder{PO: hostile[:60], Partner: hostile, Quantity: 2, Serials: []string{hostile + "1", hostile + "2"}, Tags: []string{hostile}})
	if err != nil {
		d.t.Fatal(err)
	}
	key := d.mint(api.NewConnectKey{OrderID: o.ID})
	facts := hostileFacts()
	facts.Serial = hostile + "1"
	device := d.enroll(key.Secret, facts)
	facts.Serial = hostile + "3"
	if _, err := d.Enroll(ctx, request(d.t, key.Secret, facts), hostile); err == nil {
		d.t.Error("a device that is not on the list is in")
	}
	if err := d.Bind(ctx, "token:ann", device.DeviceID, "hostile"); err != nil {
		d.t.Fatal(err)
	}
	return created[0].ID, o.ID
}

// keep gives a device a person and a sealed password, with hostile texts.
func (d *desk) keep(device uuid.UUID) {
	d.t.Helper()
	if _, err := d.CreateUsers(d.t.Context(), "token:ann", []api.NewUser{{Name: "ann", FullName: hostile}}); err != nil {
		d.t.Fatal(err)
	}
	if err := d.Bind(d.t.Context(), "token:ann", device, "ann"); err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.Escrow(d.t.Context(), device, &api.EscrowRequest{Account: "rescue", Sealed: []byte("sealed"), RecoveryKey: recipient}); err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.Reveal(d.t.Context(), hostile, device, &api.RevealRequest{Reason: hostile}); err != nil {
		d.t.Fatal(err)
	}
}

// recipient is a recovery key's.
const recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

// at fills a path of a route.
func at(route string, ids map[string]string) string {
	kind, _, _ := strings.Cut(route, "/{")
	return strings.NewReplacer("{$}", "", "{id}", ids[kind], "{secret}", ids[kind]).Replace(route)
}

// No page gives what it did not write itself as anything but text, in any language;
// and in a made language nothing is left that was not translated.
func TestPagesAreOnlyText(t *testing.T) {
	d := newDeskAt(t, nil, madeLanguage(t))
	ids := d.fill()
	for _, language := range []string{"en", "de", "ar"} {
		d.header.Set("Accept-Language", language)
		for _, r := range d.console.routes() {
			if r.method != http.MethodGet || r.path == "ceremony" || r.path == "sign-in" { // those have tests of their own
				continue
			}
			path := at(r.path, ids)
			a := d.get(path)
			if a.StatusCode != http.StatusOK {
				t.Errorf("%s: %d\n%s", path, a.StatusCode, a.text)
			}
			if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
				continue
			}
			for _, live := range []string{"<script>", "<img src=x", "onerror=alert(2)>"} {
				if strings.Contains(a.text, live) {
					t.Errorf("%s in %s holds %s", path, language, live)
				}
			}
			if strings.Contains(a.text, "%!") || strings.Contains(a.text, "&lt;no value&gt;") {
				t.Errorf("%s in %s has a sentence with a hole:\n%s", path, language, a.text)
			}
			if language == "ar" && !strings.Contains(a.text, `<html lang="ar" dir="rtl">`) {
				t.Errorf("%s does not run from right to left", path)
			}
			if language == "ar" {
				for _, text := range untranslated(t, a.text) {
					t.Errorf("%s says %q in each language", path, text)
				}
			}
		}
		for _, path := range []string{"audit?actor=" + "%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "keys?before=%22%3E%3Cscript%3E"} {
			if a := d.get(path); strings.Contains(a.text, "<script>") {
				t.Errorf("%s gives its address back", path)
			}
		}
	}
}

// A connect key is shown once, and nowhere else.
func TestMintedKeyIsShownOnce(t *testing.T) {
	d := newDesk(t)
	d.role = api.Technician
	a := d.post("keys", "label", "Lyon", "uses", "5", "days", "3", "platform", "windows", "tags", "a, b", "serials", "S1\r\nS2\r\n", "approval", "on")
	at := strings.Index(a.text, "fdk_")
	if a.StatusCode != http.StatusOK || at < 0 {
		t.Fatalf("%d\n%s", a.StatusCode, a.text)
	}
	secret := a.text[at : at+30]
	keys, err := d.Keys(t.Context(), [16]byte{})
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	k := keys[0]
	if k.Label != "Lyon" || k.MaxUses != 5 || len(k.Serials) != 2 || len(k.Tags) != 2 || !k.Approval || k.CreatedBy != "admin:technician" || len(k.Platforms) != 1 {
		t.Errorf("the key is %+v", k)
	}
	for _, path := range []string{"keys", "keys/" + k.ID.String(), "audit", ""} {
		if a := d.get(path); strings.Contains(a.text, secret) {
			t.Errorf("%q shows it again", path)
		}
	}
	if a := d.post("keys/" + k.ID.String() + "/revoke"); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/console/keys/"+k.ID.String() {
		t.Errorf("revoking: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	if now, err := d.Key(t.Context(), k.ID); err != nil || now.RevokedAt.IsZero() {
		t.Errorf("it is not revoked: %v", err)
	}
}
