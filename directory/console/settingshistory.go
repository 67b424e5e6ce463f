package console

import (
	"errors"
	"strconv"

	"firstday.dev/api"
	"firstday.dev/directory"
)

// settingsHistoryData is a page of the changes of the settings.
type settingsHistoryData struct {
	Changes []settingsChange
	// Revision is that of the settings in force.
	Revision int64
	Next     string
}

// settingsChange is a change in words.
type settingsChange struct {
	*api.SettingsChange
	Lines []changeLine
}

// changeLine is what a change did to one setting.
type changeLine struct {
	Platform string   // of one; empty: the organisation's
	Label    sentence // empty: Key says it
	Key      string
	From, To shownValue
}

func (c *Console) settingsHistory(v *visit) (*page, error) {
	before, err := strconv.ParseInt(v.form("before"), 10, 64)
	if err != nil || before < 0 {
		before = 0
	}
	now, err := c.directory.Settings(v.Context())
	if err != nil {
		return nil, err
	}
	changes, err := c.directory.SettingsHistory(v.Context(), before)
	if err != nil {
		return nil, err
	}
	data := settingsHistoryData{Revision: now.Revision}
	for _, change := range changes {
		data.Changes = append(data.Changes, settingsChange{change, linesOf(change)})
	}
	if len(changes) == directory.SettingsPage {
		data.Next = strconv.FormatInt(changes[len(changes)-1].Revision, 10)
	}
	return &page{
		Title: "History of the settings", Up: link{Path + "settings", "Settings"}, Template: "settingshistory", Data: data,
		Topics: []directory.Topic{directory.TopicSettings},
	}, nil
}

func linesOf(change *api.SettingsChange) (lines []changeLine) {
	for _, each := range change.Changes {
		line := changeLine{Key: each.Key, From: shownValue{Text: each.From}, To: shownValue{Text: each.To}}
		if s := settingOf(each.Key); s != nil {
			line.Platform, line.Label, line.From, line.To = s.Platform(), s.Label, s.showJSON(each.From), s.showJSON(each.To)
		}
		lines = append(lines, line)
	}
	return lines
}

// revertSettings goes back to earlier settings, if those in force are the ones that
// the page showed.
func (c *Console) revertSettings(v *visit) (*page, error) {
	to, err := strconv.ParseInt(v.PathValue("id"), 10, 64)
	if err != nil || to < 0 {
		return nil, api.Refuse(api.CodeNotFound, "there are no settings of revision %.40q", v.PathValue("id"))
	}
	seen, err := strconv.ParseInt(v.form("revision"), 10, 64)
	if err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "the form does not say which settings are in force")
	}
	if _, err := c.directory.RevertSettings(v.Context(), v.actor(), &api.RevertRequest{To: to, Revision: seen}); err != nil {
		p, shown := c.settingsHistory(v)
		return p, errors.Join(err, shown)
	}
	if to == 0 {
		return v.done(Path+"settings/history", "The settings are those of a new directory again.")
	}
	return v.done(Path+"settings/history", "The settings are those of revision %d again.", int(to))
}
