package page

import "embed"

// Files are the page's: index.html, and what it loads from beside it.
//
//go:embed index.html style.css *.js words
var Files embed.FS
