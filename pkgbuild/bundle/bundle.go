// Package bundle seals macOS bundles and checks their seals. A bundle is a
// folder that macOS takes for one thing: a program, an Info.plist and
// resources. The seal is the property list CodeResources, which lists what the
// folder holds; the signature of the program covers the seal and the
// Info.plist, so that all three can only change together.
package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"firstday.dev/internal/propertylist"
	"firstday.dev/pkgbuild/macho"
)

var (
	// ErrFormat: the folder is no bundle, or one that is damaged.
	ErrFormat = errors.New("bundle: not a bundle")
	// ErrSeal: the seal does not fit what the bundle holds.
	ErrSeal = errors.New("bundle: broken seal")
	// ErrUnsignedCode: there is code in the bundle that must be signed before
	// the bundle is, and is not.
	ErrUnsignedCode = errors.New("bundle: code that is not signed")
)

func badFormat(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFormat, fmt.Errorf(format, args...))
}

func badSeal(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrSeal, fmt.Errorf(format, args...))
}

const (
	maxInfoPlist     = 1 << 20  // bytes
	maxCodeResources = 64 << 20 // bytes; Xcode's takes 15 MB
)

// Bundle is a bundle of the layout of programs and plug-ins (all in Contents)
// or of frameworks (all in a folder of its version).
type Bundle struct {
	// Identifier is the CFBundleIdentifier: the name in the signature.
	Identifier string
	// Executable is the path of the program in the bundle.
	Executable string
	// Resources is the path of the seal in the bundle, whether or not it exists.
	Resources string
	// InfoPlist is the file of that name, which the signature covers.
	InfoPlist []byte

	files fs.FS // the bundle
	base  string
}

// sealName is where the seal is, from the base.
const sealName = "_CodeSignature/CodeResources"

// Open reads what says what the bundle is. Errors wrap ErrFormat, or are those
// of the file system.
func Open(files fs.FS) (*Bundle, error) {
	b := &Bundle{files: files, base: "Contents"}
	info, programs := "Info.plist", "MacOS"
	if _, err := fs.Stat(files, "Contents"); err != nil {
		version, err := fs.ReadLink(files, "Versions/Current")
		if err != nil {
			return nil, badFormat("it has neither a folder Contents nor a current version")
		}
		if !plainName(version) {
			return nil, badFormat("Versions/Current leads to %q", version)
		}
		b.base, info, programs = "Versions/"+version, "Resources/Info.plist", "."
	}
	var err error
	if b.InfoPlist, err = readFile(files, path.Join(b.base, info), maxInfoPlist); err != nil {
		return nil, badFormat("no Info.plist: %w", err)
	}
	var keys struct {
		Identifier string `plist:"CFBundleIdentifier"`
		Executable string `plist:"CFBundleExecutable"`
	}
	if err := propertylist.Unmarshal(b.InfoPlist, &keys); err != nil {
		return nil, badFormat("Info.plist: %w", err)
	}
	switch {
	case keys.Identifier == "":
		return nil, badFormat("Info.plist has no CFBundleIdentifier")
	case !plainName(keys.Executable):
		return nil, badFormat("Info.plist names no program by CFBundleExecutable, or one elsewhere: %q", keys.Executable)
	}
	b.Identifier = keys.Identifier
	b.Executable = path.Join(b.base, programs, keys.Executable)
	b.Resources = path.Join(b.base, sealName)
	return b, nil
}

// plainName tells names of files from paths.
func plainName(name string) bool {
	return fs.ValidPath(name) && name != "." && !strings.ContainsAny(name, `/\`) && !strings.ContainsRune(name, 0)
}

// Program opens the program of the bundle. Close it by the function it returns.
func (b *Bundle) Program() (macho.Program, func() error, error) {
	return openProgram(b.files, b.Executable)
}

func openProgram(files fs.FS, name string) (macho.Program, func() error, error) {
	f, err := files.Open(name)
	if err != nil {
		return macho.Program{}, nil, err
	}
	info, err := f.Stat()
	r, ok := f.(io.ReaderAt)
	if err == nil && (!ok || !info.Mode().IsRegular()) {
		err = badFormat("%s is no file", name)
	}
	if err != nil {
		return macho.Program{}, nil, errors.Join(err, f.Close())
	}
	return macho.Program{ReaderAt: r, Size: info.Size()}, f.Close, nil
}

// readFile reads a file that is small.
func readFile(files fs.FS, name string, most int64) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(content)) > most {
		err = fmt.Errorf("%s is longer than %d bytes", name, most)
	}
	return content, err
}
