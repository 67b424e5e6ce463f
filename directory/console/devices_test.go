package console

import (
	"encoding/csv"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/simulate/employee"
)

// fleet are some devices that differ, by their serial numbers.
func (d *desk) fleet() map[string]uuid.UUID {
	d.t.Helper()
	ids := make(map[string]uuid.UUID)
	lyon := d.mint(api.NewConnectKey{Label: "Lyon", Batch: "spring", Tags: []string{"sales"}})
	store := d.mint(api.NewConnectKey{Label: "store", Approval: true})
	mac := api.Facts{Platform: api.MacOS, Serial: "M1", Name: "mac", OS: "macOS", OSVersion: "26.1", Arch: "arm64", AgentVersion: "1.0.0", KeyStorage: api.KeyInFile, Problems: []string{"the disk is full"}}
	for _, f := range []api.Facts{laptop("W1"), laptop("W2"), mac} {
		ids[f.Serial] = d.enroll(lyon.Secret, f).DeviceID
	}
	ids["P1"] = d.enroll(store.Secret, laptop("P1")).DeviceID
	d.user("ann")
	if err := d.Bind(d.t.Context(), "token:ann", ids["W1"], "ann"); err != nil {
		d.t.Fatal(err)
	}
	d.Change(func(s *api.Settings) { s.MacOS.SSAP, s.MacOS.Password = true, api.ChoosePassword })
	d.signIn(ids["M1"], d.MustHire("bob"))
	if err := d.SetDeviceSSAP(d.t.Context(), "token:ann", ids["W2"], true); err != nil {
		d.t.Fatal(err)
	}
	return ids
}

// user makes somebody who may have a device.
func (d *desk) user(name string) {
	d.t.Helper()
	if _, err := d.CreateUsers(d.t.Context(), "token:ann", []api.NewUser{{Name: name, FullName: "Example " + name}}); err != nil {
		d.t.Fatal(err)
	}
}

// signIn has somebody sign in on a device, where an account is made for them.
func (d *desk) signIn(device uuid.UUID, who *employee.Employee) {
	d.t.Helper()
	started, err := d.StartSignIn(d.t.Context(), device, new(api.SignInRequest), "192.0.2.7")
	if err != nil {
		d.t.Fatal(err)
	}
	number, err := who.SignIn(d.t.Context(), d.At, d.signInAddress(started))
	if err != nil {
		d.t.Fatal(err)
	}
	ticket, err := d.Token(d.t.Context(), device, &api.TokenRequest{DeviceCode: started.DeviceCode, Number: number})
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.CompleteSignIn(d.t.Context(), device, &api.CompleteRequest{Ticket: ticket.Ticket, Account: who.Name, AccountID: "1000"}); err != nil {
		d.t.Fatal(err)
	}
}

// signInAddress is where somebody signs in whose browser has no name for the
// directory.
func (d *desk) signInAddress(started *api.SignInResponse) string {
	return strings.Replace(started.VerificationURIComplete, d.PagesURL, d.At.URL, 1)
}

// rows are the serial numbers of the devices in a list, as they stand there.
func rows(t *testing.T, a answer, ids map[string]uuid.UUID) string {
	t.Helper()
	if a.StatusCode != http.StatusOK {
		t.Errorf("%s: %d\n%s", a.Request.URL, a.StatusCode, a.text)
	}
	names := make(map[string]string)
	for serial, id := range ids {
		names[id.String()] = serial
	}
	var found []string
	for _, row := range regexp.MustCompile(`<tr id="device-([^"]+)"`).FindAllStringSubmatch(a.text, -1) {
		found = append(found, names[row[1]])
	}
	return strings.Join(found, " ")
}

// The list shows what the address asks for, and its file holds the same.
func TestDevicesByWhatTheAddressAsks(t *testing.T) {
	d := newDesk(t)
	ids := d.fleet()
	key := func(serial string) string {
		device, err := d.Directory.Device(t.Context(), ids[serial])
		if err != nil {
			t.Fatal(err)
		}
		return device.KeyID.String()
	}
	for asked, want := range map[string]string{
		"": "P1 W1 W2 M1", "sort=serial": "M1 P1 W1 W2", "sort=serial&down=1": "W2 W1 P1 M1", "text=laptop-w": "W1 W2", "text=ann": "W1",
		"platform=macos": "M1", "platform=&state=": "P1 W1 W2 M1", "state=pending": "P1", "state=waiting": "W1 W2", "state=signed-in": "M1", "state=trouble": "M1", "state=off": "W2",
		"key=" + key("P1"): "P1", "batch=spring": "W1 W2 M1", "tag=sales&platform=windows": "W1 W2", "problem=the+disk+is+full": "M1",
		"happened=assigned&since=2020-01-01T00:00:00Z": "W1", "happened=bound&since=2020-01-01T00:00:00Z": "M1", "happened=enrolled&since=2020-01-01T00:00:00Z": "P1 W1 W2 M1", "happened=enrolled&since=2999-01-01T00:00:00Z": "",
		"text=nothing+like+it": "", "limit=1": "P1 W1 W2 M1", "package=" + uuid.NewString(): "", "order=" + uuid.NewString(): "",
	} {
		if got := rows(t, d.get("devices?"+asked), ids); got != want {
			t.Errorf("%q shows %q", asked, got)
		}
		records, err := csv.NewReader(strings.NewReader(d.get("devices/export?" + asked).text)).ReadAll()
		if err != nil || len(records) == 0 {
			t.Fatalf("%q: %v", asked, err)
		}
		var serials []string
		for _, r := range records[1:] {
			serials = append(serials, r[5])
		}
		if got := strings.Join(serials, " "); got != want {
			t.Errorf("the file of %q holds %q", asked, got)
		}
	}
	a := d.get("devices/export")
	if a.Header.Get("Content-Disposition") != "attachment; filename=devices.csv" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv") {
		t.Errorf("the file is %v", a.Header)
	}
}

// What is no filter is told above the list, and what was typed stays.
func TestDevicesRefuseWhatIsNoFilter(t *testing.T) {
	d := newDesk(t)
	d.fleet()
	for _, asked := range []string{
		"text=" + strings.Repeat("a+", 20), "text=" + strings.Repeat("a", 300), "platform=beos", "state=lost", "key=1", "order=x", "package=%00", "sort=colour",
		"after=nonsense", "after=e30", "happened=enrolled", "happened=exploded&since=2020-01-01T00:00:00Z", "since=yesterday", "problem=" + strings.Repeat("p", 300),
	} {
		a := d.get("devices?batch=kept&" + asked)
		if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.text, `role="alert"`) || !strings.Contains(a.text, `value="kept"`) {
			t.Errorf("%q: %d\n%s", asked, a.StatusCode, a.text)
		}
		if strings.Contains(a.text, "No device") {
			t.Errorf("%q is said to find nothing", asked)
		}
	}
	if a := d.get("devices/export?sort=colour"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a file of nothing: %d", a.StatusCode)
	}
}

// A long list is turned over page by page, and the filter and the order stay.
func TestDevicesPages(t *testing.T) {
	d := newDesk(t)
	key := d.mint(api.NewConnectKey{Uses: devicesShown + 5, Batch: "many & more"})
	for i := range devicesShown + 5 {
		d.enroll(key.Secret, laptop(fmt.Sprintf("S%03d", i)))
	}
	a := d.get("devices?batch=many+%26+more&sort=serial&down=1")
	if !strings.Contains(a.text, "55 devices") || !strings.Contains(a.text, "all 55 that the filter shows") {
		t.Errorf("the number is missing:\n%s", a.text)
	}
	next := regexp.MustCompile(`href="/console/(devices\?[^"]*after=[^"]*)"`).FindStringSubmatch(a.text)
	if next == nil {
		t.Fatalf("no next page:\n%s", a.text)
	}
	a = d.get(html.UnescapeString(next[1]))
	if n := strings.Count(a.text, `<tr id="device-`); n != 5 {
		t.Errorf("the second page has %d devices", n)
	}
	if !strings.Contains(a.text, "S000") || strings.Contains(a.text, "Next page") || !strings.Contains(a.text, "First page") {
		t.Errorf("the second page is another:\n%s", a.text)
	}
}

// Spreadsheets run nothing of what devices say.
func TestDevicesExportIsInert(t *testing.T) {
	d := newDesk(t)
	f := laptop(`=HYPERLINK("https://evil.example")`)
	d.enroll(d.mint(api.NewConnectKey{}).Secret, f)
	records, err := csv.NewReader(strings.NewReader(d.get("devices/export").text)).ReadAll()
	if err != nil || len(records) != 2 || records[1][5] != "'"+f.Serial {
		t.Errorf("%q, %v", records, err)
	}
}

// Each number of the first page is as large as the list that it leads to, whatever
// the clock says in between.
func TestNumbersLeadToTheirLists(t *testing.T) {
	d := newDesk(t)
	if a := d.get(""); !strings.Contains(a.text, "No device has come yet.") {
		t.Errorf("an empty fleet:\n%s", a.text)
	}
	d.fleet()
	a := d.get("")
	tiles := regexp.MustCompile(`<a href="/console/(devices[^"]*)"><span class="figure">(\d+)</span>`).FindAllStringSubmatch(a.text, -1)
	if len(tiles) != 7 {
		t.Fatalf("%d numbers:\n%s", len(tiles), a.text)
	}
	for _, tile := range tiles {
		want, _ := strconv.Atoi(tile[2])
		list := d.get(html.UnescapeString(tile[1]))
		if n := strings.Count(list.text, `<tr id="device-`); n != want || list.StatusCode != http.StatusOK {
			t.Errorf("%s: %d devices, not %d", tile[1], n, want)
		}
	}
	trouble := regexp.MustCompile(`<a href="/console/(devices\?problem=[^"]*)"><bdi>the disk is full</bdi></a>`).FindStringSubmatch(a.text)
	if trouble == nil {
		t.Fatalf("it does not say what the trouble is:\n%s", a.text)
	}
	if list := d.get(html.UnescapeString(trouble[1])); strings.Count(list.text, `<tr id="device-`) != 1 {
		t.Errorf("the trouble leads to\n%s", list.text)
	}
}

// Home tells what ends, with the page where something is done about it.
func TestHomeTellsWhatEnds(t *testing.T) {
	d := newDesk(t)
	key := d.mint(api.NewConnectKey{Label: "Lyon", Life: api.Duration(48 * 3600 * 1e9)})
	d.fleet()
	a := d.get("")
	if !strings.Contains(a.text, `<a href="/console/keys/`+key.ID.String()+`"><bdi>Lyon</bdi></a>`) || !strings.Contains(a.text, "ends soon") {
		t.Errorf("the key that ends is missing:\n%s", a.text)
	}
}

// values are fields of a form.
func values(pairs ...string) url.Values {
	form := make(url.Values)
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return form
}

// Many devices are named before something is done to them, and each tells what became
// of it afterwards.
func TestManyDevices(t *testing.T) {
	d := newDesk(t)
	ids := d.fleet()
	chosen := values("query", "state=pending", "id", ids["P1"].String(), "id", ids["M1"].String(), "id", ids["P1"].String())
	a := d.get("devices/bulk/approve?" + chosen.Encode())
	for _, want := range []string{"This is about 2 devices:", "LAPTOP-P1", ">mac<", `href="/console/devices?state=pending"`, ids["M1"].String()} {
		if !strings.Contains(a.text, want) {
			t.Errorf("the question lacks %q:\n%s", want, a.text)
		}
	}
	if err := d.RemoveDevice(t.Context(), "token:ann", ids["M1"]); err != nil {
		t.Fatal(err)
	}
	a = d.do(http.MethodPost, "devices/bulk/approve", chosen)
	for _, want := range []string{"Done with 1 device.", "1 device is as it was:", "conflict", "the device is removed"} {
		if !strings.Contains(a.text, want) {
			t.Errorf("the outcome lacks %q:\n%s", want, a.text)
		}
	}
	if v, err := d.Directory.Device(t.Context(), ids["P1"]); err != nil || v.State != api.DeviceActive {
		t.Errorf("it is not approved: %v", err)
	}
	for action, state := range map[string]bool{"sign-in-off": true, "sign-in-on": false} {
		d.post("devices/bulk/"+action, "id", ids["P1"].String())
		if v, err := d.Directory.Device(t.Context(), ids["P1"]); err != nil || v.SSAPOff != state {
			t.Errorf("after %s it is off: %v, %v", action, v.SSAPOff, err)
		}
	}
	if a = d.get("devices/bulk/remove"); !strings.Contains(a.text, "No device is chosen.") {
		t.Errorf("nothing is chosen:\n%s", a.text)
	}
	for _, form := range []url.Values{values(), values("id", "x"), values("all", "1", "query", "state=lost", "count", "1"), values("all", "1", "query", "%zz", "count", "1"), values("all", "1", "query", "")} {
		if a = d.do(http.MethodPost, "devices/bulk/remove", form); a.StatusCode != http.StatusBadRequest {
			t.Errorf("%v: %d", form, a.StatusCode)
		}
	}
	if a = d.do(http.MethodPost, "devices/bulk/remove", values("id", uuid.NewString())); a.StatusCode != http.StatusNotFound {
		t.Errorf("a device that is none: %d", a.StatusCode)
	}
}

// All that a filter finds are as many as the page said, or nothing is done.
func TestAllThatTheFilterFinds(t *testing.T) {
	d := newDesk(t)
	d.fleet()
	a := d.get("devices/bulk/remove?all=1&query=" + url.QueryEscape("platform=windows"))
	if !strings.Contains(a.text, "This is about 3 devices:") || !strings.Contains(a.text, `name="count" value="3"`) {
		t.Fatalf("the question is\n%s", a.text)
	}
	d.enroll(d.mint(api.NewConnectKey{}).Secret, laptop("W9"))
	form := values("all", "1", "query", "platform=windows", "count", "3")
	if a = d.do(http.MethodPost, "devices/bulk/remove", form); a.StatusCode != http.StatusConflict || !strings.Contains(a.text, "4 devices by now, not 3") || !strings.Contains(a.text, "This is about 4 devices:") {
		t.Errorf("another device came: %d\n%s", a.StatusCode, a.text)
	}
	form.Set("count", "4")
	if a = d.do(http.MethodPost, "devices/bulk/remove", form); !strings.Contains(a.text, "Done with 4 devices.") {
		t.Errorf("%d\n%s", a.StatusCode, a.text)
	}
	left, err := d.SearchDevices(t.Context(), api.DeviceQuery{})
	if err != nil || left.Total != 1 {
		t.Errorf("%d devices are left, %v", left.Total, err)
	}
}
