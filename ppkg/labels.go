package ppkg

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Namespace is that of the attributes with which a project can say what a
// setting is that this package does not know. icd.exe does not read them.
//
//	<Common xmlns:fd="urn:firstday.dev:customizations">
//	  <Policies><Chrome><HomepageLocation fd:type="string">https://…
//	  <SharedPC><DeletionPolicy fd:type="integer" fd:csp="SharedPC/DeletionPolicy">1
//
// fd:type is string, integer or boolean; the text is then the value itself,
// not a label. fd:csp is the path of the value for the configuration service
// providers; policies do not need it.
const Namespace = "urn:firstday.dev:customizations"

// row says what a setting of the Designer is: where its value goes, its type,
// and what the Designer shows for its values.
type row struct {
	csp string // path of the node and name of the parm; policies have theirs by rule
	Type
	labels []labelled
}

type labelled struct{ label, value string }

var (
	yesNo     = []labelled{{"Yes", "1"}, {"No", "0"}}
	trueFalse = []labelled{{"True", "true"}, {"False", "false"}}
)

// value turns what a project says into a value. Integers and booleans may also
// be given as themselves.
func (r row) value(text string) (string, error) {
	if r.Type != String || r.labels != nil {
		text = strings.TrimSpace(text)
	}
	for _, l := range r.labels {
		if strings.EqualFold(l.label, text) || l.value == text {
			return l.value, nil
		}
	}
	switch {
	case r.labels != nil && r.Type != Integer:
		return "", fmt.Errorf("%w %.60q, not one of %s", ErrValue, text, labelList(r.labels))
	case r.Type == Integer && isLabel(text):
		return "", fmt.Errorf("%w %.60q%s; a number or fd:type can say it", ErrValue, text, oneOf(r.labels))
	}
	if err := r.check(text); err != nil {
		return "", fmt.Errorf("%w: %w", ErrValue, err)
	}
	return text, nil
}

// text is the reverse of value.
func (r row) text(value string) string {
	for _, l := range r.labels {
		if l.value == value {
			return l.label
		}
	}
	return value
}

func isLabel(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	return err != nil
}

func oneOf(labels []labelled) string {
	if labels == nil {
		return ""
	}
	return ", not one of " + labelList(labels)
}

func labelList(labels []labelled) string {
	var names []string
	for _, l := range labels {
		names = append(names, l.label)
	}
	return strings.Join(names, ", ")
}

// settingTable knows the settings of one value, by path in the schema.
var settingTable = func() map[string]row {
	table := map[string]row{}
	for path, r := range plainSettings {
		table[path] = r
	}
	for _, areas := range policyTables {
		for area, list := range areas {
			for name, r := range list {
				table["Policies/"+area+"/"+name] = r
			}
		}
	}
	return table
}()

// plainSettings are those outside the Policy CSP. Types and labels are those
// of packages made by ICD (formats/ppkg.md §2.1a, §2.2).
var plainSettings = map[string]row{
	"OOBE/Desktop/HideOobe":           {"MCSF/OOBE/Desktop/HideOobe", Boolean, trueFalse},
	"OOBE/Desktop/EnableCortanaVoice": {"MCSF/OOBE/Desktop/EnableCortanaVoice", Boolean, trueFalse},

	"Personalization/DesktopImageUrl":    {"Personalization/DesktopImageUrl", String, nil},
	"Personalization/LockScreenImageUrl": {"Personalization/LockScreenImageUrl", String, nil},

	"ProvisioningCommands/DeviceContext/CommandLine": {"ProvisioningCommands/DeviceContext/$(__PackageID)/Default/CommandLine", String, nil},

	// The second label is that of the documentation of EmbeddedLogon, whose
	// setting this is: learn.microsoft.com, "UIVerbosityLevel".
	"SMISettings/UIVerbosityLevel": {"MCSF/SMISettings/UIVerbosityLevel", Integer, []labelled{{"Do not suppress", "0"}, {"Suppress", "1"}}},
}

// Known lists the paths of the settings of one value that a project may use
// without saying what they are.
func Known() []string {
	paths := make([]string, 0, len(settingTable))
	for path := range settingTable {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}
