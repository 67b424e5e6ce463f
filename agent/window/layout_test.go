package window

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
)

// wordy measures as wide as the widest of Windows' own fonts: letters of CJK are
// squares, all others six tenths as wide as they are high.
func wordy(f font, text string, width int) (w, h int) {
	letter := func(r rune) int {
		if r >= 0x2e80 {
			return f.height
		}
		return f.height * 6 / 10
	}
	lines, x := 1, 0
	for word := range strings.SplitSeq(text, " ") {
		wide := 0
		for _, r := range word {
			wide += letter(r)
		}
		if x > 0 {
			if x += letter(' '); x+wide > width {
				lines, x = lines+1, 0
			}
		}
		for _, r := range word { // words of more than a line are broken anywhere
			if x > 0 && x+letter(r) > width {
				lines, x = lines+1, 0
			}
			x += letter(r)
			w = max(w, x)
		}
	}
	return w, lines * f.height * 4 / 3
}

// The texts in languages that are short, long, high, wide, and turned round.
var languages = map[string]struct{ title, message, number, next, cancel, text string }{
	"English": {
		"Sign in with Acme", "Point the camera of your phone at the picture, or open the address and type the code.",
		"Number", "Next", "Cancel", "Questions? Call IT: 4711.",
	},
	"German": {
		"Mit Donaudampfschifffahrtsgesellschaft anmelden",
		"Richten Sie die Kamera Ihres Mobiltelefons auf das Bild, oder öffnen Sie die Internetadresse und geben Sie dort den Anmeldecode ein.",
		"Bestätigungsnummer", "Weiter", "Anmeldung abbrechen", "Fragen? Die Benutzerunterstützung erreichen Sie unter der Durchwahl 4711, werktags von 8 bis 18 Uhr.",
	},
	"Finnish": {
		"Kirjaudu sisään Acmen tunnuksilla", "Suuntaa puhelimesi kamera kuvaan tai avaa verkko-osoite ja kirjoita kirjautumistunnistuskoodi.",
		"Vahvistusnumero", "Seuraava", "Peruuta", "Kysyttävää? Järjestelmänvalvojan puhelinneuvonta palvelee numerossa 4711.",
	},
	"Japanese": {
		"Acmeでサインイン", "携帯電話のカメラを画像に向けるか、アドレスを開いてコードを入力してください。",
		"番号", "次へ", "キャンセル", "ご質問はIT部門(4711)までお電話ください。",
	},
	"Arabic": {
		"تسجيل الدخول باستخدام Acme", "وجّه كاميرا هاتفك نحو الصورة، أو افتح العنوان واكتب الرمز.",
		"الرقم", "التالي", "إلغاء", "هل لديك أسئلة؟ اتصل بقسم تقنية المعلومات: 4711.",
	},
}

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// screenIn is a screen in a language.
func screenIn(language string, state signin.State) *local.Screen {
	l := languages[language]
	s := &local.Screen{Screen: signin.Screen{
		Serial: 7, State: state, Title: l.title, Message: l.message, Text: l.text, Help: "https://help.acme.example/first-day",
		Device: signin.Device{Name: "ACME-LAPTOP-0042", Serial: "5CG1234XYZ", Model: "Latitude 7450", Organisation: "Acme"},
		Online: language != "German", Ends: noon.Add(598 * time.Second),
		Actions: []signin.ActionButton{{Name: signin.Cancel, Label: l.cancel}},
	}}
	switch state {
	case signin.Waiting:
		s.UserCode, s.URI, s.QR = "BCDF-GHJK", "https://id.acme.example/signin", "https://id.acme.example/signin?code=BCDFGHJK"
		s.Modules = local.QRCode(s.QR)
	case signin.Number:
		s.Fields = []signin.Field{{Name: signin.FieldNumber, Label: l.number, Digits: true}}
		s.Actions = append([]signin.ActionButton{{Name: signin.Submit, Label: l.next, Primary: true}}, s.Actions...)
	case signin.Failed:
		s.Code, s.Actions, s.Ends = "signin_denied", nil, time.Time{}
	}
	return s
}

var windowStates = []signin.State{signin.Starting, signin.Waiting, signin.Number, signin.Failed}

// flaws tells what is wrong with a layout: what lies outside or over another
// thing, and texts with less room than they need.
func flaws(l *layout) (found []string) {
	inside := rect{0, l.stripe.bottom(), l.w, l.h - l.stripe.bottom()}
	for i, b := range l.boxes {
		if b.rect.w <= 0 || b.rect.h <= 0 || b.rect.x < inside.x || b.rect.y < inside.y || b.rect.right() > inside.right() || b.rect.bottom() > inside.bottom() {
			found = append(found, fmt.Sprintf("%s is outside: %v", b.id, b.rect))
		}
		if foot := b.rect.bottom() > l.foot.y; foot != (b.role == rolePrimary || b.role == roleSecondary || b.id == "text" || b.id == "help") {
			found = append(found, fmt.Sprintf("%s is at the wrong side of the band: %v, %v", b.id, b.rect, l.foot))
		}
		for _, other := range l.boxes[:i] {
			if b.rect.x < other.rect.right() && other.rect.x < b.rect.right() && b.rect.y < other.rect.bottom() && other.rect.y < b.rect.bottom() {
				found = append(found, fmt.Sprintf("%s lies on %s: %v, %v", b.id, other.id, b.rect, other.rect))
			}
		}
		switch b.role {
		case rolePicture, roleField, rolePrimary, roleSecondary:
			continue
		}
		width := b.rect.w
		if b.role == roleOnline || b.role == roleOffline {
			width -= l.px(markSize + markGap)
		}
		if _, h := wordy(b.font, b.text, width); h > b.rect.h {
			found = append(found, fmt.Sprintf("%s is cut off: %d of %d pixels", b.id, b.rect.h, h))
		}
	}
	return found
}

var screens = []struct{ w, h int }{{1024, 768}, {1280, 800}, {1366, 768}, {1920, 1080}, {2160, 1440}, {3840, 2160}, {1080, 1920}}

// Nothing overlaps, nothing is cut off or outside, at any scale and on any screen.
func TestLayouts(t *testing.T) {
	for language := range languages {
		for _, state := range windowStates {
			p := newPage(screenIn(language, state), noon)
			for dpi := 96; dpi <= 288; dpi += 24 {
				for _, on := range screens {
					l := arrange(p, on.w, on.h, dpi, wordy)
					name := fmt.Sprintf("%s, %s, %d %% on %d×%d", language, state, dpi*100/96, on.w, on.h)
					for _, flaw := range flaws(l) {
						t.Errorf("%s: %s", name, flaw)
					}
					if l.w > on.w-2*around || l.h > on.h-2*around {
						t.Errorf("%s: the window is %d×%d", name, l.w, l.h)
					}
					if len(l.boxes) != len(arrange(p, 1<<14, 1<<14, 96, wordy).boxes) {
						t.Errorf("%s: something is left out", name)
					}
				}
			}
		}
	}
}

// Where there is room, nothing is smaller than the screen's scale asks for.
func TestLayoutsHaveTheScaleOfTheScreen(t *testing.T) {
	p := newPage(screenIn("English", signin.Waiting), noon)
	for dpi, on := range map[int]struct{ w, h int }{96: {1024, 768}, 144: {1920, 1080}, 192: {2160, 1440}, 288: {3840, 2160}} {
		l := arrange(p, on.w, on.h, dpi, wordy)
		if l.scale != float64(dpi)/96 {
			t.Errorf("%d to the inch on %d×%d: scale %.2f", dpi, on.w, on.h, l.scale)
		}
	}
}

// All modules of the picture are of one size, and light ones stand around it.
func TestPicturesAreOfWholePixels(t *testing.T) {
	s := screenIn("English", signin.Waiting)
	for _, text := range []string{"a", s.QR, s.QR + strings.Repeat("x", 150)} {
		s.Modules = local.QRCode(text)
		for dpi := 96; dpi <= 288; dpi += 48 {
			l := arrange(newPage(s, noon), 3840, 2160, dpi, wordy)
			b := l.box("picture")
			if side := l.module * (len(s.Modules) + 2*quiet); b.rect.w != side || b.rect.h != side || l.module < 3*dpi/96 {
				t.Errorf("%d modules at %d to the inch: %v, %d pixels each", len(s.Modules), dpi, b.rect, l.module)
			}
		}
	}
}

// Who reads from right to left sees the same, turned round.
func TestRightToLeft(t *testing.T) {
	p := newPage(screenIn("Arabic", signin.Waiting), noon)
	if !p.rtl || newPage(screenIn("Japanese", signin.Waiting), noon).rtl {
		t.Fatal("the direction is not that of the language")
	}
	turned := arrange(p, 1920, 1080, 96, wordy)
	p.rtl = false
	for _, b := range arrange(p, 1920, 1080, 96, wordy).boxes {
		want := rect{turned.w - b.rect.right(), b.rect.y, b.rect.w, b.rect.h}
		if got := turned.box(b.id).rect; got != want {
			t.Errorf("%s is at %v, want %v", b.id, got, want)
		}
	}
}

// However long the texts, they fit: what is not needed to sign in goes first.
func TestLongTexts(t *testing.T) {
	long := strings.Repeat("Wörter ", 150)
	for _, state := range windowStates {
		s := screenIn("English", state)
		s.Title, s.Message, s.Text, s.Device.Name, s.Device.Model, s.Device.Serial = long, long, long, long, long, long
		s.Help, s.UserCode = "https://acme.example/"+strings.Repeat("x", 139), "BCDFGHJKLMNPQRST"
		if s.URI != "" {
			s.URI = s.Help
		}
		for i := range s.Actions {
			s.Actions[i].Label = strings.Repeat("ＷＷ", 16)
		}
		for _, on := range append(screens, struct{ w, h int }{800, 600}) {
			l := arrange(newPage(s, noon), on.w, on.h, 192, wordy)
			for _, flaw := range flaws(l) {
				t.Errorf("%s on %d×%d: %s", state, on.w, on.h, flaw)
			}
			if l.w > on.w || l.h > on.h || l.box("title") == nil || l.box("message") == nil || (l.box("picture") == nil) != (state != signin.Waiting) {
				t.Errorf("%s on %d×%d: the window is %d×%d", state, on.w, on.h, l.w, l.h)
			}
		}
	}
}

// Whatever the texts, no layout has a flaw.
func FuzzLayout(f *testing.F) {
	for language, l := range languages {
		f.Add(l.title, l.message, l.text, "BCDF-GHJK", language, uint8(3), uint16(192), uint16(1366), uint16(768))
	}
	f.Add("0", "0", "0", "\x81\xbbi;`\xea ", "0", uint8(2), uint16(96), uint16(1318), uint16(768)) // a line as long as there is room, and a space
	f.Add("", "", "", "", "", uint8(1), uint16(96), uint16(1024), uint16(768))
	f.Fuzz(func(t *testing.T, title, message, text, code, name string, state uint8, dpi, w, h uint16) {
		s := screenIn("English", windowStates[int(state)%len(windowStates)])
		s.Title, s.Message, s.Text, s.UserCode, s.Device.Name = title, message, text, code, name
		if len(s.Fields) > 0 {
			s.Fields[0].Label = code
		}
		p := newPage(s, noon)
		for _, shown := range []string{p.title, p.message, p.text} {
			if !utf8.ValidString(shown) || utf8.RuneCountInString(shown) > maxMessage {
				t.Fatalf("%q is shown", shown)
			}
		}
		l := arrange(p, max(1024, int(w)), max(768, int(h)), min(max(96, int(dpi)), 480), wordy)
		for _, flaw := range flaws(l) {
			t.Error(flaw)
		}
	})
}
