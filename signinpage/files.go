// Package signinpage is what people see of the sign-in of a Mac: the page that the
// agent shows them at the login window, and that the directory shows administrators
// beforehand, with the screens that the agent was recorded to show.
//
// It belongs to neither: agent/page says how a host speaks with it.
package signinpage

import "embed"

// Files are the page's: index.html, and what it loads from beside it.
//
//go:embed index.html style.css *.js words
var Files embed.FS
