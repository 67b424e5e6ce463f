//go:build !windows

package directory

import "io/fs"

func openToOthers(info fs.FileInfo) bool { return info.Mode().Perm()&0o004 != 0 }
