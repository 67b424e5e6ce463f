package console

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"firstday.dev/api"
	"firstday.dev/directory"
)

func (c *Console) settingsRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "settings", roles: readers, serve: c.settings},
		{method: http.MethodPost, path: "settings", roles: owners, most: maxSettings, serve: c.saveSettings},
		{method: http.MethodPost, path: "settings/preview", roles: owners, most: maxSettings, serve: c.previewSettings},
		{method: http.MethodGet, path: "settings/history", roles: readers, serve: c.settingsHistory},
		{method: http.MethodPost, path: "settings/history/{id}", roles: owners, serve: c.revertSettings},
	}
}

const (
	// maxSettings bounds the form, in bytes: a logo that is too large is told of, and
	// all that was typed with it is still there.
	maxSettings = 4 << 20
	// maxMemory is what of it is kept in memory.
	maxMemory = 1 << 20
)

// settingsData is the page of the settings.
type settingsData struct {
	Revision  int64
	Values    typedSettings
	Meanwhile []meanwhile
	Preview   *preview
	Platforms []settingsPlatform
}

// settingsPlatform is a platform on the page.
type settingsPlatform struct {
	Platform, Name string
	Open           bool // its settings are in sight
}

// shownSetting is a setting with its value.
type shownSetting struct {
	*setting
	Value string
	// Theirs is what it is now, where somebody else has changed it, too.
	Theirs *shownValue
}

// Some gives settings of a platform by their keys there, or the organisation's. What
// a platform does not have is left out.
func (d *settingsData) Some(of string, keys ...string) (some []shownSetting) {
	for _, key := range keys {
		if of != "" {
			key = of + "." + key
		}
		if s := settingOf(key); s != nil {
			some = append(some, shownSetting{s, d.Values[key], d.theirs(key)})
		}
	}
	return some
}

func (d *settingsData) theirs(key string) *shownValue {
	for _, m := range d.Meanwhile {
		if m.Key == key && m.Both {
			return &m.Theirs
		}
	}
	return nil
}

func (c *Console) settings(v *visit) (*page, error) {
	now, err := c.directory.Settings(v.Context())
	if err != nil {
		return nil, err
	}
	return c.settingsPage(v, now.Revision, valuesOf(&now.Settings), nil, &now.Settings)
}

// valuesOf gives the values of settings.
func valuesOf(s *api.Settings) typedSettings {
	values := make(typedSettings)
	for _, each := range settings {
		values[each.Key] = each.get(s)
	}
	return values
}

func (c *Console) settingsPage(v *visit, revision int64, values typedSettings, changed []meanwhile, seen *api.Settings) (*page, error) {
	shown, err := c.preview(v, seen)
	if err != nil {
		return nil, err
	}
	data := &settingsData{Revision: revision, Values: values, Meanwhile: changed, Preview: shown}
	for _, p := range api.Platforms {
		open := p != api.Linux
		for key := range v.wrongs {
			open = open || strings.HasPrefix(key, string(p)+".")
		}
		data.Platforms = append(data.Platforms, settingsPlatform{string(p), platformName(p), open})
	}
	return &page{
		Title: "Settings", Template: "settings", Topics: []directory.Topic{directory.TopicSettings}, Scripts: []string{"settings.js"},
		Data: data,
	}, nil
}

// readSettings reads the form, and gives what it was a change of.
func (c *Console) readSettings(v *visit) (typedSettings, *api.VersionedSettings, error) {
	logo, err := v.readLogo()
	if err != nil {
		return nil, nil, err
	}
	seen, err := strconv.ParseInt(v.form("revision"), 10, 64)
	if err != nil || seen < 0 {
		return nil, nil, api.Refuse(api.CodeBadRequest, "the form does not say of which settings it is")
	}
	was, err := c.directory.SettingsAt(v.Context(), seen)
	if err != nil {
		return nil, nil, err
	}
	typed := make(typedSettings)
	for _, s := range settings {
		typed[s.Key] = v.typedSetting(s, logo)
		if v.form("take."+s.Key) == "theirs" {
			typed[s.Key] = s.get(&was.Settings)
		}
		if typed[s.Key] != s.get(&was.Settings) && s.check(typed[s.Key]) != nil {
			v.wrong(s.Key, s.wrong)
		}
	}
	return typed, was, nil
}

// typedSetting is the value of a setting in the form.
func (v *visit) typedSetting(s *setting, logo string) string {
	text := v.form(s.Key)
	switch s.Kind {
	case "list":
		return strings.Join(split(text, "\n"), "\n")
	case "people":
		if text == "some" {
			return v.form(s.Key + ".most")
		}
	case "logo":
		return logo
	case "check":
		return onOff(text != "")
	}
	return text
}

// readLogo gives the logo of the form, and reads the form for that: a file that was
// chosen, or the one there is already.
func (v *visit) readLogo() (string, error) {
	kept := func() string {
		if v.form("logo.remove") != "" {
			return ""
		}
		return v.form("logo.kept")
	}
	var large *http.MaxBytesError
	switch err := v.ParseMultipartForm(maxMemory); {
	case errors.Is(err, http.ErrNotMultipart):
		return kept(), nil
	case errors.As(err, &large):
		return "", api.Refuse(api.CodeTooLarge, "at most %d bytes", large.Limit)
	case err != nil:
		return "", api.Refuse(api.CodeBadRequest, "the form is not one that a browser sends")
	}
	defer func() { _ = v.MultipartForm.RemoveAll() }() // files of ours, in the system's folder for such
	file, head, err := v.FormFile("logo")
	if err != nil || head.Size == 0 {
		return kept(), nil
	}
	defer file.Close()
	// One byte more than may be: then it is refused, as every other that cannot be.
	data, err := io.ReadAll(io.LimitReader(file, api.MaxLogo+1))
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(data), nil
}

// previewSettings shows the form again, with what would come of it.
func (c *Console) previewSettings(v *visit) (*page, error) {
	typed, was, err := c.readSettings(v)
	if err != nil {
		return nil, err
	}
	return c.settingsAgain(v, typed, was, nil)
}

// settingsAgain shows the form as it was typed, of the settings it is a change of.
func (c *Console) settingsAgain(v *visit, typed typedSettings, was *api.VersionedSettings, changed []meanwhile) (*page, error) {
	right := make(typedSettings) // what can be shown
	for _, s := range settings {
		right[s.Key] = typed[s.Key]
		if _, wrong := v.wrongs[s.Key]; wrong {
			right[s.Key] = s.get(&was.Settings)
		}
	}
	seen, err := right.on(&was.Settings)
	if err != nil {
		return nil, err
	}
	p, err := c.settingsPage(v, was.Revision, typed, changed, seen)
	if err != nil {
		return nil, err
	}
	return v.again(p, nil)
}

// saveSettings sets what was typed, unless somebody else has changed the settings
// since the form was shown.
func (c *Console) saveSettings(v *visit) (*page, error) {
	typed, was, err := c.readSettings(v)
	if err != nil {
		return nil, err
	}
	if len(v.wrongs) > 0 {
		return c.settingsAgain(v, typed, was, nil)
	}
	next, err := typed.on(&was.Settings)
	if err != nil {
		return nil, err
	}
	_, err = c.directory.SetSettings(v.Context(), v.actor(), &api.VersionedSettings{Settings: *next, Revision: was.Revision})
	var refused *api.Error
	switch {
	case errors.As(err, &refused) && refused.Code == api.CodeConflict:
		return c.mergeSettings(v, typed, was)
	case err != nil:
		p, shown := c.settingsAgain(v, typed, was, nil)
		return p, errors.Join(err, shown)
	}
	return v.done(Path+"settings", "The settings are saved. Devices that are online have them in seconds.")
}
