package macos

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// The plug-in of the login window, which is a bundle.
const (
	// Plugin is its name.
	Plugin = "FirstdayLogin.bundle"
	// PluginFolder is where macOS looks for it.
	PluginFolder = "/Library/Security/SecurityAgentPlugins"
	// PluginPath is where it belongs.
	PluginPath = PluginFolder + "/" + Plugin
	// PluginIdentifier is how macOS knows its code.
	PluginIdentifier = "dev.firstday.login"
	// PluginProgram is its code, PluginPage what its window shows; both by their
	// paths in the bundle.
	PluginProgram = "Contents/MacOS/FirstdayLogin"
	PluginPage    = "Contents/Resources/index.html"
)

// ErrPlugin: the bundle holds more than a bundle of ours can.
var ErrPlugin = errors.New("no bundle of the login window's plug-in")

// What bounds a bundle: ours has some dozens of files, of less than a megabyte.
const (
	maxPluginFiles = 2000     // with the folders
	maxPluginSize  = 64 << 20 // bytes
)

// PluginDigest names all that a bundle holds, by SHA-256 in hexadecimal digits: it
// is the hash of the list of its files. What gives the same is
//
//	cd FirstdayLogin.bundle && find * -type f | LC_ALL=C sort | tr '\n' '\0' | xargs -0 shasum -a 256 | shasum -a 256
//
// Errors wrap [ErrPlugin], or are those of the file system.
func PluginDigest(bundle fs.FS) (string, error) {
	list := sha256.New()
	err := WalkPlugin(bundle, func(name string, f fs.File) error {
		h := sha256.New()
		if _, err := io.Copy(h, io.LimitReader(f, maxPluginSize)); err != nil {
			return err
		}
		_, err := fmt.Fprintf(list, "%x  %s\n", h.Sum(nil), name)
		return err
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(list.Sum(nil)), nil
}

// WalkPlugin goes through the files of a bundle in the order of their names.
func WalkPlugin(bundle fs.FS, visit func(name string, f fs.File) error) error {
	names, size := 0, int64(0)
	var files []string
	err := fs.WalkDir(bundle, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		switch names++; {
		case err != nil:
			return err
		case names > maxPluginFiles:
			return fmt.Errorf("%w: more than %d files", ErrPlugin, maxPluginFiles)
		case d.IsDir():
			return nil
		case !info.Mode().IsRegular(): // links, too: who knows where to
			return fmt.Errorf("%w: %s is neither a file nor a folder", ErrPlugin, name)
		}
		if size += info.Size(); size > maxPluginSize {
			return fmt.Errorf("%w: more than %d bytes", ErrPlugin, int64(maxPluginSize))
		}
		files = append(files, name)
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(files)
	for _, name := range files {
		f, err := bundle.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(visit(name, f), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
