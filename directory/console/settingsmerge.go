package console

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	"firstday.dev/api"
)

// meanwhile is a setting that somebody else has changed since a form was shown.
type meanwhile struct {
	*setting
	// Both tells that it was changed in the form, too, to something else: then it is
	// to be chosen.
	Both bool
	// Same tells that both want the same.
	Same         bool
	Theirs, Mine shownValue
}

// mergeSettings shows a form again that somebody else was faster than. What only one
// of them changed is as they want it; of what both did the form has what was typed,
// beside what is in force. Nothing is saved before somebody has seen that.
func (c *Console) mergeSettings(v *visit, typed typedSettings, was *api.VersionedSettings) (*page, error) {
	now, err := c.directory.Settings(v.Context())
	if err != nil {
		return nil, err
	}
	merged := make(typedSettings)
	var changed []meanwhile
	for _, s := range settings {
		before, theirs, mine := s.get(&was.Settings), s.get(&now.Settings), typed[s.Key]
		merged[s.Key] = mine
		if mine == before {
			merged[s.Key] = theirs
		}
		if theirs != before {
			changed = append(changed, meanwhile{s, mine != before && mine != theirs, mine == theirs, s.show(theirs), s.show(mine)})
		}
	}
	p, err := c.settingsAgain(v, merged, now, changed)
	if err == nil {
		p.status = http.StatusConflict
	}
	return p, err
}

// shownValue is a value as people read it: a sentence, or data.
type shownValue struct {
	Sentence sentence
	Text     string
}

// maxShown bounds what is shown of a value, in characters.
const maxShown = 300

// show puts a value of the setting into words.
func (s *setting) show(value string) shownValue {
	switch s.Kind {
	case "check":
		if value != "" {
			return shownValue{Sentence: sentence("on")}
		}
		return shownValue{Sentence: sentence("off")}
	case "logo":
		if value != "" {
			return shownValue{Sentence: sentence("a picture")}
		}
	case "people":
		switch value {
		case "0":
			return shownValue{Sentence: sentence("Always, whoever has an account in the directory")}
		case "1":
			return shownValue{Sentence: sentence("The first person only")}
		}
	}
	for _, c := range s.Choices {
		if c.Value == value {
			return shownValue{Sentence: c.Text}
		}
	}
	if value == "" {
		return shownValue{Sentence: sentence("nothing")}
	}
	if utf8.RuneCountInString(value) > maxShown {
		value = string([]rune(value)[:maxShown]) + "…"
	}
	return shownValue{Text: strings.ReplaceAll(value, "\n", ", ")}
}

// showJSON puts a value into words that the history has as JSON; "" is none.
func (s *setting) showJSON(value string) shownValue {
	if s.Kind == "logo" {
		return shownValue{Text: value}.orNothing()
	}
	var decoded any
	if json.Unmarshal([]byte(value), &decoded) != nil {
		return s.show("")
	}
	switch decoded := decoded.(type) {
	case string:
		return s.show(decoded)
	case bool:
		return s.show(onOff(decoded))
	case []any:
		var lines []string
		for _, each := range decoded {
			lines = append(lines, text(each))
		}
		return s.show(strings.Join(lines, "\n"))
	}
	return s.show(value)
}

func (v shownValue) orNothing() shownValue {
	if v.Text == "" {
		v.Sentence = sentence("nothing")
	}
	return v
}
