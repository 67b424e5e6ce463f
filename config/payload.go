package config

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is how a payload is run.
type Kind string

// The kinds of payloads.
const (
	MSI Kind = "msi" // by msiexec, silently
	EXE Kind = "exe" // as it is
)

// maxArguments bounds a command line, in bytes, as package api does.
const maxArguments = 8191

// maxCodes bounds each list of exit codes.
const maxCodes = 64

// Payload is a program to install after the agent.
type Payload struct {
	// The installer: an .msi or .exe file.
	File Path `yaml:"file,required"`
	// Command line for the installer. An .exe must be told how to be silent, for example /S or /quiet: nobody sees its windows. An .msi is silent by itself; give only properties.
	Arguments *string `yaml:"arguments"`
	// Exit codes that mean success. Default 0.
	SuccessCodes []int `yaml:"successCodes"`
	// Exit codes that mean success after a restart. Default 3010 and 1641.
	RebootCodes []int `yaml:"rebootCodes"`
	// SHA-256 the file must have, 64 hexadecimal digits: the build stops if it has another.
	SHA256 string `yaml:"sha256"`

	// Kind is told by the file's extension.
	Kind Kind `yaml:"-"`
}

// Name gives the name under which the payload lies in the package.
func (p Payload) Name() string { return filepath.Base(string(p.File)) }

func checkPayloads(r *report, payloads []Payload) {
	seen := map[string]*Payload{}
	for i := range payloads {
		p := &payloads[i]
		path := fmt.Sprintf("windows.payloads[%d]", i)
		p.check(r, path)
		if !r.has(path + ".file") {
			continue
		}
		switch other := seen[foldName(p.Name())]; {
		case other == nil:
			seen[foldName(p.Name())] = p
		case sameFile(other.File, p.File):
			r.errorf(path+".file", "remove one of them", "%s is listed twice", p.File)
		default:
			r.errorf(path+".file", "rename one of them: in the package they lie in one folder, and Windows ignores case",
				"%s and %s would have the same name in the package", other.File, p.File)
		}
	}
}

// sameFile says whether two paths mean the same file, there or not.
func sameFile(a, b Path) bool {
	x, err := filepath.Abs(string(a))
	if err != nil {
		return a == b
	}
	y, err := filepath.Abs(string(b))
	return err == nil && x == y
}

func (p *Payload) check(r *report, path string) {
	if r.has(path + ".file") {
		if err := CheckPayloadName(p.Name()); err != nil {
			hint := "rename the file"
			if len(p.Name()) > max(maxPayloadName, utf8.RuneCountInString(p.Name())) {
				hint = fmt.Sprintf("rename the file: letters beyond ASCII count 2 to 4 of the %d", maxPayloadName)
			}
			if strings.Contains(p.Name(), `\`) {
				hint = "write / between folders; Windows understands it too"
			}
			r.errorf(path+".file", hint, "%v", err)
		}
	}
	p.checkKind(r, path)
	switch arguments := path + ".arguments"; {
	case p.Arguments == nil && p.Kind == EXE:
		r.errorf(arguments, `write how it is silent, for example arguments: "/S"; if it needs nothing: arguments: ""`,
			"%s has no arguments; its windows would wait for somebody who cannot see them", p.Name())
	case p.Arguments == nil:
	case len(*p.Arguments) > maxArguments:
		// Installers take passwords and licence keys there.
		r.secretf(arguments, "", "arguments has more than %d bytes", maxArguments)
	case strings.ContainsFunc(*p.Arguments, unicode.IsControl):
		r.secretf(arguments, "", "arguments holds a line break or control character")
	}
	p.checkCodes(r, path)
	p.SHA256 = strings.ToLower(p.SHA256)
	if r.has(path+".sha256") && !isSHA256(p.SHA256) {
		r.errorf(path+".sha256", "sha256sum "+string(p.File), "sha256 must have 64 hexadecimal digits")
	}
}

// checkKind goes by the file's extension, as Windows does.
func (p *Payload) checkKind(r *report, path string) {
	switch ext := strings.ToLower(filepath.Ext(string(p.File))); ext {
	case ".msi", ".exe":
		p.Kind = Kind(ext[1:])
	default:
		if r.has(path + ".file") {
			r.errorf(path+".file", "scripts and other formats need an installer around them",
				"%s is neither an .msi nor an .exe file", p.Name())
		}
	}
}

func (p *Payload) checkCodes(r *report, path string) {
	if p.SuccessCodes == nil {
		p.SuccessCodes = []int{0}
	}
	if p.RebootCodes == nil {
		p.RebootCodes = []int{3010, 1641}
	}
	seen := map[int]bool{}
	list := func(key string, codes []int) {
		if len(codes) > maxCodes {
			r.errorf(path+"."+key, "", "%s has %d codes; at most %d are allowed", key, len(codes), maxCodes)
			return
		}
		for i, code := range codes {
			at := fmt.Sprintf("%s.%s[%d]", path, key, i)
			switch {
			case code < -1<<31 || code > 1<<32-1:
				r.errorf(at, "", "exit code %d does not fit into 32 bits", code)
			case seen[code] && r.has(at):
				r.errorf(at, "", "exit code %d is listed twice", code)
			}
			seen[code] = true
		}
	}
	list("successCodes", p.SuccessCodes)
	list("rebootCodes", p.RebootCodes)
}

// open looks at the first bytes of the file: a wrong download shows there.
// Sizes and hashes are for the build, which reads the whole file anyway.
func (p *Payload) open(r *report, path string) {
	path += ".file"
	info, err := os.Stat(string(p.File))
	switch {
	case err != nil:
		r.unreadable(path, p.File, err)
		return
	case !info.Mode().IsRegular():
		r.errorf(path, "", "%s %s", p.File, notRegular(info))
		return
	case info.Size() == 0:
		r.errorf(path, "", "%s is empty", p.File)
		return
	}
	f, err := os.Open(string(p.File))
	if err != nil {
		r.unreadable(path, p.File, err)
		return
	}
	defer f.Close()
	magic, what := "MZ", "a Windows program"
	if p.Kind == MSI {
		magic, what = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a Windows Installer package"
	}
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(f, head); err != nil || !bytes.Equal(head, []byte(magic)) {
		r.errorf(path, "is the download complete, or an error page?", "%s is not %s", p.File, what)
	}
}
