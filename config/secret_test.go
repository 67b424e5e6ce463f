package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestSecretFromFile(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"hunter2":                        "hunter2",
		"hunter2\n":                      "hunter2",
		"hunter2\r\n":                    "hunter2",
		"two words \n":                   "two words ",
		strings.Repeat("x", 4096) + "\n": strings.Repeat("x", 4096),
	} {
		s := SecretSource{File: write(t, dir, "secret", text)}
		got, err := s.Resolve(nil)
		if err != nil || got.Reveal() != want {
			t.Errorf("%q gives %q, %v", text, got.Reveal(), err)
		}
	}
	for text, want := range map[string]struct {
		why  string
		kind error
	}{
		"":                        {"is empty", ErrNoSecret},
		"\n":                      {"is empty", ErrNoSecret},
		"a\x00b":                  {"is not text", ErrBadSecret},
		"\xff\xfea\x00":           {"is not text", ErrBadSecret},
		"\ufeffhunter2":           {"begins with a byte order mark", ErrBadSecret},
		"hunter2\n\n":             {"has more than one line", ErrBadSecret},
		"hunter2\nhunter3\n":      {"has more than one line", ErrBadSecret},
		"hunter2\rhunter3":        {"has more than one line", ErrBadSecret},
		strings.Repeat("x", 4097): {"has more than 4096 bytes", ErrBadSecret},
		strings.Repeat("x", 9999): {"has more than", ErrBadSecret},
	} {
		s := SecretSource{File: write(t, dir, "secret", text), label: "connect key", path: "connectKey"}
		_, err := s.Resolve(nil)
		if err == nil || !errors.Is(err, want.kind) || !strings.HasPrefix(err.Error(), "reading connect key: file "+string(s.File)+" (connectKey)") ||
			!strings.Contains(err.Error(), want.why) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%.10q: got %v, want %v", text, err, want)
		}
	}
	if _, err := (SecretSource{File: Path(dir)}).Resolve(nil); !errors.Is(err, ErrBadSecret) || !strings.Contains(err.Error(), "but a folder") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := (SecretSource{File: "no/such/file"}).Resolve(nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestSecretFromEnvironment(t *testing.T) {
	t.Setenv("FIRSTDAY_TEST_KEY", "hunter2")
	s := SecretSource{Env: "FIRSTDAY_TEST_KEY"}
	if got, err := s.Resolve(nil); err != nil || got.Reveal() != "hunter2" {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
	t.Setenv("FIRSTDAY_TEST_KEY", "hunter2\nhunter3")
	if _, err := s.Resolve(nil); !errors.Is(err, ErrBadSecret) || !strings.Contains(err.Error(), "variable FIRSTDAY_TEST_KEY has more than one line") {
		t.Errorf("got %v", err)
	}
	t.Setenv("FIRSTDAY_TEST_KEY", "")
	if _, err := s.Resolve(nil); !errors.Is(err, ErrNoSecret) || !strings.Contains(err.Error(), "variable FIRSTDAY_TEST_KEY is empty") {
		t.Errorf("got %v", err)
	}
	os.Unsetenv("FIRSTDAY_TEST_KEY")
	if _, err := s.Resolve(nil); !errors.Is(err, ErrNoSecret) || !strings.Contains(err.Error(), "variable FIRSTDAY_TEST_KEY is not set") {
		t.Errorf("got %v", err)
	}
}

func TestSecretFromPrompt(t *testing.T) {
	s := SecretSource{Prompt: true, label: "connect key"}
	got, err := s.Resolve(func(label string) ([]byte, error) { return []byte("the " + label), nil })
	if err != nil || got.Reveal() != "the connect key" {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
	gone := errors.New("terminal is gone")
	if _, err := s.Resolve(func(string) ([]byte, error) { return nil, gone }); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Resolve(nil); !errors.Is(err, ErrNoSecret) {
		t.Errorf("got %v", err)
	}
	if _, err := (SecretSource{}).Resolve(nil); !errors.Is(err, ErrNoSecret) {
		t.Errorf("got %v", err)
	}
}

// TestNothingShowsTheSecret formats a loaded configuration every way there is.
func TestNothingShowsTheSecret(t *testing.T) {
	t.Setenv("FIRSTDAY_TEST_KEY", "hunter2")
	c, err := Parse("x.yaml", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := c.ConnectKey.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%v %+v %#v %v %s", c, c, c, secret, secret); strings.Contains(got, "hunter2") {
		t.Error(got)
	}
}

func TestSecretFileThatOthersCanRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such permissions on Windows")
	}
	name := write(t, t.TempDir(), "key", "hunter2")
	s := SecretSource{File: name}
	if s.OpenToOthers() {
		t.Error("0600 is open")
	}
	if err := os.Chmod(string(name), 0o644); err != nil {
		t.Fatal(err)
	}
	if !s.OpenToOthers() {
		t.Error("0644 is not open")
	}
}

func TestPassphrase(t *testing.T) {
	hex := strings.Repeat("0aF", 22)[:64]
	for _, c := range []struct {
		security Security
		text     string
		ok       bool
	}{
		{WPA2, "12345678", true}, {WPA2, "1234567", false}, {WPA3, strings.Repeat("x", 63), true}, {WPA2, strings.Repeat("x", 64), false},
		{WPA2, hex, true}, {WPA3, hex, false}, {WPA2, "passwörter", false}, {WPA2, "tab\ttab\ttab", false},
		{WPA2, "two lines\nof text", false}, {WPA2, "12345", false},
	} {
		w := WiFi{SSID: "Office", Security: c.security, Password: &SecretSource{Prompt: true, label: "password"}}
		got, err := w.Passphrase(func(string) ([]byte, error) { return []byte(c.text), nil })
		if (err == nil) != c.ok || c.ok && got.Reveal() != c.text {
			t.Errorf("%s %q: %v", c.security, c.text, err)
		}
		if err != nil && (strings.Contains(err.Error(), c.text) || !errors.Is(err, ErrBadSecret)) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
	if got, err := (WiFi{SSID: "Guests", Security: Open}).Passphrase(nil); got != "" || err != nil {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
}

// TestTypedSecrets are those that somebody will have to type, or that have no
// spaces anywhere.
func TestTypedSecrets(t *testing.T) {
	for text, ok := range map[string]bool{
		"Correct-Horse-1": true, "eight888": true, "Pass phrase 7": true, "Größe-1234": true, strings.Repeat("x", maxBreakGlass): true,
		"seven77": false, " Correct-Horse-1": false, "Correct-Horse-1 ": false, "a\tb\tc\td\te": false, "Correct\aHorse": false,
		"\u200bCorrect-Horse": false, strings.Repeat("x", maxBreakGlass+1): false,
	} {
		prompt := func(string) ([]byte, error) { return []byte(text), nil }
		b := BreakGlass{Enabled: true, Name: "rescue", Password: &SecretSource{Prompt: true, label: "password"}}
		got, err := b.Resolve(prompt)
		if (err == nil) != ok || ok && got.Reveal() != text || err != nil && !errors.Is(err, ErrBadSecret) {
			t.Errorf("break-glass password %q: %v", text, err)
		}
		k := ConnectKey{SecretSource: SecretSource{Prompt: true, label: "key"}}
		if _, err := k.Resolve(prompt); err == nil && strings.ContainsAny(text, " \t\a\n\u200b") || err != nil && !errors.Is(err, ErrBadSecret) {
			t.Errorf("connect key %q: %v", text, err)
		}
	}
	if got, err := (BreakGlass{Enabled: true}).Resolve(nil); got != "" || err != nil {
		t.Errorf("a password to be generated: %q, %v", got.Reveal(), err)
	}
}

// write makes a file for nobody else to read.
func write(t *testing.T, dir, name, text string) Path {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, bytes.Clone([]byte(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	return Path(name)
}
