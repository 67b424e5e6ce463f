package authdb

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"firstday.dev/internal/propertylist"
)

// ErrVersion: nobody has recorded the list of this version of macOS.
var ErrVersion = errors.New("the login mechanisms of this version of macOS are not known")

// sonoma is the list of macOS 14. See testdata/README.md for where each of these
// lists was seen, and which are inferred.
var sonoma = []string{
	"builtin:prelogin",
	"builtin:policy-banner",
	AppleUI,
	loginBegin,
	"builtin:reset-password,privileged",
	"loginwindow:FDESupport,privileged",
	"builtin:forward-login,privileged",
	"builtin:auto-login,privileged",
	authenticate,
	"PKINITMechanism:auth,privileged",
	"builtin:login-success",
	"loginwindow:success",
	"HomeDirMechanism:login,privileged",
	"HomeDirMechanism:status",
	"MCXMechanism:login",
	"CryptoTokenKit:login",
	"loginwindow:done",
}

// appleList gives the list of a major version of macOS, and the version of the
// definition, 0 where nobody told it.
func appleList(major int) (list []string, version int, ok bool) {
	switch major {
	case 12:
		return sonoma, 9, true
	case 13: // with a step of Platform single sign-on
		return slices.Insert(slices.Clone(sonoma), len(sonoma)-1, "PSSOAuthPlugin:login-auth"), 10, true
	case 14, 15, 26:
		return sonoma, 11, true
	case 27: // without Kerberos
		return slices.DeleteFunc(slices.Clone(sonoma), func(m string) bool { return pluginOf(m) == "PKINITMechanism" }), 0, true
	}
	return nil, 0, false
}

// Default is Apple's definition in a major version of macOS, as it was recorded.
// It is for when macOS's own copy cannot be read. The error is [ErrVersion]:
// the list of another version may name what this one no longer has.
func Default(major int) (*Definition, error) {
	list, version, ok := appleList(major)
	if !ok {
		return nil, fmt.Errorf("%w: %d", ErrVersion, major)
	}
	var text strings.Builder
	text.WriteString(documentStart + `<dict>
	<key>class</key>
	<string>evaluate-mechanisms</string>
	<key>comment</key>
	<string>Login mechanism based rule.  Not for general use, yet.</string>
	<key>mechanisms</key>
	<array>
`)
	for _, m := range list {
		fmt.Fprintf(&text, "\t\t%s\n", element(m))
	}
	text.WriteString("\t</array>\n\t<key>shared</key>\n\t<true/>\n\t<key>tries</key>\n\t<integer>10000</integer>\n")
	if version > 0 {
		fmt.Fprintf(&text, "\t<key>version</key>\n\t<integer>%d</integer>\n", version)
	}
	text.WriteString("</dict>" + documentEnd)
	return Parse([]byte(text.String()))
}

const (
	documentStart = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
`
	documentEnd = "\n</plist>\n"
)

// maxCopy bounds macOS's copy of the whole database, which has 68 KB.
const maxCopy = 4 << 20

// FromSystem takes Apple's definition out of macOS's own copy of the database,
// authorization.plist in XML. It must be Apple's and whole: the error wraps
// [ErrFormat] or is a [*DamagedError].
func FromSystem(data []byte) (*Definition, error) {
	text, err := consoleRight(data)
	if err != nil {
		return nil, fmt.Errorf("macOS's copy of the database: %w: %w", ErrFormat, err)
	}
	d, err := Parse(slices.Concat([]byte(documentStart), text, []byte(documentEnd)))
	if err != nil {
		return nil, fmt.Errorf("macOS's copy of the database: %w", err)
	}
	if v := d.Judge(); v.State != Apple {
		return nil, fmt.Errorf("macOS's copy of the database: %w", v.refusal())
	}
	return d, nil
}

// consoleRight is the text of the dictionary of the right.
func consoleRight(data []byte) ([]byte, error) {
	if len(data) > maxCopy {
		return nil, fmt.Errorf("more than %d bytes", maxCopy)
	}
	var whole map[string]any
	if err := propertylist.Unmarshal(data, &whole); err != nil { // bounds its depth, too
		return nil, err
	}
	var found []byte
	r := newReader(data)
	err := r.document(func(key string) error {
		if key != "rights" {
			return r.skipValue()
		}
		if err := r.start("dict"); err != nil {
			return err
		}
		return r.dict(func(key string) error {
			err := r.skipValue()
			if key == right && err == nil {
				if found != nil {
					return fmt.Errorf("the right %s twice", right)
				}
				found = data[r.begin:r.end]
			}
			return err
		})
	})
	if err == nil && found == nil {
		err = fmt.Errorf("the right %s is not in it", right)
	}
	return found, err
}
