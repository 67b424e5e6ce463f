package console

import (
	"testing"

	"firstday.dev/api"
	"firstday.dev/internal/testbrowser"
)

// mac is the frame with the Mac's window.
func (c *chromium) mac() *testbrowser.Browser {
	c.t.Helper()
	return c.Frame(windowPath)
}

// Somebody switches the sign-in and writes its text by the keyboard alone, sees what
// people will see before it is saved, and takes it back.
func TestSettingsInABrowser(t *testing.T) {
	d := newDesk(t)
	c := newChromium(t, d)
	c.visit("settings", "Settings")
	mac := c.mac()
	mac.See("Sign in with Acme")
	if got := c.Is(`document.activeElement.tagName + scrollY`); got != "BODY0" {
		t.Errorf("the frame takes the focus, or scrolls: %s", got)
	}
	c.picture("settings", false, false)
	c.Run(`document.getElementById("windows.text").focus()`)
	c.Key("Questions? Call 4711.")
	c.Await(`document.querySelector(".tile .part-note")?.textContent == "Questions? Call 4711."`)
	c.Run(`document.getElementById("macos.text").focus()`)
	c.Key("Ask <b>Ann</b>.")
	mac.See("Ask <b>Ann</b>.")
	if got := c.Is(`document.activeElement.id`); got != "macos.text" {
		t.Errorf("the focus is on %s", got)
	}
	if now, err := d.Settings(t.Context()); err != nil || now.Windows.Text != "" {
		t.Errorf("looking saves: %+v, %v", now, err)
	}
	c.Run(`document.getElementById("preview.step").value = "waiting", document.getElementById("preview.step").dispatchEvent(new Event("change", {bubbles: true}))`)
	c.Await(`document.querySelector(".beside-tile .qr")`)
	c.See("BCDF-GHJK")
	mac.See("Point the camera of your phone")
	c.Run(`document.querySelector("#previews").scrollIntoView()`)
	c.picture("settings-preview", false, false)
	c.picture("settings-preview-dark", false, true)
	c.Screen(false, false)
	c.Run(`document.getElementById("linux.ssap").focus()`)
	c.Key(" ")
	c.Run(`document.getElementById("windows.helpUrl").focus()`)
	c.Key("https://help.acme.example\r") // Enter sends the form
	c.See("The settings are saved.")
	c.shows("Settings")
	now, err := d.Settings(t.Context())
	if err != nil || now.Windows.Text != "Questions? Call 4711." || now.MacOS.Text != "Ask <b>Ann</b>." || now.Linux.SSAP || now.Windows.HelpURL != "https://help.acme.example" {
		t.Fatalf("they are %+v, %v", now, err)
	}
	c.picture("settings-phone", true, false)
	c.picture("settings-phone-dark", true, true)
	c.Screen(false, false)
	c.Click(`button[value="de"]`)
	c.shows("Einstellungen")
	mac = c.mac()
	mac.Axe("the Mac's window")
	mac.See("Mit Acme anmelden")
	c.picture("settings-german", false, false)
	c.Click(`button[value="en"]`)
	c.shows("Settings")
	d.Change(func(s *api.Settings) { s.Windows.SSAP = false })
	c.visit("settings/history", "History of the settings")
	c.live()
	c.picture("settings-history", false, false)
	c.picture("settings-history-phone", true, false)
	c.Screen(false, false)
	c.Run(`document.querySelector("main table button").focus()`)
	c.Key("\r")
	c.See("again.")
	if now, err := d.Settings(t.Context()); err != nil || !now.Windows.SSAP || now.Windows.Text != "Questions? Call 4711." {
		t.Errorf("they are %+v, %v", now, err)
	}
	c.Content()
}

// The form of two people at once, in a browser.
func TestSettingsConflictInABrowser(t *testing.T) {
	d := newDesk(t)
	c := newChromium(t, d)
	c.visit("settings", "Settings")
	c.live()
	c.Write(`[id="windows.text"]`, "mine")
	d.Change(func(s *api.Settings) { s.Windows.Text, s.Windows.HelpURL = "theirs", "https://theirs.example" })
	c.Write(`[id="macos.text"]`, "only mine\n")
	c.See("Nothing is saved yet")
	c.shows("Settings")
	c.picture("settings-conflict", false, false)
	c.picture("settings-conflict-phone", true, false)
	c.Screen(false, false)
	c.Click(`input[name="take.windows.text"][value="theirs"]`)
	c.Click(`.save button`)
	c.See("The settings are saved.")
	if now, err := d.Settings(t.Context()); err != nil || now.Windows.Text != "theirs" || now.MacOS.Text != "only mine" || now.Windows.HelpURL != "https://theirs.example" {
		t.Errorf("they are %+v, %v", now, err)
	}
	c.Content()
}

// Hostile texts are text, in the preview, too; the frame gets at nothing of the page,
// and goes from screen to screen as a sign-in does.
func TestHostileSettingsInABrowser(t *testing.T) {
	d := newDesk(t)
	d.fillSettings()
	c := newChromium(t, d)
	c.Before(`window.alert = () => { (document.documentElement || document).dataset.hit = "yes" }`)
	for _, path := range []string{"settings", "settings/history", "settings/providers", "settings/providers/" + hostileProvider} {
		for _, phone := range []bool{false, true} {
			c.Screen(phone, false)
			c.Open(d.At.URL + Path + path)
			c.Await(`document.readyState == "complete"`)
			c.Look()
			c.Axe(path)
			if c.Is(`document.documentElement.dataset.hit`) != "undefined" {
				t.Errorf("%q runs what somebody typed", path)
			}
		}
	}
	c.Screen(false, false)
	c.visit("settings", "Settings")
	mac := c.mac()
	mac.See(hostile)
	if got := mac.Is(`document.querySelectorAll("img").length + " " + document.querySelectorAll("script:not([src])").length`); got != "1 0" {
		t.Errorf("what somebody typed is more than text in the frame: %s", got)
	}
	if got := mac.Is(`(() => { try { return String(parent.document.title) } catch { return "nothing" } })()`); got != "nothing" {
		t.Errorf("the frame reads the page: %s", got)
	}
	if got := mac.Is(`String(self.origin)`); got != "null" {
		t.Errorf("the frame has the origin %s", got)
	}
	mac.See("María Müller") // ours is in the place of Apple's
	mac.Run(`document.querySelector("button[value=start]").click()`)
	mac.See("Here people see the sign-in's own pages.")
	mac.Run(`document.querySelector("#visit button[value=elsewhere]").click()`)
	mac.See("Point the camera of your phone")
	c.Content()
}

// A provider is added and tested by the keyboard; each check is in words.
func TestProvidersInABrowser(t *testing.T) {
	d := newDesk(t)
	c := newChromium(t, d)
	c.visit("settings/providers", "Identity providers")
	c.Run(`document.querySelector("main a.button").focus()`)
	c.Key("\r")
	c.shows("Add an identity provider")
	c.Run(`document.querySelector("#name").focus()`)
	c.Key("Acme accounts\tACME\thttps://localhost:1\tfirstday\tsecret\t")
	c.Key("\r")
	c.See("Please look at 1 field again.")
	c.picture("provider-wrong-phone", true, false)
	c.Screen(false, false)
	if got := c.Is(`document.querySelector("#name").value + document.querySelector("#clientSecret").value`); got != "Acme accounts" {
		t.Errorf("what is typed is %q", got)
	}
	c.Run(`document.querySelector("#id").value = ""`)
	c.Write("#id", "acme")
	c.Write("#clientSecret", "secret\n")
	c.shows("Acme accounts")
	c.Run(`document.querySelector("main form button").focus()`)
	c.Key("\r")
	c.See("The provider says who it is")
	c.shows("Acme accounts")
	c.picture("provider-test", false, false)
	c.Run(`document.querySelector("main a.danger").focus()`)
	c.Key("\r")
	c.shows("Remove an identity provider")
	c.Run(`document.querySelector("main button.danger").focus()`)
	c.Key("\r")
	c.See("The identity provider Acme accounts is removed.")
	if list, err := d.Providers(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("there are %d, %v", len(list), err)
	}
	c.Content()
}
