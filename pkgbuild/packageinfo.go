package pkgbuild

import (
	"cmp"
	"strconv"

	"github.com/beevik/etree"
)

// generator is what packages say they were made by.
const generator = "firstday"

func newDocument() *etree.Document {
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	doc.CreateProcInst("xml", `version="1.0" encoding="utf-8"`)
	return doc
}

// packageInfo is what Installer reads of a component. Nothing is relocatable:
// else Installer would follow a copy of a bundle that somebody moved.
func (c *Component) packageInfo(s *size) *etree.Document {
	doc := newDocument()
	info := doc.CreateElement("pkg-info")
	info.CreateAttr("overwrite-permissions", "true")
	info.CreateAttr("relocatable", "false")
	info.CreateAttr("identifier", c.Identifier)
	info.CreateAttr("postinstall-action", cmp.Or(c.PostinstallAction, "none"))
	info.CreateAttr("version", c.Version)
	info.CreateAttr("format-version", "2")
	info.CreateAttr("generator-version", generator)
	info.CreateAttr("install-location", cmp.Or(c.InstallLocation, "/"))
	info.CreateAttr("auth", "root")
	if c.Payload != nil {
		payload := info.CreateElement("payload")
		payload.CreateAttr("numberOfFiles", strconv.Itoa(s.files))
		payload.CreateAttr("installKBytes", strconv.FormatInt(s.kilobytes(), 10))
	}
	for _, none := range []string{"bundle-version", "upgrade-bundle", "update-bundle", "atomic-update-bundle", "strict-identifier", "relocate"} {
		info.CreateElement(none)
	}
	if c.Scripts != nil {
		scripts := info.CreateElement("scripts")
		for _, name := range scriptNames {
			if c.hasScript(name) {
				scripts.CreateElement(name).CreateAttr("file", "./"+name)
			}
		}
	}
	doc.Indent(4)
	return doc
}
