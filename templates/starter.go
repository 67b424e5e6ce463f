package templates

import "io"

// Starter is what a firstday.yaml to begin with is filled with. All of it but
// the pin must be given.
type Starter struct {
	Organisation string // "Acme"
	DirectoryURL string // "https://directory.acme.example"
	Pin          string // of the directory's CA, or empty
	// Schema is where an editor finds the JSON Schema: a URL, or a path
	// relative to the file.
	Schema string
}

// Write writes the file: a handful of lines that suffice, and the rest of
// what can be said as comments.
func (s Starter) Write(w io.Writer) error { return write(w, "firstday.yaml.tmpl", s) }
