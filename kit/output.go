package kit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"firstday.dev/internal/atomicfile"
)

// ErrOverwrite: the output has the name of something that it must not replace.
var ErrOverwrite = errors.New("it would be overwritten")

// checkReplace allows output to take the place of a file of its own kind, as
// an earlier run left it, but of none of the inputs.
func checkReplace(output string, want kind, inputs ...*os.File) error {
	refuse := func(why string) error {
		return &fs.PathError{Op: "write", Path: output, Err: fmt.Errorf("%w: %s", ErrOverwrite, why)}
	}
	info, err := os.Stat(output)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, in := range inputs {
		if same, err := in.Stat(); err == nil && os.SameFile(info, same) {
			return refuse("it is the input")
		}
	}
	f, _, err := openRegular(output)
	if err != nil {
		return err
	}
	defer f.Close()
	if want == kindOther {
		if !strings.EqualFold(filepath.Ext(output), signatureExt) {
			return refuse("it is no signature")
		}
		return nil
	}
	if kindOf(f, output) != want {
		return refuse("it is of another kind")
	}
	return nil
}

// CreateInstaller begins an installer package for macOS, which takes the place
// of an earlier one and of nothing else.
func CreateInstaller(path string) (*atomicfile.File, error) {
	if err := checkReplace(path, kindInstaller); err != nil {
		return nil, err
	}
	return atomicfile.Create(path, 0o644)
}

// catalogPath is where the catalog of a package belongs.
func catalogPath(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + catalogExt
}

// Extensions of a package, and of what stands beside a file to vouch for it.
const (
	packageExt   = ".ppkg"
	installerExt = ".pkg"
	catalogExt   = ".cat"
	signatureExt = ".p7s"
)
