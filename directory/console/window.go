package console

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"firstday.dev/signinpage"
)

// windowPath is where the page of the Mac's login window is, for a frame of ours.
// It is the same for everybody and knows nothing: what it shows, the page around it
// says.
const windowPath = Path + "window/"

// The frame has an origin of its own, which is none: it gets at nothing of the
// console, sends nothing anywhere (the window's forms are its scripts' alone), and loads nothing but the window's own files.
const windowPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts allow-forms"

// standIn is the script that says what the agent would, before all others.
const standIn = "window.js"

// windowFiles are those of the page, by name.
var windowFiles = readWindow()

func readWindow() map[string][]byte {
	all := map[string][]byte{standIn: assets[standIn].plain}
	err := fs.WalkDir(signinpage.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		all[name], err = signinpage.Files.ReadFile(name)
		return err
	})
	if err != nil {
		panic(err) // it is embedded
	}
	first := []byte(`<script src="words.js">`)
	if bytes.Count(all["index.html"], first) != 1 {
		panic("the window's page does not begin with words.js")
	}
	all["index.html"] = bytes.Replace(all["index.html"], first, fmt.Appendf(nil, `<script src=%q></script>%s`, standIn, first), 1)
	return all
}

func serveWindow() http.HandlerFunc {
	kinds := map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
	return func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, windowPath)
		file, kind := windowFiles[name], kinds[path.Ext(name)]
		if file == nil || kind == "" {
			http.NotFound(w, r)
			return
		}
		header := w.Header()
		header.Set("Content-Type", kind)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", windowPolicy)
		header.Set("X-Frame-Options", "SAMEORIGIN")
		header.Set("Referrer-Policy", "no-referrer")
		// Without an origin the frame is another site to its own files.
		header.Set("Cross-Origin-Resource-Policy", "cross-origin")
		header.Set("Cache-Control", "no-cache")
		_, _ = w.Write(file)
	}
}
