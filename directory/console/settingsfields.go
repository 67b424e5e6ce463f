package console

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"firstday.dev/api"
)

// setting is one of [api.Settings] as a field of the page. What it holds is text, in
// which two are compared; lists have a line for each thing.
type setting struct {
	Key     string // as the API says it, such as windows.text
	Label   sentence
	Hint    sentence
	Kind    string // of a field; besides: people, logo, list
	Choices []choice
	wrong   sentence // what is said of a value that cannot be
	get     func(*api.Settings) string
	set     func(*api.Settings, string) error
}

// platformSetting is one of [api.PlatformSettings].
type platformSetting struct {
	key                string
	only               []api.Platform // none: all
	label, hint, wrong sentence
	kind               string
	choices            []choice
	get                func(*api.PlatformSettings) string
	set                func(*api.PlatformSettings, string) error
}

// word makes the two functions of a setting that is a text of its own type.
func wordOf[T ~string](of func(*api.PlatformSettings) *T, empty T) (get func(*api.PlatformSettings) string, set func(*api.PlatformSettings, string) error) {
	return func(p *api.PlatformSettings) string { return string(cmp.Or(*of(p), empty)) },
		func(p *api.PlatformSettings, text string) error { *of(p) = T(text); return nil }
}

// severalOf makes those of a list.
func severalOf(of func(*api.PlatformSettings) *[]string) (get func(*api.PlatformSettings) string, set func(*api.PlatformSettings, string) error) {
	return func(p *api.PlatformSettings) string { return strings.Join(*of(p), "\n") },
		func(p *api.PlatformSettings, text string) error { *of(p) = split(text, "\n"); return nil }
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return ""
}

var (
	windowsOnly = []api.Platform{api.Windows}
	macOnly     = []api.Platform{api.MacOS}
	withWindow  = []api.Platform{api.Windows, api.MacOS}
)

// platformSettings are in the order of the page.
func platformSettings() []platformSetting {
	permission, setPermission := wordOf(func(p *api.PlatformSettings) *api.Permission { return &p.Permission }, "")
	password, setPassword := wordOf(func(p *api.PlatformSettings) *api.PasswordMode { return &p.Password }, "")
	pin, setPIN := wordOf(func(p *api.PlatformSettings) *api.PINPolicy { return &p.PIN }, "")
	hello, setHello := wordOf(func(p *api.PlatformSettings) *api.HelloPolicy { return &p.Hello }, api.HelloOff)
	windowOfWindows, setWindow := wordOf(func(p *api.PlatformSettings) *api.SignInWindow { return &p.Window }, api.WindowQR)
	windowOfMac, _ := wordOf(func(p *api.PlatformSettings) *api.SignInWindow { return &p.Window }, api.WindowBeside)
	users, setUsers := wordOf(func(p *api.PlatformSettings) *api.UserList { return &p.UserList }, api.ListNames)
	words, setWords := wordOf(func(p *api.PlatformSettings) *string { return &p.Text }, "")
	help, setHelp := wordOf(func(p *api.PlatformSettings) *string { return &p.HelpURL }, "")
	account, setAccount := wordOf(func(p *api.PlatformSettings) *string { return &p.AccountName }, "")
	builds, setBuilds := severalOf(func(p *api.PlatformSettings) *[]string { return &p.Builds })
	origins, setOrigins := severalOf(func(p *api.PlatformSettings) *[]string { return &p.Origins })
	domains, setDomains := severalOf(func(p *api.PlatformSettings) *[]string { return &p.Domains })
	return []platformSetting{
		{
			key: "ssap", label: sentence("Offer the sign-in"), hint: sentence("Off, nobody new gets an account; who has one signs in as ever."), kind: "check",
			get: func(p *api.PlatformSettings) string { return onOff(p.SSAP) }, set: func(p *api.PlatformSettings, text string) error { p.SSAP = text != ""; return nil },
		},
		{
			key: "permission", label: sentence("Permission level of new accounts"), kind: "select", wrong: sentence("Please choose one of the list."),
			choices: []choice{{"standard", sentence("Standard")}, {"administrator", sentence("Administrator of the device")}}, get: permission, set: setPermission,
		},
		{
			key: "users", label: sentence("Who may sign in"), kind: "people", wrong: sentence("This is a number of people, at most 1000."),
			get: func(p *api.PlatformSettings) string { return strconv.Itoa(p.Users) },
			set: func(p *api.PlatformSettings, text string) (err error) { p.Users, err = strconv.Atoi(text); return err },
		},
		{
			key: "domains", label: sentence("E-mail domains that may sign in"), hint: sentence("One in each line. Without any all may."), kind: "list",
			wrong: sentence("Each line is a domain in lower case, such as acme.example; at most 100."), get: domains, set: setDomains,
		},
		{
			key: "text", label: sentence("Text at the sign-in"), hint: sentence("At most 200 characters, such as whom to ask."), kind: "text",
			wrong: sentence("This has more than 200 characters, or some that cannot be shown."), get: words, set: setWords,
		},
		{
			key: "helpUrl", label: sentence("Help link"), hint: sentence("An address that begins with https://, shown as text."), kind: "text",
			wrong: sentence("This is an address that begins with https://."), get: help, set: setHelp,
		},
		{
			key: "password", label: sentence("Password of the account"), kind: "select", wrong: sentence("Please choose one of the list."),
			choices: []choice{{"choose", sentence("Chosen for the device")}, {"verify", sentence("The same as in the directory")}}, get: password, set: setPassword,
		},
		{
			key: "pin", only: windowsOnly, label: sentence("PIN"), hint: sentence("Only devices whose TPM can keep one have it."), kind: "select", wrong: sentence("Please choose one of the list."),
			choices: []choice{{"required", sentence("Required")}, {"offered", sentence("Offered")}, {"off", sentence("Off")}}, get: pin, set: setPIN,
		},
		{
			key: "hello", only: windowsOnly, label: sentence("Windows Hello"), hint: sentence("Whether people are led to it in their first session."), kind: "select", wrong: sentence("Please choose one of the list."),
			choices: []choice{{"off", sentence("Off")}, {"offered", sentence("Offered")}}, get: hello, set: setHello,
		},
		{
			key: "accountName", label: sentence("Name of the account"), hint: sentence("A template, such as {local}: the e-mail address up to the @."), kind: "text",
			wrong: sentence("This has more than 100 bytes, or some that cannot be shown."), get: account, set: setAccount,
		},
		{
			key: "signInWindow", only: windowsOnly, label: sentence("Beside the tile"), kind: "select", wrong: sentence("Please choose one of the list."),
			choices: []choice{{"qr", sentence("A window with a code for the phone")}, {"web", sentence("A window with the sign-in's pages")}, {"off", sentence("Nothing: the tile has the code")}},
			get:     windowOfWindows, set: setWindow,
		},
		{
			key: "signInWindow", only: macOnly, label: sentence("The window of the sign-in"), kind: "select", wrong: sentence("Please choose one of the list."),
			choices: []choice{{"beside", sentence("Beside Apple's login window")}, {"instead", sentence("In the place of Apple's login window")}, {"off", sentence("None")}},
			get:     windowOfMac, set: setWindow,
		},
		{
			key: "signInBuilds", only: macOnly, label: sentence("Builds of macOS on which it may take Apple's place"), hint: sentence("One in each line, such as 25A354, or 25* for all that begin so. Without any: on no Mac."), kind: "list",
			wrong: sentence("Each line is a build, such as 25A354 or 25*; at most 50."), get: builds, set: setBuilds,
		},
		{
			key: "userList", only: macOnly, label: sentence("The login window in Apple's place shows"), kind: "select", wrong: sentence("Please choose one of the list."),
			choices: []choice{{"names", sentence("The names of who has an account")}, {"fields", sentence("Fields for a name and a password")}}, get: users, set: setUsers,
		},
		{
			key: "signInOrigins", only: withWindow, label: sentence("Further addresses that the window may show"), hint: sentence("One in each line, such as https://login.example, besides those of the directory and its providers."), kind: "list",
			wrong: sentence("Each line is https:// and a host, without a path."), get: origins, set: setOrigins,
		},
	}
}

// settings are all of them, those of platforms first.
var settings = allSettings()

func allSettings() (all []*setting) {
	for _, p := range api.Platforms {
		for _, s := range platformSettings() {
			if len(s.only) > 0 && !slices.Contains(s.only, p) {
				continue
			}
			all = append(all, &setting{
				Key: string(p) + "." + s.key, Label: s.label, Hint: s.hint, Kind: s.kind, Choices: s.choices, wrong: s.wrong,
				get: func(all *api.Settings) string { return s.get(mustFor(all, p)) },
				set: func(all *api.Settings, text string) error { return s.set(mustFor(all, p), text) },
			})
		}
	}
	return append(all,
		&setting{
			Key: "logo", Label: sentence("Logo"), Hint: sentence("A PNG of at most 24,000 bytes and 1024 by 1024 pixels."), Kind: "logo", wrong: sentence("This is no PNG of at most 24,000 bytes and 1024 by 1024 pixels."),
			get: func(s *api.Settings) string { return base64.StdEncoding.EncodeToString(s.Logo) },
			set: func(s *api.Settings, text string) (err error) {
				s.Logo, err = base64.StdEncoding.DecodeString(text)
				return err
			},
		},
		&setting{
			Key: "secondFactor", Label: sentence("People with a password of the directory need a second factor"), Kind: "check",
			get: func(s *api.Settings) string { return onOff(s.SecondFactor) },
			set: func(s *api.Settings, text string) error { s.SecondFactor = text != ""; return nil },
		},
		&setting{
			Key: "recoveryKey", Label: sentence("Recovery key"), Hint: sentence("The public key of age, age1…, to which devices seal the passwords of their break-glass accounts. Without one they keep them."), Kind: "text",
			wrong: sentence("This is no public key of age, which has 62 characters and begins with age1."),
			get:   func(s *api.Settings) string { return s.RecoveryKey }, set: func(s *api.Settings, text string) error { s.RecoveryKey = text; return nil },
		},
	)
}

// mustFor gives the settings of a platform that there is.
func mustFor(s *api.Settings, p api.Platform) *api.PlatformSettings {
	of, err := s.For(p)
	if err != nil {
		panic(err) // of a platform that is not one of api.Platforms
	}
	return of
}

// Platform is the name of the platform that the setting is of; empty: of none.
func (s *setting) Platform() string {
	p, _, _ := strings.Cut(s.Key, ".")
	return platformName(api.Platform(p))
}

// settingOf finds one by its key, nil if the page has none.
func settingOf(key string) *setting {
	i := slices.IndexFunc(settings, func(s *setting) bool { return s.Key == key })
	if i < 0 {
		return nil
	}
	return settings[i]
}

// check tells whether a value may be, by itself.
func (s *setting) check(text string) error {
	one := api.DefaultSettings()
	if err := s.set(&one, text); err != nil {
		return fmt.Errorf("%s: %w", s.Key, err)
	}
	return one.Check()
}

// typedSettings are values by key, as somebody has typed them.
type typedSettings map[string]string

// on gives settings with the values; what is as it was stays so to the letter.
func (typed typedSettings) on(was *api.Settings) (*api.Settings, error) {
	now := *was
	for _, s := range settings {
		if typed[s.Key] == s.get(was) {
			continue
		}
		if err := s.set(&now, typed[s.Key]); err != nil {
			return nil, api.Refuse(api.CodeBadRequest, "%s: %v", s.Key, err)
		}
	}
	return &now, nil
}
