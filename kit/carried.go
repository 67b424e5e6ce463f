package kit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"firstday.dev/api"
	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/templates/macos"
)

// carried is what an installer package of ours brings.
type carried struct {
	enrollment *api.Enrollment   // nil: none
	programs   map[string]string // SHA-256 by path on the volume
	jobs       map[string][]byte // of launchd, likewise
	plugin     []cpio.Header     // the plug-in's files, by their paths on the volume
	// root is a folder with the agent and the plug-in.
	root *os.Root
	size int64 // of the plug-in, in bytes
}

// close removes what was taken out of the package.
func (c *carried) close() error {
	return errors.Join(c.root.Close(), os.RemoveAll(c.root.Name()))
}

// What is taken out of packages is bounded, in bytes.
const (
	maxJob     = 256 << 10
	maxAgent   = 1 << 30
	maxPlugin  = 64 << 20
	maxPlugged = 2000 // files and folders
)

// readInstaller takes what is ours out of a package. Close it.
func readInstaller(ctx context.Context, p *pkgbuild.Package) (*carried, error) {
	dir, err := os.MkdirTemp("", "firstday-verify-*")
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	c := &carried{programs: make(map[string]string), jobs: make(map[string][]byte), root: root}
	for _, component := range p.Components {
		if !component.HasPayload() {
			continue
		}
		base := path.Join("/", component.Info.InstallLocation)
		if err := component.Walk(ctx, func(h *cpio.Header, r io.Reader) error { return c.take(path.Join(base, h.Name), h, r) }); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	return c, nil
}

func (c *carried) take(name string, h *cpio.Header, r io.Reader) error {
	if isMisspelled(name) {
		return fmt.Errorf("%w: %s is spelled as only Macs take it for what it is", ErrIntegrity, name)
	}
	switch folder := path.Dir(name); {
	case name == macos.PluginPath || strings.HasPrefix(name, macos.PluginPath+"/"):
		return c.takePlugin(name, h, r)
	case h.Mode&cpio.ModeType == cpio.ModeDir:
		return nil
	case folder == path.Dir(macos.DaemonPath) || folder == macos.LoginJobFolder:
		job, err := io.ReadAll(io.LimitReader(r, maxJob)) // or where a link leads
		c.jobs[name] = job
		return err
	case !isRegular(h):
		return nil
	case name == path.Join(macos.DataFolder, api.EnrollmentFile):
		e, err := api.ReadEnrollment(r)
		c.enrollment = e
		return integrity(err)
	case strings.HasPrefix(name, macos.ProgramFolder+"/") && path.Base(name) == macos.Executable:
		sum := sha256.New()
		err := c.write(macos.Executable, io.TeeReader(io.LimitReader(r, maxAgent), sum))
		c.programs[name] = hex.EncodeToString(sum.Sum(nil))
		return err
	}
	return nil
}

// places are those whose files are looked at one by one.
var places = []string{macos.PluginPath, macos.LoginJobFolder, path.Dir(macos.DaemonPath)}

// isMisspelled tells whether a path is one of those places' to a Mac only, which
// knows no upper and lower case.
func isMisspelled(name string) bool {
	for _, place := range places {
		if len(name) >= len(place) && strings.EqualFold(name[:len(place)], place) && name[:len(place)] != place {
			return true
		}
	}
	return false
}

// takePlugin notes a file of the plug-in, and writes it out.
func (c *carried) takePlugin(name string, h *cpio.Header, r io.Reader) error {
	entry := *h
	entry.Name = name
	if c.plugin = append(c.plugin, entry); len(c.plugin) > maxPlugged {
		return fmt.Errorf("%w: more than %d files in %s", ErrIntegrity, maxPlugged, macos.Plugin)
	}
	inside := path.Join(macos.Plugin, strings.TrimPrefix(name, macos.PluginPath))
	if h.Mode&cpio.ModeType == cpio.ModeDir {
		return c.root.MkdirAll(inside, 0o700)
	}
	if !isRegular(h) {
		return nil // which is said of it, see checkOwners
	}
	if c.size += h.Size; c.size > maxPlugin {
		return fmt.Errorf("%w: %s has more than %d bytes", ErrIntegrity, macos.Plugin, maxPlugin)
	}
	if err := c.root.MkdirAll(path.Dir(inside), 0o700); err != nil {
		return err
	}
	return c.write(inside, r)
}

func (c *carried) write(name string, r io.Reader) error {
	f, err := c.root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
