package console

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/png"
	"maps"
	"mime/multipart"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
)

// hostileProvider is the id of a provider with hostile texts.
const hostileProvider = "evil"

// fillSettings sets and adds what an administrator may type, with hostile texts.
func (d *desk) fillSettings() {
	d.t.Helper()
	d.Change(func(s *api.Settings) {
		for _, p := range api.Platforms {
			mustFor(s, p).Text, mustFor(s, p).AccountName = hostile, hostile
		}
		s.Windows.Window, s.MacOS.Window = api.WindowWeb, api.WindowInstead
		s.Logo = picture(d.t)
	})
	d.Change(func(s *api.Settings) { s.Linux.SSAP = false })
	if _, err := d.CreateProvider(d.t.Context(), "token:"+hostile, &api.NewProvider{ClientSecret: "secret", ProviderConfig: api.ProviderConfig{
		ID: hostileProvider, Name: hostile[:50], Issuer: "https://login.example/<script>alert(1)</script>", ClientID: "<script>alert(1)</script>", Groups: []string{hostile},
	}}); err != nil {
		d.t.Fatal(err)
	}
}

// picture is a logo.
func picture(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, 8, 4))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// keysOf are the names that JSON has for the fields of a struct.
func keysOf(t *testing.T, value any) (keys []string) {
	t.Helper()
	kind := reflect.TypeOf(value)
	for i := range kind.NumField() {
		name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
		if name == "" {
			t.Fatalf("%s has no name", kind.Field(i).Name)
		}
		keys = append(keys, name)
	}
	return keys
}

// Each setting that there is stands on the page, so that none is forgotten; one that
// a platform does not have is no setting of it.
func TestEachSettingIsOnThePage(t *testing.T) {
	d := newDesk(t)
	page := d.get("settings").text
	var missing []string
	for _, key := range keysOf(t, api.Settings{}) {
		if _, err := new(api.Settings).For(api.Platform(key)); err != nil && !strings.Contains(page, `name="`+key+`"`) {
			missing = append(missing, key)
		}
	}
	// Those that Check refuses elsewhere, or that only Windows does anything with.
	some := map[string][]api.Platform{
		"pin": windowsOnly, "hello": windowsOnly, "signInBuilds": macOnly, "userList": macOnly, "signInWindow": withWindow, "signInOrigins": withWindow,
	}
	for _, key := range keysOf(t, api.PlatformSettings{}) {
		for _, p := range api.Platforms {
			wanted := some[key] == nil || slices.Contains(some[key], p)
			if name := string(p) + "." + key; wanted != strings.Contains(page, `name="`+name+`"`) || wanted != (settingOf(name) != nil) {
				missing = append(missing, name)
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("on the page there should be, or not: %v", missing)
	}
}

// form gives what a browser would send of the page of the settings.
func (d *desk) form() map[string]string {
	d.t.Helper()
	now, err := d.Settings(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	form := map[string]string{"revision": text(now.Revision), "preview.step": "ready"}
	maps.Copy(form, valuesOf(&now.Settings))
	form["logo.kept"] = form["logo"]
	delete(form, "logo")
	return form
}

// save sends a form of the settings.
func (d *desk) save(form map[string]string) answer {
	d.t.Helper()
	return d.post("settings", pairs(form)...)
}

func pairs(form map[string]string) (list []string) {
	for name, value := range form {
		list = append(list, name, value)
	}
	return list
}

// What is not touched stays to the letter, whatever the settings are; each that is
// changed arrives, and nothing else does.
func TestSettingsAreSaved(t *testing.T) {
	d := newDesk(t)
	full := api.Settings{SecondFactor: true, RecoveryKey: "age1" + strings.Repeat("q", 58), Logo: picture(t)}
	full.Windows = api.PlatformSettings{SSAP: true, Permission: api.Standard, Users: 5, Password: api.VerifyPassword, PIN: api.PINOffered, Hello: api.HelloOffered, Window: api.WindowWeb, Origins: []string{"https://login.example"}, Domains: []string{"acme.example"}, AccountName: "{first}", Text: "Ask", HelpURL: "https://help.example"}
	full.MacOS = api.PlatformSettings{Permission: api.Administrator, Password: api.ChoosePassword, PIN: api.PINRequired, Window: api.WindowInstead, Builds: []string{"25*", "24A1"}, UserList: api.ListFields}
	full.Linux = api.PlatformSettings{SSAP: true, Permission: api.Standard, Password: api.ChoosePassword, PIN: api.PINOff}
	for name, s := range map[string]api.Settings{"defaults": api.DefaultSettings(), "all": full} {
		d.Change(func(now *api.Settings) { *now = s })
		form := d.form()
		if a := d.save(form); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: %d\n%s", name, a.StatusCode, a.text)
		}
		if now, err := d.Settings(t.Context()); err != nil || cmp.Diff(s, now.Settings) != "" {
			t.Errorf("%s: what nobody touched is another (%v): %s", name, err, cmp.Diff(s, now.Settings))
		}
	}
	changes := map[string]string{
		"ssap": "", "permission": "administrator", "users": "0", "domains": "a.example\r\nb.example\r\n", "text": "Call <b>", "helpUrl": "https://a.example", "password": "verify",
		"pin": "off", "hello": "offered", "accountName": "{local}", "signInWindow": "off", "signInBuilds": "25A354", "userList": "fields", "signInOrigins": "https://x.example",
		"logo.kept": base64.StdEncoding.EncodeToString(picture(t)), "secondFactor": "", "recoveryKey": "age1" + strings.Repeat("q", 58),
	}
	for _, s := range settings {
		d.Change(func(now *api.Settings) { *now = api.DefaultSettings() })
		was, form := api.DefaultSettings(), d.form()
		_, key, platform := strings.Cut(s.Key, ".")
		field := s.Key
		if !platform {
			key = s.Key
			if key == "logo" {
				key, field = "logo.kept", "logo.kept"
			}
		}
		form[field] = changes[key]
		if a := d.save(form); a.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %d\n%s", s.Key, a.StatusCode, a.text)
			continue
		}
		now, err := d.Settings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		before, after := valuesOf(&was), valuesOf(&now.Settings)
		for other, value := range before {
			if (other == s.Key) == (after[other] == value) {
				t.Errorf("%s set to %q: %s is %q, was %q", s.Key, changes[key], other, after[other], value)
			}
		}
	}
}

// What is wrong is said at its field, for each field at once; nothing is saved, and
// all that was typed is still there.
func TestWrongSettings(t *testing.T) {
	d := newDesk(t)
	was, err := d.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wrongs := map[string]string{
		"windows.permission": "root", "windows.users": "1001", "windows.domains": "Ann@Acme", "windows.text": strings.Repeat("ä", 201), "windows.helpUrl": "javascript:alert(1)", "windows.password": "x",
		"windows.pin": "x", "windows.hello": "x", "windows.accountName": strings.Repeat("x", 101), "windows.signInWindow": "beside", "windows.signInOrigins": "http://x", "macos.signInBuilds": "*", "macos.userList": "x",
		"recoveryKey": "AGE-SECRET-KEY-1", "linux.helpUrl": "x",
	}
	for _, path := range []string{"settings", "settings/preview"} {
		form := d.form()
		maps.Copy(form, wrongs)
		form["macos.text"] = "kept <i>"
		form["logo.kept"] = "<script>"
		a := d.post(path, pairs(form)...)
		if a.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("%s: %d\n%s", path, a.StatusCode, a.text)
		}
		for key := range wrongs {
			if !strings.Contains(a.text, `id="`+key+`-error"`) {
				t.Errorf("%s says nothing of %s", path, key)
			}
		}
		if !strings.Contains(a.text, `id="logo-error"`) || !strings.Contains(a.text, `value="kept &lt;i&gt;"`) || strings.Contains(a.text, "<script>\"") {
			t.Errorf("%s loses what was typed:\n%s", path, a.text)
		}
	}
	form := d.form()
	form["windows.users"], form["windows.users.most"] = "some", "many"
	if a := d.save(form); !strings.Contains(a.text, `value="many"`) || a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a number of people that is none: %d", a.StatusCode)
	}
	for _, revision := range []string{"", "-1", "x", "99"} {
		form := d.form()
		form["revision"] = revision
		if a := d.save(form); a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusNotFound {
			t.Errorf("revision %q: %d", revision, a.StatusCode)
		}
	}
	if now, err := d.Settings(t.Context()); err != nil || now.Revision != was.Revision {
		t.Errorf("something was saved: %+v, %v", now, err)
	}
}

// uploadLogo sends the form with a file, as a browser does.
func (d *desk) uploadLogo(file []byte, more map[string]string) answer {
	d.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	form := d.form()
	maps.Copy(form, more)
	for name, value := range form {
		if err := w.WriteField(name, value); err != nil {
			d.t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("logo", "../../logo.png")
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return d.send(http.MethodPost, "settings", w.FormDataContentType(), &body)
}

// A logo is a PNG that is small; what was typed with one that is not is still there.
func TestLogo(t *testing.T) {
	d := newDesk(t)
	if a := d.uploadLogo(picture(t), nil); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d\n%s", a.StatusCode, a.text)
	}
	logo := func() []byte {
		now, err := d.Settings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return now.Logo
	}
	if !bytes.Equal(logo(), picture(t)) {
		t.Error("it is another one")
	}
	for what, file := range map[string][]byte{"no picture": []byte("GIF89a"), "half of one": picture(t)[:40], "too large": append(picture(t), make([]byte, api.MaxLogo)...), "a large one": make([]byte, 2<<20)} {
		a := d.uploadLogo(file, map[string]string{"macos.text": "kept"})
		if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, `id="logo-error"`) || !strings.Contains(a.text, `value="kept"`) {
			t.Errorf("%s: %d", what, a.StatusCode)
		}
	}
	if a := d.uploadLogo(make([]byte, maxSettings), nil); a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("more than may be: %d", a.StatusCode)
	}
	if a := d.uploadLogo(nil, nil); a.StatusCode != http.StatusSeeOther || logo() == nil {
		t.Errorf("without a file: %d, and the logo is gone", a.StatusCode)
	}
	if a := d.uploadLogo(nil, map[string]string{"logo.remove": "on"}); a.StatusCode != http.StatusSeeOther || logo() != nil {
		t.Errorf("removed: %d", a.StatusCode)
	}
}

// Of two people who change settings at once the second one sees what the first did,
// beside what they want themselves, and nothing of either is lost.
func TestSettingsChangedAtOnce(t *testing.T) {
	d := newDesk(t)
	form := d.form()
	form["windows.text"], form["macos.text"], form["windows.users"] = "mine <b>", "only mine", "0"
	d.Change(func(s *api.Settings) {
		s.Windows.Text, s.Windows.HelpURL, s.Windows.Users = "theirs <i>", "https://theirs.example", 0
	})
	a := d.save(form)
	if a.StatusCode != http.StatusConflict {
		t.Fatalf("%d\n%s", a.StatusCode, a.text)
	}
	for _, text := range []string{
		`name="revision" value="` + d.form()["revision"] + `"`, `name="take.windows.text" value="theirs"`, `theirs &lt;i&gt;`, `value="mine &lt;b&gt;"`, `value="only mine"`, `value="https://theirs.example"`, "Nothing is saved yet",
	} {
		if !strings.Contains(a.text, text) {
			t.Errorf("the page lacks %s:\n%s", text, a.text)
		}
	}
	for _, text := range []string{`name="take.windows.users"`, `name="take.macos.text"`, `name="take.windows.helpUrl"`} {
		if strings.Contains(a.text, text) {
			t.Errorf("the page asks by %s, where nobody differs", text)
		}
	}
	for take, want := range map[string]string{"mine": "mine <b>", "theirs": "theirs <i>"} {
		d.Change(func(s *api.Settings) { s.Windows.Text = "theirs <i>" })
		again := d.form()
		again["windows.text"], again["macos.text"], again["take.windows.text"] = "mine <b>", "only mine", take
		if a := d.save(again); a.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: %d\n%s", take, a.StatusCode, a.text)
		}
		now, err := d.Settings(t.Context())
		if err != nil || now.Windows.Text != want || now.MacOS.Text != "only mine" || now.Windows.HelpURL != "https://theirs.example" {
			t.Errorf("%s: %+v, %v", take, now, err)
		}
	}
}

// Each change is in the history, in words; one step leads back, unless somebody else
// was faster.
func TestSettingsHistory(t *testing.T) {
	d := newDesk(t)
	if a := d.get("settings/history"); !strings.Contains(a.text, "Nobody has changed the settings yet.") {
		t.Errorf("without a change:\n%s", a.text)
	}
	d.Change(func(s *api.Settings) { s.Windows.SSAP, s.MacOS.Domains = false, []string{"a.example", "b.example"} })
	d.Change(func(s *api.Settings) { s.Windows.Password, s.Logo = api.VerifyPassword, picture(t) })
	a := d.get("settings/history")
	for _, text := range []string{"Windows: Offer the sign-in: on → off", "macOS: E-mail domains that may sign in: nothing → <bdi>a.example, b.example</bdi>", "Windows: Password of the account: Chosen for the device → The same as in the directory", "Logo: nothing → <bdi>", "in force"} {
		if !strings.Contains(a.text, text) {
			t.Errorf("it lacks %q:\n%s", text, a.text)
		}
	}
	last := d.form()["revision"]
	changes, err := d.SettingsHistory(t.Context(), 0)
	if err != nil || len(changes) != 2 {
		t.Fatalf("%d changes, %v", len(changes), err)
	}
	first := text(changes[1].Revision)
	if a := d.post("settings/history/"+first, "revision", first); a.StatusCode != http.StatusConflict || !strings.Contains(a.text, "Return to these settings") {
		t.Errorf("from settings that are not in force: %d\n%s", a.StatusCode, a.text)
	}
	if a := d.post("settings/history/"+first, "revision", last); a.StatusCode != http.StatusSeeOther {
		t.Errorf("%d\n%s", a.StatusCode, a.text)
	}
	now, err := d.Settings(t.Context())
	if err != nil || now.Windows.SSAP || now.Windows.Password != api.ChoosePassword || now.Logo != nil || text(now.Revision) == last {
		t.Errorf("they are %+v, %v", now, err)
	}
	if a := d.post("settings/history/0", "revision", text(now.Revision)); a.StatusCode != http.StatusSeeOther {
		t.Errorf("to the beginning: %d\n%s", a.StatusCode, a.text)
	}
	if now, err = d.Settings(t.Context()); err != nil || cmp.Diff(api.DefaultSettings(), now.Settings) != "" {
		t.Errorf("they are not those of a new directory: %+v, %v", now, err)
	}
	for path, form := range map[string][]string{"settings/history/999": {"revision", last}, "settings/history/x": {"revision", last}, "settings/history/-1": {"revision", last}, "settings/history/" + first: nil} {
		if a := d.post(path, form...); a.StatusCode != http.StatusNotFound && a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
}

// What the Mac's window is told holds what was typed, before it is saved.
func TestPreviewShowsWhatIsTyped(t *testing.T) {
	d := newDesk(t)
	form := d.form()
	form["windows.text"], form["macos.text"], form["preview.step"], form["windows.signInWindow"] = "Ask </p><b>", `Ask "Ann" <b>`, "waiting", "qr"
	a := d.post("settings/preview", pairs(form)...)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("%d\n%s", a.StatusCode, a.text)
	}
	for _, text := range []string{`<p class="part part-note">Ask &lt;/p&gt;&lt;b&gt;</p>`, `class="beside-tile"`, "BCDF-GHJK", "Time left"} {
		if !strings.Contains(a.text, text) {
			t.Errorf("it lacks %s", text)
		}
	}
	told := toldOf(t, a.text)
	if told.Step != "waiting" || told.Screens["ready"].Text != `Ask "Ann" <b>` || told.Screens["pin"] != nil || told.Screens["ready"].Title != "Sign in with Acme" {
		t.Errorf("the window is told %+v", told)
	}
	form["windows.signInWindow"] = "off"
	if a := d.post("settings/preview", pairs(form)...); strings.Contains(a.text, `class="beside-tile"`) {
		t.Error("the window is there though it is switched off")
	}
	form["windows.ssap"], form["macos.signInWindow"] = "", "off"
	a = d.post("settings/preview", pairs(form)...)
	if !strings.Contains(a.text, "On Windows nothing is offered") || !strings.Contains(a.text, "There is no window at the login of Macs.") {
		t.Errorf("what is off is shown:\n%s", a.text)
	}
	if now, err := d.Settings(t.Context()); err != nil || text(now.Revision) != form["revision"] {
		t.Errorf("a preview saves: %+v, %v", now, err)
	}
}

func toldOf(t *testing.T, page string) (told toldMac) {
	t.Helper()
	_, rest, found := strings.Cut(page, `data-told="`)
	text, _, ends := strings.Cut(rest, `"`)
	if !found || !ends {
		t.Fatalf("the window is told nothing:\n%s", page)
	}
	if err := json.Unmarshal([]byte(strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&#43;", "+", "&amp;", "&").Replace(text)), &told); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return told
}

// Who may not change settings sees them, and no button.
func TestSettingsForReaders(t *testing.T) {
	d := newDesk(t)
	for _, role := range []api.Role{api.Technician, api.Auditor} {
		d.role = role
		a := d.get("settings?preview.step=password")
		if strings.Contains(a.text, "Save the settings") || strings.Contains(a.text, `action="/console/settings" enctype`) || !strings.Contains(a.text, "disabled") || !strings.Contains(a.text, `Choose a password`) {
			t.Errorf("%s sees\n%s", role, a.text)
		}
		if a := d.get("settings/history"); strings.Contains(a.text, "Return to these settings") {
			t.Errorf("%s may return", role)
		}
	}
}

// Whatever is typed for a setting, it is wrong at its field, or settings that may be
// come of it, which the page shows as they are.
func FuzzSetting(f *testing.F) {
	for i, text := range []string{"", "on", "0", "1000", "standard", "a.example\nb.example", "https://login.example", hostile, "25*", "age1", "iVBORw0KGgo=", "\xff\x00"} {
		f.Add(uint8(i), text)
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		s := settings[int(which)%len(settings)]
		was := api.DefaultSettings()
		if s.check(text) != nil {
			return
		}
		typed := valuesOf(&was)
		typed[s.Key] = text
		now, err := typed.on(&was)
		if err != nil || now.Check() != nil {
			t.Fatalf("%s set to %q: %v, %v", s.Key, text, err, now.Check())
		}
		again := valuesOf(now)
		for key, value := range valuesOf(&was) {
			if key != s.Key && again[key] != value {
				t.Errorf("%s set to %q changes %s", s.Key, text, key)
			}
		}
		if next, err := again.on(now); err != nil || cmp.Diff(now, next) != "" {
			t.Errorf("%s set to %q is another when the page is saved again: %v", s.Key, text, err)
		}
	})
}
