package simulate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/goccy/go-yaml"

	"firstday.dev/config"
)

// Script is what people do at a device once it is enrolled, scene by scene, and
// what must come of it. It is a YAML list:
//
//   - signIn:
//     name: ann
//     password: {file: ann.password}        # the temporary one, or the only one
//     newPassword: {file: ann.new-password} # if the pages ask for another
//     authenticator: ann.totp               # file of the app's secret; written if the pages set it up
//     devicePassword: {env: ANN_DEVICE}     # if the device asks for one of its own
//     pin: {file: ann.pin}
//     expect: done                            # or hidden, or the code of an error
//   - account: carl                           # somebody makes a local account by hand
//   - restart: true
//
// Files are relative to that of the script.
type Script struct {
	Scenes []Scene
	file   string
}

// Scene is one thing that somebody does.
type Scene struct {
	SignIn  *SignIn `yaml:"signIn"`
	Account string  `yaml:"account"`
	Restart bool    `yaml:"restart"`
	// Expect is how a sign-in must end: [ExpectDone], which is usual,
	// [ExpectHidden], or the code of an error.
	Expect string `yaml:"expect"`
}

// How a sign-in can end, besides errors.
const (
	ExpectDone   = "done"
	ExpectHidden = "hidden" // the device offers none
)

// SignIn is somebody who signs in.
type SignIn struct {
	Name           string              `yaml:"name"`
	Password       config.SecretSource `yaml:"password"`
	NewPassword    config.SecretSource `yaml:"newPassword"`
	DevicePassword config.SecretSource `yaml:"devicePassword"`
	PIN            config.SecretSource `yaml:"pin"`
	Authenticator  config.Path         `yaml:"authenticator"`
}

var (
	// ErrScript: there is no playing a script like that.
	ErrScript = errors.New("unusable script")
	// ErrOutcome: something else came of a scene.
	ErrOutcome = errors.New("it came out otherwise than the script says")
)

const (
	maxScriptFile = 64 << 10 // bytes
	maxScenes     = 1000
)

// ReadScript reads a script. Its secrets are read when they are needed.
func ReadScript(file string) (*Script, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxScriptFile+1))
	if err != nil {
		return nil, err
	}
	s := &Script{file: file}
	if len(text) > maxScriptFile {
		return nil, s.wrong("it has more than %d bytes", maxScriptFile)
	}
	if err := yaml.UnmarshalWithOptions(text, &s.Scenes, yaml.Strict()); err != nil {
		return nil, s.wrong("%s", yaml.FormatError(err, false, false))
	}
	if len(s.Scenes) == 0 || len(s.Scenes) > maxScenes {
		return nil, s.wrong("it has %d scenes; 1 to %d are possible", len(s.Scenes), maxScenes)
	}
	for i := range s.Scenes {
		if why := s.Scenes[i].check(); why != "" {
			return nil, s.wrong("scene %d %s", i+1, why)
		}
		s.Scenes[i].settle(filepath.Dir(file))
	}
	return s, nil
}

func (s *Script) wrong(format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", s.file, ErrScript, fmt.Sprintf(format, args...))
}

// outcomes are the words for how a sign-in can end.
var outcomes = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// check says what is wrong with a scene, or nothing.
func (s *Scene) check() string {
	acts := 0
	for _, is := range []bool{s.SignIn != nil, s.Account != "", s.Restart} {
		if is {
			acts++
		}
	}
	switch {
	case acts != 1:
		return "is not one of signIn, account and restart"
	case s.SignIn == nil && s.Expect != "":
		return "expects something of what is no sign-in"
	case s.Expect != "" && !outcomes.MatchString(s.Expect):
		return fmt.Sprintf("expects %.40q, which is neither done nor hidden nor a code", s.Expect)
	case s.SignIn != nil && s.SignIn.Name == "":
		return "does not say who signs in"
	}
	return ""
}

// settle finds the files from where the script lies, and gives secrets names.
func (s *Scene) settle(dir string) {
	if s.SignIn == nil {
		return
	}
	near := func(p *config.Path) {
		if *p != "" && !filepath.IsAbs(string(*p)) {
			*p = config.Path(filepath.Join(dir, string(*p)))
		}
	}
	p := s.SignIn
	near(&p.Authenticator)
	for what, secret := range map[string]*config.SecretSource{
		"password": &p.Password, "new password": &p.NewPassword, "password for the device": &p.DevicePassword, "PIN": &p.PIN,
	} {
		near(&secret.File)
		*secret = secret.Named(p.Name + "'s " + what)
	}
}
