package ppkg

import (
	"crypto/sha256"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// asset is a file that the package carries for a setting.
type asset struct {
	setting string // such as /ProvisioningCommands/PrimaryContext/Command/CommandFile, without numbers
	value   string // of its Metadata in DataAsset.xml
	key     string // folder\name
	folder  string
	file    *File
	sum     [sha256.Size]byte
}

// addAsset compiles a file that the text of p names: the package carries it
// under a setting's path, and an entry tells Windows its name. node is that
// path with the number of the command in it, value what DataAsset.xml says.
func (c *compiler) addAsset(p *place, setting, node, value, entryFile string) error {
	f := p.file
	switch {
	case f == nil:
		return p.errorf("no file is given for %.200q", p.text)
	case len(c.assets) == maxAssets:
		return fmt.Errorf("%w: more than %d files", ErrUnsupported, maxAssets)
	}
	if err := checkFileName(f.Name); err != nil {
		return p.errorf("%w", err)
	}
	a := asset{setting: setting, value: value, file: f}
	if c.hash {
		var err error
		if a.sum, err = f.digest(c.ctx); err != nil {
			return p.errorf("%w", err)
		}
	}
	a.folder = strconv.Itoa(len(c.assets)) + "_" + folderHash(a.sum)
	a.key = a.folder + `\` + f.Name
	c.assets = append(c.assets, a)
	c.entry(p.path, entryFile, Parm{
		Path: p.path, Node: []string{"Provisioning", "Assets", c.id, node},
		Name: a.key, Type: String, Value: f.Name,
	})
	return nil
}

// firstAssetElement follows Multivariant and CommonSettings, which share the
// numbers of elements with assets.
const firstAssetElement = 2

// putAssets puts the files into the tree: an element for each setting, in the
// order of their paths.
func (c *compiler) putAssets() {
	if len(c.assets) == 0 {
		return
	}
	var settings []string
	for _, a := range c.assets {
		settings = append(settings, a.setting)
	}
	slices.Sort(settings)
	var elements []*element
	for i, setting := range slices.Compact(settings) {
		index := strconv.Itoa(firstAssetElement + i)
		e := newElement("Element", "Index", index).add(
			newElement("Metadata", "Key", "Name", "Value", path.Base(setting)))
		for _, a := range c.assets {
			if a.setting == setting {
				e.add(newElement("Metadata", "Key", a.key, "Value", a.value))
				c.tree.files["DataAsset/"+index+"/"+a.folder+"/"+a.file.Name] = &treeFile{asset: a.file, sum: a.sum}
			}
		}
		elements = append(elements, e)
	}
	c.tree.put("DataAsset/DataAsset.xml", elementsFile("DataAsset", elements...))
}

// checkFileName refuses names that Windows cannot hold, or that could lead
// elsewhere. Package wim checks the rest.
func checkFileName(name string) error {
	bad := name == "" || name == "." || name == ".." || strings.ContainsAny(name, `<>:"/\|?*`) ||
		strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") || len(name) > 200
	if err := checkText(name); err != nil || bad || strings.ContainsAny(name, "\t\r\n") {
		return fmt.Errorf("%.100q is not the name of a file", name)
	}
	return nil
}
