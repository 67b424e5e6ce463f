package pkgbuild

import (
	"bytes"
	"io"
	"path"
	"strings"

	"firstday.dev/internal/propertylist"
	"firstday.dev/pkgbuild/bom"
)

// maxJob bounds the property lists of jobs, in bytes.
const maxJob = 256 << 10

// job is a daemon or agent that launchd runs.
type job struct {
	where   string
	program string
}

func isJob(name string) bool {
	folder := path.Dir(name)
	return (folder == "Library/LaunchDaemons" || folder == "Library/LaunchAgents") && path.Ext(name) == ".plist"
}

// readJob reads what launchd is to run. Whether that is there is known when
// everything was seen.
func (l *linter) readJob(m *member, name string, r io.Reader) error {
	where := "/" + name
	if m.UID != 0 || m.GID != wheel || m.Mode&0o022 != 0 {
		l.add(SeverityError, "launchd-owner", where, "it must be writable by root alone and belong to root:wheel, or launchd ignores it; it is %04o %d:%d",
			m.Mode&0o7777, m.UID, m.GID)
	}
	if m.link != "" || m.Size > maxJob {
		return nil
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(data, []byte("bplist")) {
		return nil // as good for launchd
	}
	var j struct {
		Label            string   `plist:"Label"`
		Program          string   `plist:"Program"`
		ProgramArguments []string `plist:"ProgramArguments"`
	}
	if err := propertylist.Unmarshal(data, &j); err != nil {
		l.add(SeverityError, "launchd-plist", where, "it is no property list: %v", err)
		return nil
	}
	if j.Program == "" && len(j.ProgramArguments) > 0 {
		j.Program = j.ProgramArguments[0]
	}
	if j.Label == "" || j.Program == "" {
		l.add(SeverityError, "launchd-plist", where, "it lacks a Label, or something to run")
		return nil
	}
	l.jobs = append(l.jobs, job{where, j.Program})
	return nil
}

// lintJobs looks for the programs of jobs.
func (l *linter) lintJobs() {
	for _, j := range l.jobs {
		if !strings.HasPrefix(j.program, "/") || comesWithMacOS(j.program) || l.isBehindLink(j.program) {
			continue
		}
		program, ok := l.installed[key(path.Clean(j.program))]
		switch {
		case !ok:
			l.add(SeverityError, "launchd-program", j.where, "it runs %s, which neither the package nor macOS installs", j.program)
		case !program.link && (program.mode&bom.ModeType != bom.ModeRegular || program.mode&0o111 == 0):
			l.add(SeverityError, "launchd-program", j.where, "it runs %s, which is not executable", j.program)
		}
	}
}

// comesWithMacOS tells whether a path is Apple's alone.
func comesWithMacOS(program string) bool {
	return isSealed(strings.TrimPrefix(path.Clean(program), "/"))
}

// isBehindLink tells whether a folder on the way is a symbolic link of the
// package; where that leads is a question of that Mac.
func (l *linter) isBehindLink(program string) bool {
	for folder := path.Dir(path.Clean(program)); folder != "/"; folder = path.Dir(folder) {
		if l.installed[key(folder)].link {
			return true
		}
	}
	return false
}
