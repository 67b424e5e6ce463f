package authdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"firstday.dev/internal/propertylist"
)

// BundlePath is where authd looks for our plug-in.
const BundlePath = "/Library/Security/SecurityAgentPlugins/" + plugin + ".bundle"

// Plugin vouches for the plug-in before the database names it.
type Plugin interface {
	// Loadable gives nil if authd's hosts could load the bundle now.
	Loadable(ctx context.Context) error
}

// Bundle is a plug-in's folder, of which it is known who owns it. It vouches for
// the files: all there, and nobody but the owner can change them as far as their
// modes tell. Whether the code is signed and loads on this Mac is for the
// preflight to say, which is a [Plugin] that asks this one first.
type Bundle struct {
	path  string
	owner uint32
}

// InstalledBundle is the one at [BundlePath], root's.
func InstalledBundle() Bundle { return Bundle{path: BundlePath} }

// ErrBundle: the plug-in is not one that the database may name.
var ErrBundle = errors.New("the login plug-in is not in order")

// maxFiles bounds a bundle; ours has some dozens.
const maxFiles = 2000

// Loadable looks at each file. The error wraps [ErrBundle].
func (b Bundle) Loadable(ctx context.Context) error {
	if err := b.check(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrBundle, err)
	}
	return nil
}

func (b Bundle) check(ctx context.Context) error {
	around, err := os.Lstat(filepath.Dir(b.path))
	if err != nil {
		return err
	}
	if err := b.checkFile(filepath.Dir(b.path), around); err != nil {
		return err
	}
	files := 0
	err = filepath.WalkDir(b.path, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if files++; files > maxFiles {
			return fmt.Errorf("more than %d files in %s", maxFiles, b.path)
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return errors.Join(ctx.Err(), b.checkFile(path, info))
	})
	if err != nil {
		return err
	}
	program, err := b.executable()
	if err != nil {
		return err
	}
	info, err := os.Lstat(program)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%s is no program", program)
	}
	return nil
}

func (b Bundle) checkFile(path string, info fs.FileInfo) error {
	owner, ok := ownerOf(info)
	switch {
	case !info.IsDir() && !info.Mode().IsRegular(): // links, too: who knows where to
		return fmt.Errorf("%s is neither a file nor a folder", path)
	case !ok || owner != b.owner:
		return fmt.Errorf("%s has another owner", path)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others than its owner may write to %s", path)
	}
	return nil
}

// executable is the path of the code, by the bundle's Info.plist.
func (b Bundle) executable() (string, error) {
	path := filepath.Join(b.path, "Contents", "Info.plist")
	data, err := readBounded(path, maxSize)
	if err != nil {
		return "", err
	}
	var info struct {
		Executable string `plist:"CFBundleExecutable"`
	}
	if err := propertylist.Unmarshal(data, &info); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if info.Executable == "" || filepath.Base(info.Executable) != info.Executable || !filepath.IsLocal(info.Executable) {
		return "", fmt.Errorf("%s names the program %.100q", path, info.Executable)
	}
	return filepath.Join(b.path, "Contents", "MacOS", info.Executable), nil
}
