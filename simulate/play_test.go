package simulate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/ppkg"
)

// stage is a folder for scripts, and secrets of the people in them.
type stage struct {
	t   *testing.T
	dir string
}

func (s *stage) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// hire makes a user of the directory who is ready for the first day.
func (s *stage) hire(d *testdirectory.Service, name string) {
	s.t.Helper()
	s.write(name+".password", d.MustHire(name).Password)
	s.write(name+".new", "a new one of "+name)
	s.write(name+".device", "only here, of "+name)
}

// signIn is a scene in which somebody hired signs in.
func signIn(name, expect string) string {
	return "- signIn: {name: " + name + ", password: {file: " + name + ".password}, newPassword: {file: " + name + ".new}, authenticator: " + name + ".totp, devicePassword: {file: " + name + ".device}}\n" +
		"  expect: " + expect + "\n"
}

// show plays a script on a device that a package has set up.
func (s *stage) show(path, sandbox, script string) (*story, error) {
	s.t.Helper()
	read, err := ReadScript(s.write("script.yaml", script))
	if err != nil {
		return nil, err
	}
	packages := []string{path}
	if path == "" {
		packages = nil
	}
	_, told, err := simulation(s.t, Options{Sandbox: sandbox, Then: func(ctx context.Context, m *Machine) error {
		return m.Play(ctx, read, 30*time.Second)
	}}, packages...)
	return told, err
}

// The whole first day: somebody signs in, with a second factor; the next one is
// refused; a name that is taken is left alone; who restarts the device finds it
// as it was.
func TestPlay(t *testing.T) {
	for platform, build := range map[api.Platform]func(*api.Enrollment) string{
		api.Windows: func(e *api.Enrollment) string { return provisioningPackage(t, e, ppkg.Command{}) },
		api.MacOS:   func(e *api.Enrollment) string { return writeProduct(t, macProduct(t, e)) },
	} {
		t.Run(string(platform), func(t *testing.T) {
			d, key := newDirectory(t, api.NewConnectKey{})
			s := &stage{t, t.TempDir()}
			for _, name := range []string{"ann", "bob", "carl"} {
				s.hire(d, name)
			}
			path := build(enrollment(t, platform, d.At, key))
			sandbox := filepath.Join(t.TempDir(), "sandbox")
			told, err := s.show(path, sandbox, "- account: carl\n"+signIn("carl", "account_exists")+signIn("ann", "done")+"- restart: true\n"+signIn("bob", "hidden"))
			if err != nil {
				t.Fatalf("%v\n%s", err, told)
			}
			told.mustTell(t, `the screen shows "Sign in with Acme"`, `ann's phone shows "Set up your second factor"`, "carl is refused: account_exists",
				"the account ann is ann's", "bob finds no sign-in")
			device, err := d.Device(t.Context(), d.OnlyDevice().ID)
			if err != nil || len(device.Users) != 1 || device.Users[0].Account != "ann" || device.Users[0].State != api.Bound {
				t.Errorf("%+v, %v", device, err)
			}
			for _, secret := range []string{"a new one of ann", "only here, of ann"} {
				if strings.Contains(told.String(), secret) || contains(t, sandbox, secret) != "" {
					t.Errorf("%q is told or kept", secret)
				}
			}
			m, err := Open(Options{Sandbox: sandbox})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if !m.Accounts().CheckPassword("ann", "only here, of ann") {
				t.Error("ann cannot sign in")
			}
		})
	}
}

// An authenticator that the pages set up works for another sign-in, and what
// comes out otherwise than the script says is an error.
func TestPlayComesOutOtherwise(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{})
	d.Change(func(s *api.Settings) { s.Windows.Users = 0 })
	s := &stage{t, t.TempDir()}
	s.hire(d, "ann")
	path := provisioningPackage(t, enrollment(t, api.Windows, d.At, key), ppkg.Command{})
	sandbox := filepath.Join(t.TempDir(), "sandbox")
	if told, err := s.show(path, sandbox, signIn("ann", "done")); err != nil {
		t.Fatalf("%v\n%s", err, told)
	}
	for script, want := range map[string]string{
		signIn("ann", "done"): "wrong_credentials for ann, not done", // her password is another one now
		"- signIn: {name: ann, password: {file: ann.new}, authenticator: ann.totp}\n  expect: hidden\n": "for ann, not hidden",
	} {
		told, err := s.show("", sandbox, script)
		if !errors.Is(err, ErrOutcome) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\n%s", err, told)
		}
	}
	if _, err := s.show("", sandbox, "- signIn: {name: ann, password: {file: missing}}\n"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestScriptsThatMakeNoSense(t *testing.T) {
	s := &stage{t, t.TempDir()}
	for text, want := range map[string]string{
		"":                                         "0 scenes",
		"- signIn: {name: ann, word: x}":           "unknown field",
		"- restart: true\n  account: ann":          "not one of",
		"- restart: true\n  expect: done":          "no sign-in",
		"- signIn: {password: {env: X}}":           "who signs in",
		"- signIn: {name: ann}\n  expect: D one":   "neither done nor hidden",
		"- restart: " + strings.Repeat("x", 70000): "bytes",
		"restart: true":                            "",
	} {
		_, err := ReadScript(s.write("script.yaml", text))
		if !errors.Is(err, ErrScript) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v", text, err)
		}
	}
	read, err := ReadScript(s.write("script.yaml", "- signIn: {name: ann, password: {file: x}, authenticator: y}"))
	if err != nil || read.Scenes[0].SignIn.Password.File != config.Path(filepath.Join(s.dir, "x")) {
		t.Errorf("%+v, %v", read, err)
	}
}
