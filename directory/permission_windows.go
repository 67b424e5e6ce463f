package directory

import "io/fs"

// Access lists say who may read a file on Windows, and Go's mode bits do not
// show them.
func openToOthers(fs.FileInfo) bool { return false }
