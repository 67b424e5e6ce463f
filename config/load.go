package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Load reads a file and everything it names except secrets, keys and the
// bodies of payloads. A mistake in it is returned as [Errors]; any other error
// means that the file itself could not be read.
func Load(path string) (*Config, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	c, r := parse(path, data, time.Now())
	if c != nil {
		c.open(r)
	}
	return r.result(c)
}

func read(path string) ([]byte, error) {
	data, err := readFile(Path(path), MaxSize)
	if errors.Is(err, errUnsuitable) {
		r := newReport(path, time.Now())
		r.whole("name the file itself; `firstday init` writes one to begin with", "the configuration %v", err)
		return nil, r.mistakes()
	}
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	return data, nil
}

// Parse reads a file's text without looking at the files it names: they may be
// missing, and what [Load] reads from them stays empty. The name is for errors,
// and its folder is where the paths in the file begin.
func Parse(name string, data []byte) (*Config, error) {
	c, r := parse(name, data, time.Now())
	return r.result(c)
}

func parse(name string, data []byte, now time.Time) (*Config, *report) {
	r := newReport(name, now)
	root := r.document(data)
	if root == nil {
		return nil, r
	}
	return r.decode(root), r
}

func newReport(name string, now time.Time) *report {
	return &report{
		file:    name,
		now:     now,
		places:  map[string]position{},
		broken:  map[string]bool{},
		private: map[int]bool{},
	}
}

// decode makes a configuration of a document; nil when it is none.
func (r *report) decode(root ast.Node) *Config {
	d := &decoder{report: r, dir: filepath.Dir(r.file), anchors: map[string]ast.Node{}, guarded: map[string]bool{}}
	c := defaults()
	d.value("", root, c)
	if r.broken[""] || d.exhausted() {
		return nil
	}
	c.source = r
	c.check(r)
	identities := c.MacOS.Signing.all()
	if c.Signing != nil {
		identities["signing"] = c.Signing
	}
	for path, s := range identities {
		if err := s.settle(c, d.dir); err != nil {
			r.errorf(path, "", "the folder of the file is not known: %v", err)
		}
	}
	return c
}

// open looks at the files that the configuration names.
func (c *Config) open(r *report) {
	c.Directory.open(r)
	c.ConnectKey.open(r, "connectKey")
	if c.Windows.BreakGlass.Password != nil {
		c.Windows.BreakGlass.Password.open(r, "windows.breakGlass.password")
	}
	for i := range c.Windows.WiFi {
		c.Windows.WiFi[i].open(r, fmt.Sprintf("windows.wifi[%d]", i))
	}
	checkDuplicates(r, c.Windows.WiFi)
	for i := range c.Windows.RootCertificates {
		c.Windows.RootCertificates[i].open(r, fmt.Sprintf("windows.rootCertificates[%d]", i))
	}
	for i := range c.Windows.Payloads {
		c.Windows.Payloads[i].open(r, fmt.Sprintf("windows.payloads[%d]", i))
	}
	if c.Signing != nil {
		c.Signing.open(r, "signing")
	}
	c.MacOS.open(r)
}

// result gives the configuration, or what is wrong with it.
func (r *report) result(c *Config) (*Config, error) {
	if len(r.errs) > 0 {
		return nil, r.mistakes()
	}
	c.Warnings = r.tell(r.warnings)
	return c, nil
}
