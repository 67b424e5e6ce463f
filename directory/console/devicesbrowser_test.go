package console

import (
	"fmt"
	"strings"
	"testing"

	"firstday.dev/api"
)

// A device enrols, and its row appears: without reloading, with the focus and what
// was chosen where they were, and in its place.
func TestDevicesAppearByThemselves(t *testing.T) {
	d := newDesk(t)
	c := newChromium(t, d)
	key := d.mint(api.NewConnectKey{Label: "Lyon", Uses: 100})
	ids := d.fleet()
	c.visit("devices", "Devices")
	c.live()
	c.Run(`window.same = true`)
	chosen, focused := "choose-"+ids["W2"].String(), "to-"+ids["W1"].String()
	c.Run(fmt.Sprintf(`document.getElementById(%q).click()`, chosen))
	c.Run(fmt.Sprintf(`document.getElementById(%q).focus()`, focused))
	before, after := laptop("0-first"), laptop("last")
	before.Name, after.Name = "AAA", "ZZZ"
	for _, f := range []api.Facts{before, after} {
		id := d.enroll(key.Secret, f).DeviceID.String()
		c.Await(fmt.Sprintf(`document.getElementById("device-%s")`, id))
	}
	for script, want := range map[string]string{
		`document.activeElement.id`:                                focused,
		fmt.Sprintf(`document.getElementById(%q).checked`, chosen): "true",
		`document.querySelectorAll("main input:checked").length`:   "1",
		`document.querySelector("tbody tr th bdi").textContent`:    "AAA",
		`[...document.querySelectorAll("tbody tr")].length`:        "6",
		`window.same`: "true",
	} {
		if got := c.Is(script); got != want {
			t.Errorf("%s is %q, not %q", script, got, want)
		}
	}
	// One goes, and the others stay as they are.
	if err := d.RemoveDevice(t.Context(), "token:ann", ids["P1"]); err != nil {
		t.Fatal(err)
	}
	c.Await(fmt.Sprintf(`!document.getElementById("device-%s")`, ids["P1"]))
	if got := c.Is(`document.activeElement.id`); got != focused {
		t.Errorf("the focus is at %q", got)
	}
	c.Content()
}

// An administrator finds devices, and does something to some of them, by the keyboard
// alone; and looks at it in light and dark, on a telephone and in German.
func TestDevicesInABrowser(t *testing.T) {
	d := newDesk(t)
	ids := d.fleet()
	c := newChromium(t, d)
	c.visit("", "Home")
	c.See("the disk is full")
	c.picture("home", false, false)
	c.picture("home-phone-dark", true, true)
	c.Screen(false, false)
	c.Run(`document.querySelector(".tiles .wait a").focus()`)
	c.Key("\r")
	c.shows("Devices")
	c.See("1 device")
	c.Run(`document.querySelector("#text").focus()`)
	c.Key("laptop\r")
	c.Await(`location.search.includes("text=laptop")`)
	c.Await(`location.search.includes("state=pending")`)
	c.visit("devices", "Devices")
	c.picture("devices", false, false)
	c.picture("devices-dark", false, true)
	c.picture("devices-phone", true, false)
	c.Screen(false, false)
	for _, serial := range []string{"P1", "M1"} {
		c.Run(fmt.Sprintf(`document.getElementById("choose-%s").focus()`, ids[serial]))
		c.Key(" ")
	}
	c.Run(`document.querySelector("button[formaction$=approve]").focus()`)
	c.Key("\r")
	c.shows("Approve devices")
	c.See("This is about 2 devices:")
	c.picture("devices-approve", false, false)
	c.Run(`document.querySelector("main form button").focus()`)
	c.Key("\r")
	c.See("Done with 2 devices.")
	c.shows("Approve devices")
	c.picture("devices-approved-phone", true, false)
	c.Screen(false, false)
	if v, err := d.Directory.Device(t.Context(), ids["P1"]); err != nil || v.State != api.DeviceActive {
		t.Errorf("it is not approved: %v", err)
	}
	c.visit("devices", "Devices")
	c.Click(`button[value="de"]`)
	c.shows("Geräte")
	c.picture("devices-german", false, false)
	c.Content()
}

// A device's page changes by itself while somebody types into it, and does what it is
// asked to; the sealed password is shown with what opens it.
func TestDeviceInABrowser(t *testing.T) {
	d := newDesk(t)
	ids := d.fleet()
	id := ids["M1"]
	c := newChromium(t, d)
	if _, err := d.Escrow(t.Context(), id, &api.EscrowRequest{Account: "rescue", Sealed: []byte(strings.Repeat("sealed ", 40)), RecoveryKey: recipient}); err != nil {
		t.Fatal(err)
	}
	c.visit("devices/"+id.String(), "mac")
	c.live()
	c.picture("device", false, false)
	c.picture("device-phone-dark", true, true)
	c.Screen(false, false)
	c.Run(`document.querySelector("#user").focus()`)
	c.Key("nobo")
	if err := d.SetDeviceSSAP(t.Context(), "token:ann", id, true); err != nil {
		t.Fatal(err)
	}
	c.See("sign-in off here")
	c.Key("dy\r")
	c.See("There is no user nobody.")
	c.shows("mac")
	c.Write("#user", "ann\n")
	c.See("ann has the device from now on; the account waits for them.")
	c.See("Example ann")
	c.Run(`document.querySelector("a[href$='unbind?user=ann']").focus()`)
	c.Key("\r")
	c.shows("Take the device from a person")
	c.picture("device-unbind", false, true)
	c.Run(`document.querySelector("main button.danger").focus()`)
	c.Key("\r")
	c.shows("mac")
	c.See("account disabled")
	c.Run(`document.querySelector("a[href$=reveal]").focus()`)
	c.Key("\r")
	c.shows("Break-glass password")
	c.picture("device-reveal", false, false)
	c.Run(`document.querySelector("#reason").focus()`)
	c.Key("ticket 4711\r")
	c.shows("The sealed password")
	c.See("firstday device open")
	c.picture("device-revealed-phone", true, false)
	c.Screen(false, false)
	c.Click("main a.button")
	c.shows("mac")
	c.See("ticket 4711")
	c.Click(`button[value="de"]`)
	c.SeeTitle("mac")
	c.See("Was es gebracht hat")
	c.picture("device-german", false, false)
	c.Content()
}
