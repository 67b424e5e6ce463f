package bundle

import (
	"errors"
	"regexp"
	"strings"
)

// A rule says what becomes of the paths that its pattern matches. Of those that
// match, the one with the most weight counts.
type rule struct {
	pattern  *regexp.Regexp
	weight   float64
	omit     bool // it is not sealed
	optional bool // it may be missing
	nested   bool // it is code with a signature of its own
}

type rules []rule

// find gives the rule for a path from the base; nil if it is not sealed.
func (rs rules) find(path string) *rule {
	var best *rule
	for i := range rs {
		if r := &rs[i]; (best == nil || r.weight > best.weight) && r.pattern.MatchString(path) {
			best = r
		}
	}
	if best == nil || best.omit {
		return nil
	}
	return best
}

// What codesign puts into each seal since OS X 10.9.5: rules for readers before
// that, which know hashes by SHA-1 of resources, and those of now. A value is
// true or a dictionary, as in the property list.
var (
	oldRules = map[string]any{
		`^version.plist$`:                        true,
		`^Resources/`:                            true,
		`^Resources/.*\.lproj/`:                  weighed(1000, "optional"),
		`^Resources/Base\.lproj/`:                weighed(1010, ""),
		`^Resources/.*\.lproj/locversion.plist$`: weighed(1100, "omit"),
	}
	newRules = map[string]any{
		`^.*`:           true,
		`^[^/]+$`:       weighed(10, "nested"),
		`.*\.dSYM($|/)`: weighed(11, ""),
		`^(Frameworks|SharedFrameworks|PlugIns|Plug-ins|XPCServices|Helpers|MacOS|Library/(Automator|Spotlight|LoginItems))/`: weighed(10, "nested"),
		`^(.*/)?\.DS_Store$`:                     weighed(2000, "omit"),
		`^Info\.plist$`:                          weighed(20, "omit"),
		`^PkgInfo$`:                              weighed(20, "omit"),
		`^version\.plist$`:                       weighed(20, ""),
		`^embedded\.provisionprofile$`:           weighed(20, ""),
		`^Resources/`:                            weighed(20, ""),
		`^Resources/.*\.lproj/`:                  weighed(1000, "optional"),
		`^Resources/Base\.lproj/`:                weighed(1010, ""),
		`^Resources/.*\.lproj/locversion.plist$`: weighed(1100, "omit"),
	}
)

func weighed(weight float64, flag string) map[string]any {
	r := map[string]any{"weight": weight}
	if flag != "" {
		r[flag] = true
	}
	return r
}

const (
	maxRules   = 100
	maxPattern = 1000 // bytes
)

// parseRules reads rules as they stand in a property list.
func parseRules(list map[string]any) (rules, error) {
	if len(list) == 0 || len(list) > maxRules {
		return nil, badSeal("%d rules", len(list))
	}
	var rs rules
	for pattern, value := range list {
		if len(pattern) > maxPattern {
			return nil, badSeal("a rule of %d bytes", len(pattern))
		}
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return nil, badSeal("rule %q: %w", pattern, err)
		}
		r := rule{pattern: compiled, weight: 1}
		if err := r.set(value); err != nil {
			return nil, badSeal("rule %q: %w", pattern, err)
		}
		rs = append(rs, r)
	}
	return rs, nil
}

var errRule = errors.New("it is not one")

func (r *rule) set(value any) error {
	if value == true {
		return nil
	}
	keys, ok := value.(map[string]any)
	if !ok {
		return errRule
	}
	for key, value := range keys {
		flag, isFlag := value.(bool)
		switch {
		case key == "weight":
			switch n := value.(type) {
			case float64:
				r.weight = n
			case uint64:
				r.weight = float64(n)
			default:
				return errRule
			}
		case !isFlag:
			return errRule
		case key == "omit":
			r.omit = flag
		case key == "optional":
			r.optional = flag
		case key == "nested":
			r.nested = flag
		default:
			return errRule
		}
	}
	return nil
}

// excluded are never sealed, whatever the rules say: the seal itself, and what
// the App Store and old systems put beside it.
func (b *Bundle) excluded(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	switch top {
	case "_CodeSignature", "CodeResources", "_MASReceipt":
		return true
	}
	return b.base+"/"+name == b.Executable
}
