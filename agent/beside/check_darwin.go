package beside

import (
	"slices"
	"strings"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"
)

// Finding is one thing that was looked at.
type Finding struct {
	What    string
	Problem string // empty: all is well
}

// Check sees on this Mac whether there is all that the windows are made of: the
// frameworks, functions, classes and messages. It opens no window.
func Check() []Finding {
	if err := load(); err != nil {
		return []Finding{{"frameworks", err.Error()}}
	}
	findings := []Finding{{What: "frameworks"}}
	var missing []string
	for _, name := range slices.Concat(functions, variables) {
		if _, err := purego.Dlsym(purego.RTLD_DEFAULT, name); err != nil {
			missing = append(missing, name)
		}
	}
	findings = append(findings, lacks("functions and variables", missing))
	for _, c := range usedClasses {
		findings = append(findings, lacks(c.name, c.missing()))
	}
	return findings
}

// missing gives what the class of this Mac lacks.
func (c *usedClass) missing() (missing []string) {
	id := class(c.name)
	if id == 0 {
		return []string{"the class"}
	}
	for _, m := range c.messages {
		if !objc.Send[bool](id, objc.RegisterName("respondsToSelector:"), objc.RegisterName(m)) {
			missing = append(missing, "+"+m)
		}
	}
	for _, m := range c.objects {
		if !objc.Send[bool](id, objc.RegisterName("instancesRespondToSelector:"), objc.RegisterName(m)) {
			missing = append(missing, "-"+m)
		}
	}
	return missing
}

func lacks(what string, missing []string) Finding {
	if len(missing) == 0 {
		return Finding{What: what}
	}
	return Finding{what, "this macOS has no " + strings.Join(missing, ", ")}
}
