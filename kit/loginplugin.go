package kit

import (
	"context"
	"crypto/sha256"
	"debug/macho"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"firstday.dev/internal/propertylist"
	"firstday.dev/pkgbuild/bundle"
	"firstday.dev/signing"
	"firstday.dev/templates/macos"
)

// ErrNoLoginPlugin says that the plug-in of macOS' login window is not beside the
// agents, or is not the one that goes with them.
var ErrNoLoginPlugin = errors.New("no usable login plug-in")

// loginPlugin is the plug-in on its way into a package. It is a folder; its hash is
// that of macos.PluginDigest.
type loginPlugin struct {
	Content
	dir   string    // where it is now
	files []Content // in it, by their paths there
}

// macPlugin gives the plug-in for Macs, which is made once for all kits of a batch.
func (b *builder) macPlugin(ctx context.Context, work, version string) (*loginPlugin, error) {
	s := b.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plugin == nil {
		work, err := s.folder(work)
		if err != nil {
			return nil, err
		}
		if s.plugin, err = b.signedPlugin(ctx, filepath.Join(work, macos.Plugin), version); err != nil {
			return nil, err
		}
	}
	plugin := *s.plugin
	return &plugin, nil
}

// signedPlugin copies the plug-in that was built with the agents of a version, and
// signs the copy as the agent is.
func (b *builder) signedPlugin(ctx context.Context, to, version string) (*loginPlugin, error) {
	from := filepath.Join(b.Agents, macos.Plugin)
	if err := copyPlugin(from, to, version); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNoLoginPlugin, from, err)
	}
	if err := signBundle(ctx, to, b.application, b.applicationOptions()); err != nil {
		return nil, fmt.Errorf("signing the login plug-in: %w", err)
	}
	return describePlugin(to, version)
}

// copyPlugin copies a bundle that can be the plug-in of a version. Somebody else's
// seal stays behind.
func copyPlugin(from, to, version string) error {
	_, root, err := openBundle(from)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := checkPlugin(root.FS(), version); err != nil {
		return err
	}
	return macos.WalkPlugin(root.FS(), func(name string, f fs.File) error {
		if strings.HasPrefix(name, "Contents/_CodeSignature/") {
			return nil
		}
		place := filepath.Join(to, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			return err
		}
		_, err := writeWork(place, func(w io.Writer) error {
			_, err := io.Copy(w, f)
			return err
		})
		return err
	})
}

func describePlugin(dir, version string) (*loginPlugin, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	p := &loginPlugin{Content: Content{File: macos.Plugin, Kind: kindLoginPlugin, Arch: "universal", Version: version}, dir: dir}
	if p.SHA256, err = macos.PluginDigest(root.FS()); err != nil {
		return nil, err
	}
	return p, macos.WalkPlugin(root.FS(), func(name string, f fs.File) error {
		h := sha256.New()
		size, err := io.Copy(h, f)
		p.Size += size
		p.files = append(p.files, Content{File: name, Size: size, SHA256: hex.EncodeToString(h.Sum(nil))})
		return err
	})
}

// checkPlugin holds a bundle against what the login window of a Mac is to load
// together with an agent of a version.
func checkPlugin(files fs.FS, version string) error {
	b, err := bundle.Open(files)
	if err != nil {
		return err
	}
	var info struct {
		Version string `plist:"CFBundleVersion"`
		Short   string `plist:"CFBundleShortVersionString"`
	}
	if err := propertylist.Unmarshal(b.InfoPlist, &info); err != nil {
		return err
	}
	switch {
	case b.Identifier != macos.PluginIdentifier:
		return fmt.Errorf("it is called %.100s", b.Identifier)
	case b.Executable != macos.PluginProgram:
		return fmt.Errorf("its program is %.100s", b.Executable)
	case info.Version != version || info.Short != version:
		return fmt.Errorf("it has version %.60q, its agent %s", info.Version, version)
	}
	if err := checkPluginPage(files); err != nil {
		return err
	}
	return checkPluginCode(b)
}

// maxPage bounds the page, in bytes.
const maxPage = 1 << 20

// needed finds what a page of ours names: its scripts, and how it looks.
var needed = regexp.MustCompile(`<(?:script src|link rel="stylesheet" href)="([^"]*)"`)

// checkPluginPage looks for the page, and for the files without which it shows
// nothing.
func checkPluginPage(files fs.FS) error {
	f, err := files.Open(macos.PluginPage)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPage+1))
	if err != nil {
		return err
	}
	if len(text) == 0 || len(text) > maxPage {
		return fmt.Errorf("%s is no page of %d bytes", macos.PluginPage, len(text))
	}
	for _, name := range needed.FindAllSubmatch(text, -1) {
		file := path.Join(path.Dir(macos.PluginPage), string(name[1]))
		info, err := fs.Stat(files, file)
		if err != nil {
			return fmt.Errorf("its page needs %.200s: %w", name[1], err)
		}
		if !info.Mode().IsRegular() || info.Size() == 0 {
			return fmt.Errorf("its page needs %.200s, which is no file", name[1])
		}
	}
	return nil
}

// pluginExport is what macOS calls in a plug-in.
const pluginExport = "_AuthorizationPluginCreate"

func checkPluginCode(b *bundle.Bundle) error {
	program, closeProgram, err := b.Program()
	if err != nil {
		return err
	}
	defer closeProgram() //nolint:errcheck // it was only read
	fat, err := macho.NewFatFile(io.NewSectionReader(program, 0, program.Size))
	if err != nil {
		return fmt.Errorf("%s: %w", b.Executable, err)
	}
	var cpus []macho.Cpu
	for _, slice := range fat.Arches {
		cpus = append(cpus, slice.Cpu)
		if slice.Type != macho.TypeBundle {
			return fmt.Errorf("%s for %v is no plug-in", b.Executable, slice.Cpu)
		}
		if slice.Symtab == nil || !slices.ContainsFunc(slice.Symtab.Syms, isPluginExport) {
			return fmt.Errorf("%s for %v does not export %s", b.Executable, slice.Cpu, pluginExport)
		}
	}
	slices.Sort(cpus)
	if !slices.Equal(cpus, []macho.Cpu{macho.CpuAmd64, macho.CpuArm64}) {
		return fmt.Errorf("%s is for %v, not for amd64 and arm64", b.Executable, cpus)
	}
	return nil
}

func isPluginExport(s macho.Symbol) bool {
	const kind, external, private, inSection = 0x0e, 0x01, 0x10, 0x0e // of mach-o/nlist.h
	return s.Name == pluginExport && s.Type&kind == inSection && s.Type&external != 0 && s.Type&private == 0
}

// applicationOptions are how programs for macOS are signed.
func (b *builder) applicationOptions() signing.Options {
	var opts signing.Options
	if s := b.Config.MacOS.Signing.Application; s != nil {
		opts = SigningOptions(s, "")
	}
	opts.Time = b.Time
	return opts
}
