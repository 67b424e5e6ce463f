package console

import (
	"html/template"
	"strings"
)

// settingField is a field of the page of the settings.
type settingField struct {
	field
	Theirs *shownValue
}

// newSettingField makes one of what the page's data says: what was typed is in it
// already.
func newSettingField(v *view, s shownSetting) settingField {
	return settingField{field{view: v, Name: s.Key, Label: s.Label, Kind: s.Kind, Hint: s.Hint, Value: s.Value, Choices: s.Choices}, s.Theirs}
}

// Some tells that so many people may sign in, but not one or all.
func (f settingField) Some() bool { return f.Value != "0" && f.Value != "1" }

// Plain is the field as every form has it.
func (f settingField) Plain() field {
	if f.Kind == "list" {
		f.Kind = "area"
	}
	return f.field
}

// Picture is a logo as a page shows it; empty: there is none, or none that is right.
func (f settingField) Picture() template.URL {
	if f.Value == "" || f.Error() != nil || strings.Trim(f.Value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") != "" {
		return ""
	}
	return template.URL("data:image/png;base64," + f.Value) //nolint:gosec // letters of Base64
}
