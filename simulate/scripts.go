package simulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"firstday.dev/api"
	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/templates/macos"
)

// maxScript bounds a script that is looked at, in bytes.
const maxScript = 1 << 20

// readScripts gives the texts of the scripts that Installer runs, by kind.
func (i *installer) readScripts(ctx context.Context, c *pkgbuild.PackagedComponent) (map[string][]byte, error) {
	if !c.HasScripts() {
		return nil, nil
	}
	kinds := make(map[string]string)
	for _, s := range c.Info.Scripts {
		kinds[s.File] = s.Kind
	}
	scripts := make(map[string][]byte)
	err := c.WalkScripts(ctx, func(h *cpio.Header, r io.Reader) error {
		kind := kinds[h.Name]
		if kind == "" || h.Mode&cpio.ModeType != cpio.ModeRegular {
			return nil
		}
		if h.Size > maxScript {
			return fmt.Errorf("%w: the script %.100s has %d bytes", pkgbuild.ErrUnsupported, h.Name, h.Size)
		}
		text, err := io.ReadAll(r)
		scripts[kind] = text
		return err
	})
	return scripts, err
}

// runScript tells what Installer would run. Our own scripts are carried out here;
// no other is.
func (i *installer) runScript(ctx context.Context, c *pkgbuild.PackagedComponent, scripts map[string][]byte, kind string) error {
	text, ok := scripts[kind]
	if !ok {
		return nil
	}
	arguments := fmt.Sprintf("as root: %s %s %s / /, where / is %s", kind, i.p.name, path.Join("/", c.Info.InstallLocation), i.host("."))
	var code int
	var err error
	switch version := i.agentOf(text); {
	case kind == "preinstall" && bytes.Equal(text, macos.Preinstall()):
		i.told.good(StepCommand, "Installer runs our preinstall", arguments)
		err = errors.Join(i.keepEnrollment(), i.disk.RemoveAll(macos.PluginPath[1:]))
	case kind == "postinstall" && version != "":
		i.told.good(StepCommand, "Installer runs our postinstall", arguments)
		i.tellVersions(version)
		i.tellPlugin()
		code, err = codeOf(i.agent(version).InstallInPlace(ctx))
	default:
		code = i.exitCode(kind)
		i.told.note(StepCommand, fmt.Sprintf("Installer would run %s of %s, %d bytes", kind, c.Info.Identifier, len(text)),
			fmt.Sprintf("%s; not run here, taken to end with %d", arguments, code))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	if code != 0 {
		return fmt.Errorf("%w: %s ended with code %d", ErrCommand, kind, code)
	}
	return nil
}

// agentOf gives the version of the agent that a script lets install itself, ""
// if it does not.
func (i *installer) agentOf(text []byte) string {
	e, err := i.enrollment()
	if err != nil {
		return ""
	}
	for _, a := range e.Agents {
		call := `"` + path.Join(macos.ProgramFolder, a.Version, macos.Executable) + `" install --in-place`
		if bytes.Equal(text, macos.Postinstall(a.Version)) || strings.Contains(string(text), call) {
			return a.Version
		}
	}
	return ""
}

// tellPlugin says what becomes of the plug-in of the login window. There is no
// authorization database here: nobody's is changed.
func (i *installer) tellPlugin() {
	if v, ok := i.placed[strings.ToLower(path.Join(macos.PluginPath, macos.PluginProgram)[1:])]; ok {
		i.told.note(StepService, "the login window's plug-in is in its place", v.Path+"; macOS' own window stays, and none is shown here")
	}
}

// keepEnrollment is of our preinstall: what the agent that runs lives by is kept
// until its successor runs.
func (i *installer) keepEnrollment() error {
	file := path.Join(i.dataFolder(), api.EnrollmentFile)
	kept := path.Join(i.dataFolder(), filepath.Base(i.System().Layout().PreviousEnrollment()))
	if _, err := i.disk.Lstat(kept); err == nil {
		return nil
	}
	now, err := i.disk.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return i.disk.WriteFile(kept, now, 0o600)
}
