//go:build unix

package page

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What there is to know, restarting and shutting down.
func panels(t *testing.T, s *sight) {
	w := s.opens(newMac(t))
	w.See("Admin of Acme")
	w.tab("#info")
	w.Key("\r")
	for _, text := range []string{"ACME-MAC-1", "C02ABC123", "MacBook Air (M2)", "macOS 26.1 (25B78)", "1.2.3", "Wi-Fi (en0)", "192.0.2.17 · 02:00:5e:10:00:01", "Ethernet (en5)", "02:00:5e:10:00:02"} {
		w.See(text)
	}
	w.look("info")
	for range 3 { // the focus stays in the panel
		w.Key("\t")
		if w.Is(`document.getElementById("panel").contains(document.activeElement)`) != "true" {
			t.Error("Tab leaves the panel")
		}
	}
	w.Key("\r")
	w.SeeNo("#panel")
	w.Await(`document.activeElement.id == "info"`)

	w.tab("#restart")
	w.Key("\r")
	w.See("Restart this Mac?")
	w.look("restart")
	w.desk.says("power", "error others\n")
	w.Click("#panel .primary")
	w.See("Other people are logged in; they have to log out first.")
	w.look("others")
	w.desk.says("power", "error failed\n")
	w.Click("#panel .primary")
	w.See("This did not work. Please try again.")
	w.desk.says("power", "") // the service answers
	w.Click("#panel .primary")
	w.See("One moment.")
	w.Key("\x1b")
	w.Click("#shutdown")
	w.See("Shut down this Mac?")
	w.Click("#panel .primary")
	w.See("One moment.")
	if diff := cmp.Diff([]string{"power restart", "power restart", "power restart", "power shutdown"}, w.desk.heard("power")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Each language is drawn, its direction with it, and each sentence of the service is
// found in it.
func languages(t *testing.T, s *sight) {
	m := newMac(t)
	m.desk.logo = picture()
	w := s.opens(m)
	w.Await(`!document.getElementById("logo").hidden && document.getElementById("logo").naturalWidth == 10`)
	all, err := json.Marshal(examples(t))
	if err != nil {
		t.Fatal(err)
	}
	for tag, see := range map[string]string{"de": "Mit Acme anmelden", "fr": "S’identifier avec Acme", "es": "Identificarse con Acme", "ar": "تسجيل الدخول عبر Acme"} {
		w.Click("#language")
		w.look("languages, before " + tag)
		w.Click("input[value=" + tag + "]")
		w.Key("\x1b")
		w.See(see)
		w.look(tag)
		rtl := w.Is(`getComputedStyle(document.body).direction`) == "rtl"
		if lang := w.Is(`document.documentElement.lang`); lang != tag || rtl != (tag == "ar") {
			t.Errorf("%s is of the language %s, from right to left: %v", tag, lang, rtl)
		}
		lost := w.Is(`JSON.stringify(` + string(all) + `.filter(text => { const got = words.translate(text); return got === text || text.includes("Zoë 7") && !got.includes("Zoë 7"); }))`)
		if lost != "[]" && lost != `["PIN"]` {
			t.Errorf("%s does not find %s", tag, lost)
		}
		w.Click("#network")
		w.look("network, " + tag)
		w.Key("\x1b")
		w.Click("#info")
		w.look("info, " + tag)
		w.Key("\x1b")
	}
	for want, tags := range map[string]string{"ar": `["ar-EG", "en"]`, "de": `["xx", "de-AT"]`, "en": `["en-GB", "de"]`} {
		if got := w.Is(`(words.choose(` + tags + `), words.language)`); got != want {
			t.Errorf("%s are %s", tags, got)
		}
	}
}

// examples are sentences as the service says them.
func examples(t *testing.T) (all []string) {
	for _, s := range fromService(t) {
		all = append(all, strings.ReplaceAll(s, "{}", "Zoë 7"))
	}
	return append(all, "Your account Zoë 7 is ready. This device cannot keep a PIN. Please sign in with your password.", "That is not your PIN. 3 tries are left.",
		"Choose a password for your account on this device. At least 8 characters.", "Welcome, Dr. Zoë 7. von Example", "Sign in with your organisation")
}
