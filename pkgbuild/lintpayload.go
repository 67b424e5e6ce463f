package pkgbuild

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"path"
	"strings"

	"firstday.dev/pkgbuild/bom"
)

// applesFolders are folders of macOS, with what it gives them.
var applesFolders = func() map[string]Attributes {
	all := maps.Clone(systemFolders)
	for _, name := range []string{
		".", "usr", "usr/local", "usr/local/bin", "opt", "private", "private/etc", "private/var",
		"Library/LaunchAgents", "Library/LaunchDaemons", "Library/Preferences", "Library/Security", "Library/Security/SecurityAgentPlugins",
	} {
		all[name] = Attributes{Mode: 0o755}
	}
	return all
}()

// pluginFolder is where the plug-ins of login windows are, by their [key].
const pluginFolder = "library/security/securityagentplugins/"

// isOpen tells whether the archive can be looked through at all, and adds a
// finding if not.
func (l *linter) isOpen(c *PackagedComponent, name string) bool {
	where := path.Join(c.Folder, name)
	plain, err := c.stream(name)
	if err != nil {
		if l.ctx.Err() == nil {
			l.add(SeverityError, "payload-damaged", where, "%v", err)
		}
		return false
	}
	defer plain.Close()
	head := make([]byte, 6)
	if _, err := io.ReadFull(plain, head); err == nil && string(head) != "070707" {
		l.add(SeverityError, "payload-format", where, "it is not cpio in the format odc, the only one that Installer reads")
		return false
	}
	return true
}

// walk looks through an archive, if there is one, and tells whether it saw all
// of it.
func (l *linter) walk(c *PackagedComponent, name string, fn func(*member, io.Reader) error) bool {
	if c.file(name) == nil {
		return true
	}
	if !l.isOpen(c, name) {
		return false
	}
	err := c.walk(l.ctx, name, fn)
	if err != nil && l.ctx.Err() == nil {
		l.add(SeverityError, "payload-damaged", path.Join(c.Folder, name), "%v", err)
	}
	return err == nil
}

func (l *linter) lintPayload(c *PackagedComponent) {
	entries, err := c.Bom()
	if err != nil {
		l.add(SeverityError, "bom", path.Join(c.Folder, bomFile), "%v", err)
	}
	bareRoot := len(entries) > 0 && isBare(&entries[0])
	complete := l.walk(c, payloadFile, func(m *member, r io.Reader) error {
		name := c.Info.volumePath(m.path)
		l.installed[key(name)] = installed{m.Mode, m.target != ""}
		if m.path != "." || !bareRoot { // else the root stays as it is
			l.lintMode(c, m, name)
		}
		if m.Mode&bom.ModeType != bom.ModeRegular {
			return nil
		}
		if isSealed(name) {
			l.add(SeverityError, "sealed", "/"+name, "only Apple can put files there")
		}
		if isJob(name) {
			return l.readJob(m, name, r)
		}
		return l.lintProgram(m, "/"+name, r)
	})
	l.incomplete = l.incomplete || !complete
}

// isSealed tells whether System Integrity Protection guards the place.
func isSealed(name string) bool {
	for _, folder := range []string{"System/", "bin/", "sbin/", "usr/"} {
		if strings.HasPrefix(name, folder) {
			return !strings.HasPrefix(name, "usr/local/")
		}
	}
	return false
}

func (l *linter) lintMode(c *PackagedComponent, m *member, name string) {
	const (
		setID         = 0o6000
		sticky        = 0o1000
		worldWritable = 0o002
	)
	mode := m.Mode & 0o7777
	isDir := m.Mode&bom.ModeType == bom.ModeDir
	if apples, ok := applesFolders[name]; ok && isDir {
		if mode != 0 && (mode != apples.Mode || m.UID != apples.UID || m.GID != apples.GID) {
			severity := SeverityWarning
			if c.Info.OverwritePermissions {
				severity = SeverityError
			}
			l.add(severity, "system-folder", path.Join("/", name), "it becomes %04o %d:%d; macOS has %04o %d:%d",
				mode, m.UID, m.GID, apples.Mode, apples.UID, apples.GID)
		}
		return
	}
	if strings.HasPrefix(key(name), pluginFolder) && m.target == "" && (m.UID != 0 || mode&0o022 != 0) {
		l.add(SeverityError, "login-plugin-owner", "/"+name, "it is loaded where people type their passwords, and must be writable by root alone; it is %04o %d:%d", mode, m.UID, m.GID)
	}
	if m.Mode&bom.ModeType == bom.ModeRegular && mode&setID != 0 {
		l.add(SeverityWarning, "set-id", "/"+name, "who starts it becomes its owner or group (mode %04o)", mode)
	}
	if m.target == "" && mode&worldWritable != 0 && (!isDir || mode&sticky == 0) {
		l.add(SeverityError, "world-writable", "/"+name, "everybody can change it (mode %04o)", mode)
	}
}

// script is what is to know of a script.
type script struct {
	mode uint32
	head []byte
}

func (l *linter) lintScripts(c *PackagedComponent) {
	there := map[string]script{}
	complete := l.walk(c, scriptsFile, func(m *member, r io.Reader) error {
		if m.Mode&bom.ModeType == bom.ModeDir {
			return nil
		}
		head := make([]byte, 4)
		n, err := io.ReadFull(r, head)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		s := script{m.Mode, head[:n]}
		if same, ok := there[m.link]; ok {
			s.head = same.head
		}
		there[m.path] = s
		return nil
	})
	if !complete {
		return
	}
	named := map[string]bool{}
	for _, s := range c.Info.Scripts {
		named[s.File] = true
		l.lintScript(path.Join(c.Folder, scriptsFile, s.File), s, there)
	}
	for _, name := range scriptNames {
		if _, ok := there[name]; ok && !named[name] {
			l.add(SeverityWarning, "script-unused", path.Join(c.Folder, scriptsFile, name), "PackageInfo does not name it; it is never run")
		}
	}
}

func (l *linter) lintScript(where string, s Script, there map[string]script) {
	found, ok := there[s.File]
	switch {
	case !ok:
		l.add(SeverityError, "script-missing", where, "PackageInfo names it as %s, but it is not there", s.Kind)
	case found.mode&bom.ModeType == bom.ModeSymlink: // what it leads to is a question of that Mac
	case found.mode&0o111 == 0:
		l.add(SeverityError, "script-mode", where, "it is not executable (mode %04o)", found.mode&0o7777)
	case !bytes.HasPrefix(found.head, []byte("#!")) && !isMachO(found.head):
		l.add(SeverityError, "script-interpreter", where, "it does not begin with #!; Installer cannot run it")
	}
}

// isMachO knows programs by their first four bytes, universal ones first.
func isMachO(head []byte) bool {
	return bytes.Equal(head, []byte{0xca, 0xfe, 0xba, 0xbe}) || bytes.Equal(head, []byte{0xcf, 0xfa, 0xed, 0xfe})
}
