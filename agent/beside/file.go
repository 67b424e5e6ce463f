package beside

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// The page's files come from memory, by addresses of a scheme of our own: what is
// shown needs no file that somebody could have changed, and no other version's.
const (
	scheme      = "firstday"
	pageRoot    = scheme + "://page/"
	pageAddress = pageRoot + "index.html#beside" // which leaves out what Apple's window has
)

// kinds are what files of the page may be, by their names' ends.
var kinds = map[string]string{
	".html": "text/html",
	".css":  "text/css",
	".js":   "text/javascript",
	".json": "application/json",
	".svg":  "image/svg+xml",
}

// pageFile gives what stands at an address of the page's.
func pageFile(files fs.FS, address string) (content []byte, kind string, err error) {
	address, _, _ = strings.Cut(address, "#")
	name, ok := strings.CutPrefix(address, pageRoot)
	kind = kinds[path.Ext(name)]
	if !ok || kind == "" || !fs.ValidPath(name) {
		return nil, "", fmt.Errorf("%.100q is no address of the page", address)
	}
	content, err = fs.ReadFile(files, name)
	return content, kind, err
}
