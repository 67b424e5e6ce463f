package authdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mac answers as security(1) and authd of a Mac do, as far as their source
// tells: see authdb.go.
type mac struct {
	t      *testing.T
	text   string // what a read gives
	writes []string

	// written may keep something else than what was written, and say something
	// else than "YES (0)". nil keeps it.
	written func(text string) (kept string, err error)
	// read may fail.
	read    func() error
	version string // of macOS
	convert string // what plutil gives
	seconds int    // since the last change
	user    bool   // it is not root who runs programs
}

func (m *mac) Root() bool { return !m.user }

// statusError is how security(1) ends when authd refuses.
type statusError int

func (e statusError) Error() string { return "exit status 255" }

func (m *mac) Run(ctx context.Context, stdin []byte, path string, args ...string) (stdout, stderr []byte, err error) {
	if _, ok := ctx.Deadline(); !ok {
		m.t.Errorf("%s may take for ever", path)
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	out := ""
	switch call := strings.Join(append([]string{path}, args...), " "); call {
	case "/usr/bin/security authorizationdb read system.login.console":
		if m.read != nil {
			err = m.read()
		}
		if err == nil {
			out = m.text
		}
	case "/usr/bin/security authorizationdb write system.login.console":
		m.writes = append(m.writes, string(stdin))
		kept := string(stdin)
		if m.written != nil {
			kept, err = m.written(kept)
		}
		m.keep(kept)
	case "/usr/bin/sw_vers -productVersion":
		out = m.version + "\n"
	case "/usr/bin/plutil -convert xml1 -o - -":
		if !strings.HasPrefix(string(stdin), "bplist00") {
			m.t.Errorf("plutil got %.20q", stdin)
		}
		out = m.convert
	default:
		m.t.Errorf("%q was run", call)
	}
	var status statusError
	if errors.As(err, &status) {
		return nil, fmt.Appendf(nil, "NO (%d)\n", int(status)), err
	}
	if err != nil { // it was killed, or never ran
		return nil, nil, err
	}
	return []byte(out), []byte("YES (0)\n"), nil
}

// keep stores a definition in authd's way: it knows these keys, and sets some
// itself. What is no definition stays as it is, for the next read.
func (m *mac) keep(text string) {
	d, err := Parse([]byte(text))
	if err != nil {
		m.text = text
		return
	}
	m.seconds++
	var list strings.Builder
	for _, s := range d.Mechanisms() {
		fmt.Fprintf(&list, "\t\t<string>%s</string>\n", escaper.Replace(s))
	}
	value := func(key string, otherwise any) any {
		if v, ok := d.values[key]; ok {
			return v
		}
		return otherwise
	}
	m.text = documentStart + fmt.Sprintf(`<dict>
	<key>class</key>
	<string>%v</string>
	<key>comment</key>
	<string>%v</string>
	<key>created</key>
	<real>730353220.36463201</real>
	<key>mechanisms</key>
	<array>
%s	</array>
	<key>modified</key>
	<real>%d.40967596</real>
	<key>shared</key>
	<%v/>
	<key>tries</key>
	<integer>%v</integer>
	<key>version</key>
	<integer>%v</integer>
</dict>`, value("class", "rule"), value("comment", ""), list.String(), 738007875+m.seconds, value("shared", true), value("tries", 10000), value("version", 0)) + documentEnd
}

// newMac is a Mac with macOS 14 and a list, and the database on it.
func newMac(t *testing.T, list []string) (*mac, *Database) {
	t.Helper()
	m := &mac{t: t, version: "14.5"}
	m.keep(string(write(t, list).Bytes()))
	d := Open(t.TempDir(), m)
	d.copy = filepath.Join(t.TempDir(), "authorization.plist")
	copyFile(t, d.copy, "authorization.plist")
	return m, d
}

func copyFile(t *testing.T, path, name string) {
	t.Helper()
	if err := os.WriteFile(path, readFile(t, name), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (m *mac) list() []string { return parseText(m.t, m.text).Mechanisms() }

// loadable vouches, or does not.
type loadable struct{ err error }

func (l loadable) Loadable(context.Context) error { return l.err }

// readBackup gives the text of the one backup there is.
func readBackup(t *testing.T, d *Database, o Outcome) string {
	t.Helper()
	data, err := os.ReadFile(o.Backup)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var day = time.Date(2026, 11, 30, 19, 15, 0, 123456789, time.UTC)
