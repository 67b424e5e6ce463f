package ppkg

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"firstday.dev/ppkg/wim"
)

// Severity is how much a [Finding] matters.
type Severity int

const (
	// Info differs from what Microsoft's tool writes, without known effect.
	Info Severity = iota
	// Warning is what Windows may not take, or not as meant.
	Warning
	// Problem is what Windows refuses, or what leaves a setting out.
	Problem
)

func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Warning:
		return "warning"
	case Problem:
		return "problem"
	}
	return fmt.Sprintf("Severity(%d)", int(s))
}

// Finding is something [Reader.Validate] found.
type Finding struct {
	Severity Severity
	File     string // in the package's tree; "" for its metadata
	Text     string
}

func (f Finding) String() string {
	if f.File == "" {
		return fmt.Sprintf("%v: %s", f.Severity, f.Text)
	}
	return fmt.Sprintf("%v: %s: %s", f.Severity, f.File, f.Text)
}

// Validate holds the package against everything that is known about what
// Windows expects (formats/ppkg.md §1.2, §2, §4 and §7). It reads the
// package's XML, not the files that it carries: those are for
// [wim.Reader.Verify] and [Reader.CheckAsset].
func (p *Reader) Validate() []Finding {
	v := &validator{Reader: p, xml: &budget{fsys: p.FS, left: maxTotal}}
	v.metadata()
	v.files()
	v.masterDatastore()
	v.runTime()
	v.dataAssets()
	v.settings()
	v.commands()
	return v.findings
}

type validator struct {
	*Reader
	xml      *budget
	findings []Finding
}

// maxFindings bounds what one package can make us say.
const maxFindings = 1000

func (v *validator) add(s Severity, file, format string, args ...any) {
	if len(v.findings) < maxFindings {
		v.findings = append(v.findings, Finding{s, file, fmt.Sprintf(format, args...)})
	}
}

// metadata checks the image's properties (formats/ppkg.md §1.2).
func (v *validator) metadata() {
	image := v.WIM.Images[0]
	seen := map[string]string{}
	for _, property := range image.Properties {
		if _, twice := seen[property.Name]; twice {
			v.add(Warning, "", "%s is given twice", property.Name)
		}
		seen[property.Name] = property.Value
	}
	id := seen[packageID]
	switch {
	case v.ID == uuid.Nil:
		v.add(Problem, "", "%s %.60q is not a GUID", packageID, id)
	case id != braced(v.ID):
		v.add(Warning, "", "%s %s is not in braces and lower case", packageID, id)
	}
	switch altitude := seen["ALTITUDE"]; {
	case len(altitude) == 0 || len(altitude) >= 8 || strings.Trim(altitude, "0123456789") != "":
		v.add(Problem, "", "ALTITUDE %.20q is not a number of 1 to 7 digits", altitude)
	case v.Altitude%altitudeStep > maxRank || v.Altitude/altitudeStep > int(ITAdmin-Microsoft):
		v.add(Warning, "", "ALTITUDE %d is not that of an owner and a rank", v.Altitude)
	}
	switch clear, given := seen["RESETCLEAR"]; {
	case !given:
		v.add(Warning, "", "RESETCLEAR is missing")
	case clear != "0" && clear != "1":
		v.add(Problem, "", "RESETCLEAR %.20q is neither 0 nor 1", clear)
	}
	if !isVersion(v.Version) {
		v.add(Warning, "", "VERSION %.40q is not two to four numbers with dots between", v.Version)
	}
	if strings.TrimSpace(v.Name) == "" {
		v.add(Warning, "", "NAME is missing: people are asked to trust a package without a name")
	}
	if v.WIM.Compression == wim.LZX {
		v.add(Warning, "", "the WIM is compressed with LZX, Microsoft's tool takes XPRESS")
	}
}

// fixedFiles are those every package of Microsoft's tool has. Windows applies
// packages without the optional ones.
var fixedFiles = []struct {
	name     string
	root     string
	optional bool
	bom      Severity // of a missing byte order mark; -1 where none belongs
}{
	{"Multivariant/Multivariant.xml", "Elements", false, -1},
	{"Multivariant/0/MasterDatastore.xml", "ConfigurationSourceList", false, Warning},
	{"Multivariant/0/Prov/RunTime.xml", "ConfigurationSource", false, Problem},
	{"Multivariant/0/customizations.xml", "WindowsCustomizations", true, Info},
	{"CommonSettings/CommonSettings.xml", "Elements", true, -1},
	{"CommonSettings/1/AnswerFile.xml", "Settings", true, Info},
}

// files checks that the fixed files are there and well-formed, and how they
// are encoded.
func (v *validator) files() {
	for _, file := range fixedFiles {
		data, err := v.xml.read(file.name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && file.optional:
			v.add(Info, file.name, "is missing")
			continue
		case errors.Is(err, fs.ErrNotExist):
			v.add(Problem, file.name, "is missing")
			continue
		case err != nil:
			v.add(Problem, file.name, "%v", err)
			continue
		}
		v.byteOrderMark(file.name, data, file.bom)
		if root, err := parseXML(data); err != nil {
			v.add(Problem, file.name, "%v", err)
		} else if root.name != file.root {
			v.add(Problem, file.name, "root element is <%.60s>, not %s", root.name, file.root)
		}
	}
	v.elements("Multivariant/Multivariant.xml", "Multivariant", "0")
	v.elements("CommonSettings/CommonSettings.xml", "CommonSettings", "1")
}

// byteOrderMark checks how a file begins: Windows' XML reader stops at files
// without mark (0xC00CEE2D).
func (v *validator) byteOrderMark(name string, data []byte, missing Severity) {
	has := bytes.HasPrefix(data, []byte(bom))
	switch {
	case missing >= 0 && !has:
		v.add(missing, name, "has no UTF-8 byte order mark")
	case missing < 0 && has:
		v.add(Info, name, "has a byte order mark")
	}
}

// elements checks a list of one element.
func (v *validator) elements(name, typ, index string) {
	root, err := v.xml.parse(name, "Elements")
	if err != nil {
		return // said before
	}
	if root.attr("Type") != typ {
		v.add(Problem, name, "is of type %.60q, not %s", root.attr("Type"), typ)
	}
	if len(root.children) != 1 || root.children[0].attr("Index") != index {
		v.add(Warning, name, "does not list element %s alone: settings with conditions are not looked at", index)
	}
}

// masterDatastore checks that Windows finds the list of settings.
func (v *validator) masterDatastore() {
	const name = "Multivariant/0/MasterDatastore.xml"
	root, err := v.xml.parse(name, "ConfigurationSourceList")
	if err != nil {
		return // said before
	}
	for _, source := range root.children {
		if source.attr("Name") == "RunTime" && source.attr("Path") == `$(_prov)\RunTime.xml` {
			return
		}
	}
	v.add(Problem, name, "does not name RunTime.xml: no setting will be applied")
}

// runTime checks the provxml files and their list.
func (v *validator) runTime() {
	const list = "Multivariant/0/Prov/RunTime.xml"
	groups := map[string]string{}
	uses := map[string]int{}
	listed := map[string]bool{}
	for _, e := range v.Entries {
		if listed[strings.ToLower(e.File)] {
			v.add(Warning, list, "%s is listed twice", e.File)
		}
		listed[strings.ToLower(e.File)] = true
		if before, twice := groups[e.Group]; twice || e.Group == "" {
			v.add(Warning, list, "SettingsGroup %q of %s is empty or that of %s", e.Group, e.File, before)
		}
		groups[e.Group] = e.File
		if e.Path != "" {
			group := entryGroup(&e)
			if want := settingsGroup(group, uses[group]); e.Group != want {
				v.add(Info, list, "SettingsGroup %s of %s is not %s", e.Group, e.File, want)
			}
			uses[group]++
		}
		if data, err := v.xml.read(runTimeFolder + e.File); err == nil {
			v.byteOrderMark(runTimeFolder+e.File, data, Problem)
		}
	}
	files, err := fs.ReadDir(v.FS, path.Clean(runTimeFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		v.add(Problem, list, "%v", err)
	}
	for _, f := range files {
		if !listed[strings.ToLower(f.Name())] {
			v.add(Warning, runTimeFolder+f.Name(), "is not in RunTime.xml: it is never applied")
		}
	}
}

// entryGroup is the path in the schema from which the SettingsGroup of an
// entry is made: that of its value or, where several values are compiled to
// one file, that of the setting they belong to.
func entryGroup(e *Entry) string {
	for p := e.Path; p != "."; p = path.Dir(p) {
		if compilers[p] != nil && !strings.HasSuffix(p, "/CommandConfig") {
			return p
		}
	}
	return e.Path
}

// dataAssets checks that Windows finds the files that settings ask for, and
// that no file is without a setting.
func (v *validator) dataAssets() {
	const list = "DataAsset/DataAsset.xml"
	root, err := v.xml.parse(list, "Elements")
	if err != nil {
		root = newElement("Elements", "Type", "DataAsset") // none, or said by Open
	} else if data, err := v.xml.read(list); err == nil {
		v.byteOrderMark(list, data, -1)
	}
	if root.attr("Type") != "DataAsset" {
		v.add(Problem, list, "is of type %.60q, not DataAsset", root.attr("Type"))
	}
	wanted := v.wantedAssets()
	indexes := map[string]bool{}
	numbers := map[string]bool{}
	for _, e := range root.children {
		index := e.attr("Index")
		if n, err := strconv.Atoi(index); err != nil || n < firstAssetElement || indexes[index] {
			v.add(Warning, list, "line %d: element index %.20q is not a number of its own from %d on", e.line, index, firstAssetElement)
		}
		indexes[index] = true
		name := ""
		for _, m := range e.children {
			key, setting := m.attr("Key"), m.attr("Value")
			if key == "Name" {
				name = setting
				continue
			}
			number, _, _ := strings.Cut(key, "_")
			if numbers[number] {
				v.add(Warning, list, "line %d: number %s is given to two files", m.line, number)
			}
			numbers[number] = true
			if !wanted[key] {
				v.add(Warning, list, "line %d: no setting asks for %.200q", m.line, key)
			}
			delete(wanted, key)
			if last := assetName(setting); name != last {
				v.add(Problem, list, "line %d: Windows looks for %.60q in an element of that name, not %.60q", m.line, last, name)
			}
		}
	}
	for key := range wanted {
		v.add(Problem, list, "%.200q, which a setting asks for, is not there", key)
	}
}

// wantedAssets are the files that settings ask for, as folder\name.
func (v *validator) wantedAssets() map[string]bool {
	wanted := map[string]bool{}
	for _, e := range v.Entries {
		for _, p := range e.Parms {
			if len(p.Node) != 4 || p.Node[0] != "Provisioning" || p.Node[1] != "Assets" {
				continue
			}
			wanted[p.Name] = true
			if v.ID != uuid.Nil && !strings.EqualFold(p.Node[2], braced(v.ID)) {
				v.add(Problem, runTimeFolder+e.File, "asks for a file of the package %.60s", p.Node[2])
			}
		}
	}
	return wanted
}

// assetName is the name that the element of a setting's files must have. Files
// in a list are numbered, their element is named like the list's items.
func assetName(setting string) string {
	last := path.Base(setting)
	if _, err := strconv.Atoi(last); err == nil && path.Base(path.Dir(setting)) == "DependencyPackages" {
		return "Dependency"
	}
	return last
}
