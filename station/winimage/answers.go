package winimage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// Command is what Windows Setup runs as SYSTEM before the first screen, in its
// pass specialize. It removes the package, which holds the connect key, once
// Windows took it; if Windows did not, it stays for whoever looks why.
//
// Windows takes at most 259 characters. No name is in it that would have to be
// quoted.
// https://learn.microsoft.com/windows-hardware/customize/desktop/unattend/microsoft-windows-deployment-runsynchronous-runsynchronouscommand-path
const Command = `powershell.exe -NoProfile -ExecutionPolicy Bypass -Command "$f=$env:windir+'\Setup\Firstday';` +
	` Install-ProvisioningPackage (gci $f\*.ppkg).FullName -QuietInstall -ForceInstall -ErrorAction Stop; del $f -Recurse -Force"`

const (
	unattendSpace = "urn:schemas-microsoft-com:unattend"
	wcmSpace      = "http://schemas.microsoft.com/WMIConfig/2002/State"
	component     = "Microsoft-Windows-Deployment"
	// description tells our command from others.
	description = "Firstday"
	// maxAnswers bounds an answer file, in bytes.
	maxAnswers = 4 << 20
)

// answers makes the folder's answer file: the one that is there with our command
// in it, or a new one.
func (f *Folder) answers(ctx context.Context) (*source, error) {
	name, err := f.answersName()
	if err != nil {
		return nil, err
	}
	old, err := f.readAnswers(name)
	if err != nil {
		return nil, err
	}
	text, err := AddCommand(old)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", f.dir, name, err)
	}
	digest := sha256.Sum256(text)
	return &source{name, digest[:], func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }}, ctx.Err()
}

// answersName is the answer file that Windows will look at, in the order in which
// it looks, or where a new one belongs.
// https://learn.microsoft.com/windows-hardware/manufacture/desktop/windows-setup-automation-overview
func (f *Folder) answersName() (string, error) {
	names := []string{
		"Windows/Panther/Unattend/Unattend.xml", "Windows/Panther/Unattend/Autounattend.xml",
		"Windows/Panther/Unattend.xml", "Windows/System32/Sysprep/Unattend.xml",
	}
	fresh := "Windows/Panther/Unattend.xml"
	if f.Kind == Media {
		names = []string{"Autounattend.xml", "Unattend.xml", "sources/Autounattend.xml"}
		fresh = "Autounattend.xml"
	}
	for _, name := range names {
		found, err := f.resolve(name)
		if err != nil {
			return "", err
		}
		if _, err := f.root.Lstat(found); err == nil {
			return found, nil
		}
	}
	return f.resolve(fresh)
}

// readAnswers is nil if there are none.
func (f *Folder) readAnswers(name string) ([]byte, error) {
	r, err := f.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxAnswers+1))
	if len(text) > maxAnswers {
		return nil, fmt.Errorf("%s: %w: %s is larger than %d bytes", f.dir, ErrAnswerFile, path.Base(name), maxAnswers)
	}
	return text, err
}

// AddCommand adds [Command] to an answer file, or to a new one if text is nil. One
// that has it is left as it is. Windows takes the component of its own
// architecture and leaves the other, so both are there.
func AddCommand(text []byte) ([]byte, error) {
	doc, err := parseAnswers(text)
	if err != nil {
		return nil, err
	}
	changed := false
	for _, arch := range []string{"amd64", "arm64"} {
		changed = addTo(deployment(specialize(doc.Root()), arch)) || changed
	}
	if !changed {
		return text, nil
	}
	if text == nil {
		doc.Indent(2)
	}
	return doc.WriteToBytes()
}

func parseAnswers(text []byte) (*etree.Document, error) {
	doc := etree.NewDocument()
	if text == nil {
		doc.CreateProcInst("xml", `version="1.0" encoding="utf-8"`)
		doc.CreateElement("unattend").CreateAttr("xmlns", unattendSpace)
		return doc, nil
	}
	refuse := func(why string, args ...any) (*etree.Document, error) {
		return nil, fmt.Errorf("%w: %w", ErrAnswerFile, fmt.Errorf(why, args...))
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) {
		return refuse("it is not in UTF-8")
	}
	if err := doc.ReadFromBytes(text); err != nil {
		return refuse("%w", err)
	}
	root := doc.Root()
	if root == nil || root.Tag != "unattend" || root.NamespaceURI() != unattendSpace {
		return refuse("its root is not <unattend xmlns=%q>", unattendSpace)
	}
	return doc, nil
}

// specialize finds the settings of that pass, or makes them.
func specialize(root *etree.Element) *etree.Element {
	for _, s := range root.SelectElements("settings") {
		if s.SelectAttrValue("pass", "") == "specialize" {
			return s
		}
	}
	s := create(root, "settings")
	s.CreateAttr("pass", "specialize")
	return s
}

// deployment finds the component that runs commands, or makes it.
func deployment(settings *etree.Element, arch string) *etree.Element {
	for _, c := range settings.SelectElements("component") {
		if c.SelectAttrValue("name", "") == component && c.SelectAttrValue("processorArchitecture", "") == arch {
			return c
		}
	}
	c := create(settings, "component")
	for _, a := range [][2]string{
		{"name", component}, {"processorArchitecture", arch}, {"publicKeyToken", "31bf3856ad364e35"},
		{"language", "neutral"}, {"versionScope", "nonSxS"},
	} {
		c.CreateAttr(a[0], a[1])
	}
	return c
}

// addTo adds the command after the component's others.
func addTo(c *etree.Element) (changed bool) {
	run := c.SelectElement("RunSynchronous")
	if run == nil {
		run = create(c, "RunSynchronous")
	}
	order := 1
	for _, other := range run.SelectElements("RunSynchronousCommand") {
		if text(other, "Description") == description {
			if text(other, "Path") == Command {
				return false
			}
			run.RemoveChild(other)
			continue
		}
		if n, err := strconv.Atoi(text(other, "Order")); err == nil && n >= order {
			order = n + 1
		}
	}
	command := create(run, "RunSynchronousCommand")
	command.CreateAttr("xmlns:wcm", wcmSpace)
	command.CreateAttr("wcm:action", "add")
	create(command, "Order").SetText(strconv.Itoa(order))
	create(command, "Description").SetText(description)
	create(command, "Path").SetText(Command)
	return true
}

// create adds a child of the parent's namespace, whatever its prefix.
func create(parent *etree.Element, tag string) *etree.Element {
	child := parent.CreateElement(tag)
	child.Space = parent.Space
	return child
}

func text(parent *etree.Element, tag string) string {
	if e := parent.SelectElement(tag); e != nil {
		return e.Text()
	}
	return ""
}
