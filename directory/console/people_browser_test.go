package console

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// Somebody adds a user by the keyboard alone, disables them, and imports a list.
func TestUsersInABrowser(t *testing.T) {
	d := newDesk(t)
	c := newChromium(t, d)
	c.visit("users", "Users")
	c.picture("users-none", false, false)
	c.Run(`document.querySelector("main a.button").focus()`)
	c.Key("\r")
	c.shows("Add a user")
	c.Run(`document.querySelector("#name").focus()`)
	c.Key("Ann Example\tAnn Example\tann@acme.example\r")
	c.See("The request was malformed.")
	if got := c.Is(`document.querySelector("#email").value`); got != "ann@acme.example" {
		t.Errorf("what was typed is %q now", got)
	}
	c.picture("user-wrong-phone", true, false)
	c.Screen(false, false)
	c.Write("#name", "ann\n")
	c.shows("The temporary password")
	c.picture("user-password", false, false)
	c.Run(`document.querySelector("main a.button").focus()`)
	c.Key("\r")
	c.shows("Ann Example")
	c.live()
	key := d.mint(api.NewConnectKey{Label: "Lyon"})
	device := d.enroll(key.Secret, laptop("5CG1234XYZ"))
	if err := d.Bind(t.Context(), "token:ann", device.DeviceID, "ann"); err != nil {
		t.Fatal(err)
	}
	c.See("waits for their sign-in")
	c.picture("user", false, false)
	c.picture("user-phone-dark", true, true)
	c.Screen(false, false)
	c.Run(`document.querySelector("main a.danger").focus()`)
	c.Key("\r")
	c.shows("Disable a user")
	c.Run(`document.querySelector("main button.danger").focus()`)
	c.Key("\r")
	c.shows("Ann Example")
	c.See("Ann Example is disabled.")
	c.visit("users/import", "Import users")
	c.Write("#list", "name,fullName\nann,Ann\nbob,Bob Example")
	c.Run(`document.querySelector("main form button").focus()`)
	c.Key("\r")
	c.shows("What the import would do")
	c.See("1 line cannot be imported.")
	c.picture("user-import-wrong", false, true)
	c.Screen(false, false)
	c.Click("main a.button")
	c.shows("Import users")
	c.Write("#list", "name,fullName\nbob,Bob Example\ncarl,Carl Example")
	c.Click("main form button")
	c.shows("What the import would do")
	c.Run(`document.querySelector("main form button").focus()`)
	c.Key("\r")
	c.shows("The users are there")
	if got := c.Is(`document.querySelector("#passwords").value`); !strings.Contains(got, "bob,") || !strings.Contains(got, "carl,") {
		t.Error("the passwords are not all there")
	}
	c.visit("users?text=example", "Users")
	c.picture("users", false, false)
	c.picture("users-phone", true, false)
	c.Screen(false, false)
	c.Click(`button[value="de"]`)
	c.shows("Personen")
	c.picture("users-german", false, false)
	c.Content()
}

// Somebody makes an order by the keyboard alone, and sees its devices come without
// reloading.
func TestOrdersInABrowser(t *testing.T) {
	d := newDesk(t)
	c := newChromium(t, d)
	c.visit("orders", "Orders")
	c.Run(`document.querySelector("main a.button").focus()`)
	c.Key("\r")
	c.shows("Make an order")
	c.Run(`document.querySelector("#po").focus()`)
	c.Key("PO-4711\tBox Ltd")
	c.Write("#serials", "5CD1\n5CD2\n5CD3\n5CD1")
	c.Run(`document.querySelector("main form button").focus()`)
	c.Key("\r")
	c.See("5CD1 stands in line 1 already")
	c.picture("order-wrong-phone", true, false)
	c.Screen(false, false)
	c.Write("#serials", "5CD1\n5CD2\n5CD3")
	c.Click("main form button")
	c.shows("PO-4711")
	c.See("0 of 3 devices")
	c.live()
	orders, err := d.Orders(t.Context(), "PO-4711", uuid.Nil)
	if err != nil || len(orders) != 1 {
		t.Fatalf("%d orders, %v", len(orders), err)
	}
	key := d.mint(api.NewConnectKey{OrderID: orders[0].ID})
	d.enroll(key.Secret, laptop("5CD2"))
	c.See("1 of 3 devices")
	if _, err := d.Enroll(t.Context(), request(t, key.Secret, laptop("5CD9")), "192.0.2.1"); err == nil {
		t.Fatal("5CD9 is in")
	}
	c.See("5CD9")
	c.Click("#figures summary")
	c.See("Seen until its end")
	c.picture("order", false, false)
	c.picture("order-dark", false, true)
	c.picture("order-phone", true, false)
	c.Screen(false, false)
	c.Run(`document.querySelector("main a.danger").focus()`)
	c.Key("\r")
	c.shows("Close an order")
	c.Run(`document.querySelector("main button.danger").focus()`)
	c.Key("\r")
	c.See("The order PO-4711 is closed.")
	c.visit("orders", "Orders")
	c.picture("orders", false, false)
	c.Click(`button[value="de"]`)
	c.shows("Bestellungen")
	c.picture("orders-german", false, false)
	c.Content()
}
