package console

import (
	"fmt"

	"firstday.dev/api"
)

// platforms are the names of platforms, which are the same everywhere.
var platforms = map[api.Platform]string{api.Windows: "Windows", api.MacOS: "macOS", api.Linux: "Linux"}

func platformName(p api.Platform) string { return platforms[p] }

// roleWords are what roles are called.
var roleWords = map[api.Role]sentence{
	api.Owner: sentence("owner"), api.Technician: sentence("technician"), api.Auditor: sentence("auditor"), api.Builder: sentence("builder"),
}

func roleWord(r api.Role) sentence { return roleWords[r] }

// explain says to IT what a code means.
func explain(code api.Code) sentence { return sentence(api.Explain(code).IT) }

// text makes one of a word of the API.
func text(word any) string { return fmt.Sprint(word) }
