package authdb

import "io/fs"

// ownerOf knows none: a bundle on Windows is in order for nobody.
func ownerOf(fs.FileInfo) (uint32, bool) { return 0, false }
