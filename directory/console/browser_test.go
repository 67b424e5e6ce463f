package console

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// Somebody mints a connect key by the keyboard alone, sees a device come with it
// without reloading, and revokes it.
func TestKeysInABrowser(t *testing.T) {
	d := newDesk(t)
	c := newChromium(t, d)
	c.visit("", "Home")
	c.picture("home", false, false)
	c.visit("keys", "Connect keys")
	c.Run(`document.querySelector("main a.button").focus()`)
	c.Key("\r")
	c.shows("Mint a connect key")
	c.picture("key-new", false, false)
	c.Run(`document.querySelector("#label").focus()`)
	c.Key("Lyon office\t")
	c.Key("0\t3\r")
	c.See("Please look at 1 field again.")
	if got := c.Is(`document.querySelector("#label").value`); got != "Lyon office" {
		t.Errorf("what was typed is %q now", got)
	}
	c.picture("key-wrong-phone", true, false)
	c.Write("#uses", "10\n")
	c.shows("The new connect key")
	secret := api.Secret(c.Is(`document.querySelector("#secret").value`))
	c.Click("main a.button")
	c.shows("Lyon office")
	c.live()
	c.See("No device has come with this key yet.")
	d.enroll(secret, laptop("5CG1234XYZ"))
	c.See("1 of 10")
	c.See("5CG1234XYZ")
	c.picture("key", false, false)
	c.picture("key-phone-dark", true, true)
	c.Screen(false, false)
	c.Click("main a.danger")
	c.shows("Revoke a connect key")
	c.picture("key-revoke", false, true)
	c.Click("main button.danger")
	c.shows("Lyon office")
	c.See("The connect key Lyon office is revoked.")
	c.visit("keys", "Connect keys")
	c.picture("keys", false, false)
	c.picture("keys-phone", true, false)
	c.Screen(false, false)
	c.Click(`button[value="de"]`)
	c.shows("Verbindungsschlüssel")
	c.picture("keys-german", false, false)
	c.Content()
}

// Pages that run from right to left are the mirror image, at any width.
func TestFromRightToLeft(t *testing.T) {
	d := newDeskAt(t, nil, madeLanguage(t))
	ids := d.fill()
	c := newChromium(t, d)
	c.Open(d.At.URL + Path)
	c.Click(`button[value="ar"]`)
	c.Await(`document.documentElement.dir == "rtl"`)
	for _, path := range []string{"", "devices", "devices/" + ids["devices"], "keys", "keys/" + ids["keys"], "keys/new", "audit", "users", "users/" + ids["users"], "users/import", "orders", "orders/new", "orders/" + ids["orders"], "settings", "settings/history", "settings/providers/" + hostileProvider, "settings/providers/new"} {
		for _, phone := range []bool{false, true} {
			c.Screen(phone, false)
			c.Open(d.At.URL + Path + path)
			c.Await(`document.readyState == "complete"`)
			c.Look()
			c.Axe(path)
			if c.Is(`document.querySelector(".rooms").getBoundingClientRect().right == innerWidth`) != "true" {
				t.Errorf("%q has its rooms on the left", path)
			}
		}
	}
	c.Content()
}

// lastEntry is the number of the newest entry that the page of the audit log shows.
func (c *chromium) lastEntry() int {
	c.t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(c.Is(`document.querySelector("[id^=entry-]").id`), "entry-"))
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

// What somebody types, has opened or has the focus on stays while the page changes
// around it.
func TestLivePageLeavesPeopleAlone(t *testing.T) {
	d := newDesk(t)
	c := newChromium(t, d)
	key := d.mint(api.NewConnectKey{Label: "first"})
	c.visit("audit", "Audit log")
	c.live()
	last := c.lastEntry()
	detail := fmt.Sprintf(`document.querySelector("#detail-%d").open`, last)
	c.Write("#actor", "token:a")
	c.Click(fmt.Sprintf("#detail-%d summary", last))
	c.Run(`document.querySelector("#subject").focus()`)
	d.enroll(key.Secret, laptop("S1"))
	c.Await(fmt.Sprintf(`document.querySelector("#entry-%d")`, last+1))
	for script, want := range map[string]string{
		`document.querySelector("#actor").value`: "token:a", `document.activeElement.id`: "subject", detail: "true",
	} {
		if got := c.Is(script); got != want {
			t.Errorf("%s is %q", script, got)
		}
	}
	c.See("Chain intact")
	c.See(fmt.Sprintf("%d entries, verified", last+1))
	c.picture("audit", false, false)
	c.Content()
}

// A form that came back with a mistake is left alone, and so is one with a field that
// somebody changed, with all that it says; a list to choose from goes on.
func TestLiveFormsKeepWhatWasTyped(t *testing.T) {
	d := newDesk(t)
	if a := d.post("keys", "uses", "0"); strings.Contains(a.text, "data-topics") {
		t.Error("a page that answers a form is live")
	}
	c := newChromium(t, d)
	c.visit("audit", "Audit log")
	c.live()
	const mark, marked = `document.querySelector("#action").dataset.mark = "yes"`, `document.querySelector("#action").dataset.mark`
	is := func(script, want string) {
		t.Helper()
		if got := c.Is(script); got != want {
			t.Errorf("%s is %q", script, got)
		}
	}
	last := c.lastEntry()
	c.Write("#actor", "a")
	c.Run(mark) // what the directory does not say of the field
	key := d.mint(api.NewConnectKey{})
	c.Await(fmt.Sprintf(`document.querySelector("#entry-%d")`, last+1))
	is(marked, "yes")
	is(`document.querySelector("#actor").value`, "a")
	c.Run(`document.querySelector(".filters").dataset.live = ""`)
	if err := d.RevokeKey(t.Context(), "token:ann", key.ID); err != nil {
		t.Fatal(err)
	}
	c.Await(fmt.Sprintf(`document.querySelector("#entry-%d")`, last+2))
	is(marked, "undefined")
	is(`document.querySelector("#actor").value`, "a")
	c.Content()
}

// A page weighs little, the first time, with all that it needs.
func TestFirstLoadIsLight(t *testing.T) {
	const most = 150 << 10
	d := newDesk(t)
	for i := range 60 {
		d.mint(api.NewConnectKey{Label: fmt.Sprintf("key %d", i)})
	}
	for _, path := range []string{"", "devices", "keys", "keys/new", "audit", "users", "orders", "settings"} {
		c := newChromium(t, d)
		weight := c.Weigh()
		c.Open(d.At.URL + Path + path)
		c.Await(`document.readyState == "complete"`)
		if got := weight(); got > most || got < 5<<10 {
			t.Errorf("%q weighs %d bytes", path, got)
		} else {
			t.Logf("%q weighs %d bytes", path, got)
		}
	}
}

// Hostile texts are seen as they are, and do nothing.
func TestHostileTextsInABrowser(t *testing.T) {
	d := newDesk(t)
	ids := d.fill()
	c := newChromium(t, d)
	c.Before(`window.alert = () => { document.documentElement.dataset.hit = "yes" }`)
	for _, path := range []string{"", "devices", "devices/" + ids["devices"], "keys", "keys/" + ids["keys"], "audit", "users", "users/" + ids["users"], "orders", "orders/" + ids["orders"]} {
		for _, phone := range []bool{false, true} {
			c.Screen(phone, false)
			c.Open(d.At.URL + Path + path)
			c.Await(`document.readyState == "complete"`)
			c.Look()
			c.Axe(path)
			if c.Is(`document.documentElement.dataset.hit`) != "undefined" {
				t.Errorf("%q runs what a device says", path)
			}
		}
	}
	c.Content()
}

// Without scripts all is there, and forms work.
func TestWithoutScripts(t *testing.T) {
	d := newDesk(t)
	key := d.mint(api.NewConnectKey{Label: "Lyon"})
	a := d.get("keys/" + key.ID.String())
	if !strings.Contains(a.text, `href="/console/keys/`+key.ID.String()+`/revoke"`) {
		t.Errorf("no way to revoke:\n%s", a.text)
	}
	a = d.post("keys/" + key.ID.String() + "/revoke")
	for _, cookie := range a.Cookies() {
		d.header.Add("Cookie", cookie.Name+"="+cookie.Value)
	}
	a = d.get("keys/" + key.ID.String())
	if !strings.Contains(a.text, "The connect key Lyon is revoked.") {
		t.Errorf("nothing is said of it:\n%s", a.text)
	}
	if len(a.Cookies()) != 1 || a.Cookies()[0].Name != saidCookie || a.Cookies()[0].MaxAge >= 0 {
		t.Errorf("it is said again: %v", a.Cookies())
	}
	if k, err := d.Key(t.Context(), key.ID); err != nil || k.RevokedAt.IsZero() || k.ID == uuid.Nil {
		t.Errorf("it is not revoked: %v", err)
	}
}
