package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestMisplacedSecretsAreNotShown writes a password where only the name of its
// place may stand, under keys right and wrong and in YAML whole and broken.
// Build servers keep what is printed of it.
func TestMisplacedSecretsAreNotShown(t *testing.T) {
	const secret = "Sommer2024"
	values := []string{
		secret, `"` + secret + `"`, `'` + secret, `"` + secret, `"` + secret + `\q"`, "*" + secret, "!" + secret, "!!" + secret, "! " + secret,
		"&" + secret, "&a " + secret, "&" + secret + " x", "# " + secret, "#" + secret, "|" + secret, ">" + secret, "%" + secret, "@" + secret, "`" + secret,
		"? " + secret, "- " + secret, "-" + secret, "[" + secret, "[" + secret + "]", "[*" + secret + "]", "{" + secret, "{" + secret + "}", "{" + secret + ": 1}",
		"{value: " + secret + "}", "{value: *" + secret + "}", "{file: *" + secret + "}", "{env: !" + secret + "}", "{env: " + secret + "!}", "{env: [" + secret + "]}",
		"{prompt: " + secret + "}", "{file: &" + secret + "}", secret + ": x", secret + ":", "x: " + secret, "<<: " + secret, secret + "]", secret + "}", secret + ", " + secret,
		"|\n        " + secret + "\n        more", "\n        " + secret, "\n        *" + secret, "\n        !" + secret, "\n        - " + secret, "\n        env: !" + secret,
		"\n        value: " + secret, "\n        file: *" + secret, "\n        file: |\n          " + secret + "\n          x", "\"x\n        " + secret + "\n        y\"", "\t" + secret, secret + "\xff", "*a\n        " + secret,
		"\n      " + secret + ": x", "\n    " + secret, "\n  " + secret, "\n" + secret, "\n\t" + secret,
	}
	keys := []string{"password", "pasword", "passwort", "Passwort", "psk", "Kennwort", "kw", "code"}
	places := []string{
		"connectKey: {env: KEY}\nwindows:\n  wifi:\n    - ssid: Office\n      KEY: VALUE\n      security: wpa2\n",
		"connectKey: {env: KEY}\nwindows:\n  wifi:\n    - KEY: VALUE\n      ssid: Office\n",
		"connectKey: {env: KEY}\nwindows:\n  wifi:\n    - {ssid: Office, KEY: VALUE, security: wpa4}\n",
		"connectKey: {env: KEY}\nwindows:\n  wifi:\n    - {ssid: Office, KEY: VALUE, KEY: VALUE}\n",
		"connectKey: {env: KEY}\nwindows:\n  wifi:\n    - ssid: Office\n      KEY: VALUE\n      KEY: VALUE\n",
		"connectKey: {env: KEY}\nwindows:\n  breakGlass:\n    KEY: VALUE\n",
		"connectKey: {env: KEY}\nwindows: {breakGlass: {KEY: VALUE, name: CON}}\n",
		"connectKey: {env: KEY}\nsigning:\n  pkcs12: x.p12\n  KEY: VALUE\n",
		"connectKey: {env: KEY}\nwindows:\n  wifi: VALUE\n",
		"connectKey: {env: KEY}\nwindows:\n  wifi: {Office: VALUE}\n",
		"connectKey: {env: KEY}\nwindws: {wifi: [{KEY: VALUE}]}\n",
		"connectKey: VALUE\n",
		"connectKey:\n  file: key\n  KEY: VALUE\n",
		"conectKey: VALUE\n",
		"enrolment: VALUE\n",
		"connectKey: {env: KEY}\nKEY: VALUE\n",
	}
	for _, place := range places {
		for _, key := range keys {
			for _, value := range values {
				text := "version: 1\norganisation: {name: Acme}\ndirectory: {url: \"https://d.example\"}\n" +
					strings.NewReplacer("KEY:", key+":", "VALUE", value).Replace(place)
				_, err := Parse("x.yaml", []byte(text))
				var mistakes Errors
				ok := errors.As(err, &mistakes)
				if !ok {
					continue // in some places some of them are right
				}
				shown := show(mistakes)
				for _, e := range mistakes {
					shown += fmt.Sprintf("%+v", *e)
				}
				if strings.Contains(shown, secret) || strings.Contains(shown, "2024") {
					t.Errorf("%s\ngives\n%s", text, shown)
				}
			}
		}
		for _, stuck := range []string{"password:Sommer2024", "pasword=Sommer2024", "pasword Sommer2024", "passwort*Sommer2024"} {
			text := "version: 1\norganisation: {name: Acme}\ndirectory: {url: \"https://d.example\"}\n" + strings.ReplaceAll(place, "KEY: VALUE", stuck)
			var mistakes Errors
			if _, err := Parse("x.yaml", []byte(text)); errors.As(err, &mistakes) && strings.Contains(show(mistakes), "2024") {
				t.Errorf("%s\ngives\n%s", text, show(mistakes))
			}
		}
	}
}

// TestHarmlessMistakesAreShown makes sure that caution leaves people something
// to see.
func TestHarmlessMistakesAreShown(t *testing.T) {
	for _, text := range []string{
		"organisation:\n  nam: Acme\n",
		"verson: 1\n",
		"windows:\n  wifi:\n    - ssid: A\n      security: wpa4\n",
		"windows:\n  computername: A\n",
		"windows:\n  hideOobe: maybe\n",
		"package: [\n",
		"package:\n\tname: Acme\n",
		"package: !!map {}\n",
		"package: *p\n",
		"version: 1\nversion: 1\n",
	} {
		_, err := Parse("x.yaml", []byte(text))
		var mistakes Errors
		if !errors.As(err, &mistakes) || !strings.Contains(show(mistakes), " | ") {
			t.Errorf("%s: nothing is shown of %v", text, err)
		}
	}
}

func TestKeysThatSoundSecret(t *testing.T) {
	for _, key := range []string{"password", "Passwort", "pass_word", "psswrd_pw", "passphrase", "apiKey", "PSK", "Kennwort", "WLAN-Schlüssel", "mot de passe", "contraseña"} {
		if !soundsSecret(key) {
			t.Errorf("%s does not", key)
		}
	}
	for _, key := range []string{"name", "ssid", "url", "security", "policies", "file"} {
		if soundsSecret(key) {
			t.Errorf("%s does", key)
		}
	}
}
