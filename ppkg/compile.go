package ppkg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds on what a package may hold; Windows' own are unknown.
const (
	maxEntries = 20_000
	maxAssets  = 10_000
)

// What a [SettingError] may wrap.
var (
	ErrUnknownSetting = errors.New("unknown setting")
	ErrValue          = errors.New("unknown value")

	errUnknownAttribute = errors.New("unknown attribute")
)

// Compile makes the tree of files of a package, dated t. It reads each file
// that the package carries once, to hash it.
func Compile(ctx context.Context, p *Package, t time.Time) (*Tree, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	common, err := merge(p.Settings)
	if err != nil {
		return nil, err
	}
	if err := common.check(); err != nil {
		return nil, err
	}
	c := &compiler{
		ctx: ctx, id: braced(p.ID), tree: newTree(t),
		groups: map[string]int{}, hash: true,
	}
	if err := c.compile(common); err != nil {
		return nil, err
	}
	for i, e := range c.tree.Entries {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("setting %d, %s: %w", i, e.Path, err)
		}
		c.tree.put(runTimeFolder+e.File, e.provxml())
	}
	c.tree.put("Multivariant/Multivariant.xml", elementsFile("Multivariant", newElement("Element", "Index", "0")))
	c.tree.put("Multivariant/0/MasterDatastore.xml", masterDatastore())
	c.tree.put("Multivariant/0/Prov/RunTime.xml", runTime(c.tree.Entries))
	c.tree.put("Multivariant/0/customizations.xml", p.customizations(common))
	c.tree.put("CommonSettings/CommonSettings.xml", elementsFile("CommonSettings", newElement("Element", "Index", "1")))
	c.tree.put("CommonSettings/1/AnswerFile.xml", answerFile(common))
	c.putAssets()
	c.tree.finish()
	return c.tree, nil
}

// compiler turns the settings of a project into entries and assets, in
// document order, as icd.exe does (formats/ppkg.md §2.1).
type compiler struct {
	ctx    context.Context // of the one call this compiler lives for
	id     string          // of the package, in braces
	tree   *Tree
	groups map[string]int // uses of each settings group
	assets []asset
	hash   bool // whether to read assets: not when a project is only checked

	commands int // of the PrimaryContext, so far
}

// compilers know the settings that are more than one value in one place. Other
// settings are in the table of labels.go.
var compilers = map[string]func(*compiler, *place) error{
	"Accounts/Azure":           (*compiler).azure,
	"Accounts/ComputerAccount": (*compiler).computerAccount,
	"Accounts/Users/User":      (*compiler).user,

	"Certificates/ClientCertificates/ClientCertificate": (*compiler).clientCertificate,
	"Certificates/RootCertificates/RootCertificate":     (*compiler).rootCertificate,

	"ConnectivityProfiles/WLAN/WLANSetting/WLANConfig": (*compiler).wlan,

	"Personalization/DeployDesktopImage":    (*compiler).image,
	"Personalization/DeployLockScreenImage": (*compiler).image,

	"ProvisioningCommands/DeviceContext/CommandFiles":           (*compiler).deviceFiles,
	"ProvisioningCommands/PrimaryContext/Command/CommandConfig": (*compiler).command,

	"SMISettings/AutoLogon": (*compiler).autoLogon,
}

// place is an element of a project and where in the schema it is.
type place struct {
	*element
	path  string // names from below Common on, joined by "/"
	entry string // the same for a provxml file: joined by "_", keys for their elements
}

// at is the place of a child.
func (p *place) at(e *element) *place {
	name := decodeName(e.name)
	entry := fileName(name)
	if k := key(e); k != "" {
		entry = fileName(k)
	}
	if p.path == "" {
		return &place{e, name, entry}
	}
	return &place{e, p.path + "/" + name, p.entry + "_" + entry}
}

// errorf names the setting and its line.
func (p *place) errorf(format string, args ...any) error {
	return &SettingError{Path: p.path, Line: p.line, Err: fmt.Errorf(format, args...)}
}

func (p *place) unknown() error {
	return p.errorf("%w; fd:type and fd:csp can say what it is", ErrUnknownSetting)
}

func (c *compiler) compile(common *element) error {
	root := &place{element: common}
	for _, e := range common.children {
		if err := root.at(e).checkAttributes(); err != nil {
			return err
		}
	}
	if err := c.walkAll(root); err != nil {
		return err
	}
	return c.checkUnique()
}

// checkUnique refuses two settings that set the same: a provider refuses the
// second, and Windows the package with it (formats/ppkg.md §7).
func (c *compiler) checkUnique() error {
	seen := map[string]string{}
	for _, e := range c.tree.Entries {
		for _, p := range e.Parms {
			name := strings.ToLower(strings.Join(p.Node, "\x00") + "\x00" + p.Name)
			if other, ok := seen[name]; ok {
				return &SettingError{Path: e.File, Err: fmt.Errorf("sets the same as %s", other)}
			}
			seen[name] = e.File
		}
	}
	return nil
}

// walk compiles the settings at and below a place.
func (c *compiler) walk(p *place) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if len(c.tree.Entries) > maxEntries {
		return fmt.Errorf("%w: more than %d settings", ErrUnsupported, maxEntries)
	}
	if compile := compilers[p.path]; compile != nil {
		return compile(c, p)
	}
	switch {
	case len(p.children) > 0:
		return c.walkAll(p)
	case knownGroups()[p.path] && strings.TrimSpace(p.text) == "":
		return nil // editors leave groups behind whose last setting was removed
	}
	return c.leaf(p)
}

// maxErrors bounds how much of what is wrong with a project is told at once.
const maxErrors = 20

// walkAll compiles what is in a group. It goes on after a setting that is
// wrong, so that a person hears of all of them.
func (c *compiler) walkAll(p *place) error {
	var wrong []error
	for _, e := range p.children {
		err := c.walk(p.at(e))
		var setting *SettingError
		switch {
		case errors.As(err, &setting):
			wrong = append(wrong, err)
		case err != nil:
			return err
		}
		if len(wrong) == maxErrors {
			break
		}
	}
	return errors.Join(wrong...)
}

// leaf compiles a setting of one value: the type is what the project says
// explicitly, or what the table knows. Nothing is guessed.
func (c *compiler) leaf(p *place) error {
	r, known := settingTable[p.path]
	if area, name, ok := p.policy(); ok {
		r.csp = "Policy/Config/" + area + "/" + name
	}
	if csp := p.attrIn(Namespace, "csp"); csp != "" {
		r.csp = csp
	}
	if explicit := p.attrIn(Namespace, "type"); explicit != "" {
		t, err := ParseType(explicit)
		if err != nil {
			return p.errorf("fd:type: %w", err)
		}
		r.Type, r.labels, known = t, nil, true
	}
	if !known || r.csp == "" {
		return p.unknown()
	}
	nodes := strings.Split(r.csp, "/")
	if len(nodes) < 2 || slices.Contains(nodes, "") {
		return p.errorf("fd:csp: %.100q is not the path of a value", r.csp)
	}
	value, err := r.value(p.text)
	if err != nil {
		return p.errorf("%w", err)
	}
	last := len(nodes) - 1
	c.entry(p.path, p.entry, Parm{Path: p.path, Node: nodes[:last], Name: nodes[last], Type: r.Type, Value: value})
	return nil
}

// policy splits the path of a setting of the Policy CSP.
func (p *place) policy() (area, name string, ok bool) {
	rest, ok := strings.CutPrefix(p.path, "Policies/")
	if !ok {
		return "", "", false
	}
	area, name, ok = strings.Cut(rest, "/")
	return area, name, ok && area != "" && name != "" && !strings.Contains(name, "/")
}

// entry adds a provxml file for a setting of the schema's path.
func (c *compiler) entry(path, file string, parms ...Parm) {
	group := settingsGroup(path, c.groups[path])
	c.groups[path]++
	file = strconv.Itoa(len(c.tree.Entries)) + "__" + file + ".provxml"
	c.tree.Entries = append(c.tree.Entries, Entry{File: file, Group: group, Path: path, Parms: parms})
}

// field is a child of a setting that has several: the parm it becomes.
type field struct {
	parm string
	row
}

// fields compiles the children of p to the parms of one node.
func (p *place) fields(table map[string]field, node ...string) ([]Parm, error) {
	var parms []Parm
	for _, e := range p.children {
		at := p.at(e)
		f, ok := table[e.name]
		if !ok || len(e.children) > 0 {
			return nil, at.unknown()
		}
		value, err := f.value(e.text)
		if err != nil {
			return nil, at.errorf("%w", err)
		}
		parms = append(parms, Parm{Path: at.path, Node: node, Name: f.parm, Type: f.Type, Value: value})
	}
	return parms, nil
}

// fileName is a key as part of a file's name on Windows.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`<>:"/\|?*`, r) {
			return '_'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 80 {
		s = string(r[:80])
	}
	return s
}
