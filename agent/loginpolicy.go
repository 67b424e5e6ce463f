package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"firstday.dev/agent/accounts"
	"firstday.dev/internal/propertylist"
)

// loginPolicies are where macOS keeps the settings of its login window: those of a
// profile, then the administrators' own (Apple's device management reference,
// Login Window).
var loginPolicies = []string{
	"/Library/Managed Preferences/com.apple.loginwindow.plist",
	"/Library/Preferences/com.apple.loginwindow.plist",
}

// loginPolicy is what macOS' own login window shows of its people. Ours shows no
// more.
type loginPolicy struct {
	fields bool // no list: the name is typed
	admins bool // administrators are left out
	hidden []string
}

func (p *loginPolicy) hides(a accounts.Account) bool {
	return p.admins && a.Administrator || slices.ContainsFunc(p.hidden, func(name string) bool { return strings.EqualFold(name, a.Name) })
}

// plutil makes XML of a property list, which is binary as a rule.
const plutil = "/usr/bin/plutil"

// policy reads the settings. Whoever cannot read them is to show no list: a name can
// always be typed.
func (d *loginDesk) policy(ctx context.Context) (loginPolicy, error) {
	settings := make(map[string]any)
	if d.console == nil {
		return loginPolicy{}, nil
	}
	for _, path := range d.policies {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		xml, stderr, err := d.console.Run(ctx, nil, plutil, "-convert", "xml1", "-o", "-", "--", path)
		if err != nil {
			return loginPolicy{fields: true}, fmt.Errorf("%s %s: %w: %.200q", plutil, path, err, stderr)
		}
		if err := addSettings(settings, xml); err != nil {
			return loginPolicy{fields: true}, fmt.Errorf("%s: %w", path, err)
		}
	}
	return readPolicy(settings), nil
}

// addSettings adds those of a property list, but for what a stronger one has.
func addSettings(settings map[string]any, xml []byte) error {
	var list map[string]any
	if err := propertylist.Unmarshal(xml, &list); err != nil {
		return err
	}
	for key, value := range list {
		if _, forced := settings[key]; !forced {
			settings[key] = value
		}
	}
	return nil
}

// maxHiddenNames bounds the names that are left out.
const maxHiddenNames = 1000

// readPolicy takes what it knows. A list without the local accounts would have
// nobody in it.
func readPolicy(settings map[string]any) loginPolicy {
	p := loginPolicy{
		fields: switchedOn(settings["SHOWFULLNAME"]) || switchedOn(settings["HideLocalUsers"]),
		admins: switchedOn(settings["HideAdminUsers"]),
	}
	names, _ := settings["HiddenUsersList"].([]any)
	for _, name := range names[:min(len(names), maxHiddenNames)] {
		if name, ok := name.(string); ok {
			p.hidden = append(p.hidden, name)
		}
	}
	return p
}

// switchedOn reads a switch as defaults(1) and profiles write it.
func switchedOn(value any) bool {
	switch v := value.(type) {
	case bool:
		return v
	case uint64:
		return v != 0
	case int64:
		return v != 0
	case string:
		return v == "1" || strings.EqualFold(v, "true") || strings.EqualFold(v, "yes")
	}
	return false
}
