package xar

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

const signatureNamespace = "http://www.w3.org/2000/09/xmldsig#"

// encodeTOC makes the table of contents in the order that Apple's tools have.
func (w *Writer) encodeTOC() ([]byte, error) {
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	doc.CreateProcInst("xml", `version="1.0" encoding="UTF-8"`)
	toc := doc.CreateElement("xar").CreateElement("toc")
	checksum := toc.CreateElement("checksum")
	checksum.CreateAttr("style", w.style.name)
	addSpan(checksum, w.digest, "size")
	addText(toc, "creation-time", w.o.Created.UTC().Format("2006-01-02T15:04:05"))
	w.addSignature(toc, "signature", "RSA", w.rsa)
	w.addSignature(toc, "x-signature", "CMS", w.cms)
	folders := map[string]*etree.Element{"": toc}
	id := 0
	for _, f := range w.files {
		parent := toc
		folder := ""
		parts := strings.Split(f.Name, "/")
		for _, name := range parts[:len(parts)-1] {
			folder += name + "/"
			if folders[folder] == nil {
				id++
				folders[folder] = addFolder(parent, id, name)
			}
			parent = folders[folder]
		}
		id++
		w.addFile(parent, id, parts[len(parts)-1], f)
	}
	doc.Indent(1)
	return doc.WriteToBytes()
}

func addText(parent *etree.Element, name, text string) { parent.CreateElement(name).SetText(text) }

func addNumber(parent *etree.Element, name string, n int64) {
	addText(parent, name, strconv.FormatInt(n, 10))
}

func addSpan(parent *etree.Element, s span, length string) {
	addNumber(parent, "offset", s.offset)
	addNumber(parent, length, s.length)
}

// addSignature says where a signature is and who made it.
func (w *Writer) addSignature(toc *etree.Element, name, style string, s span) {
	if s.length == 0 {
		return
	}
	e := toc.CreateElement(name)
	e.CreateAttr("style", style)
	addSpan(e, s, "size")
	key := e.CreateElement("KeyInfo")
	key.CreateAttr("xmlns", signatureNamespace)
	data := key.CreateElement("X509Data")
	for _, cert := range w.o.Signer.Chain {
		addText(data, "X509Certificate", wrap(base64.StdEncoding.EncodeToString(cert.Raw)))
	}
}

// wrap breaks base64 into lines of 72 characters.
func wrap(s string) string {
	const width = 72
	var b strings.Builder
	for len(s) > width {
		b.WriteString(s[:width] + "\n")
		s = s[width:]
	}
	return b.String() + s
}

// addFolder gives a folder what productbuild gives it: nobody's but root's,
// from the first second of 1970.
func addFolder(parent *etree.Element, id int, name string) *etree.Element {
	e := parent.CreateElement("file")
	e.CreateAttr("id", strconv.Itoa(id))
	addText(e, "name", name)
	addText(e, "type", "directory")
	addText(e, "mode", "0700")
	addNumber(e, "uid", 0)
	addText(e, "user", "root")
	addNumber(e, "gid", 0)
	addText(e, "group", "wheel")
	epoch := time.Unix(0, 0).UTC().Format(time.RFC3339)
	for _, name := range []string{"atime", "mtime", "ctime"} {
		addText(e, name, epoch)
	}
	return e
}

func (w *Writer) addFile(parent *etree.Element, id int, name string, f *file) {
	e := parent.CreateElement("file")
	e.CreateAttr("id", strconv.Itoa(id))
	addText(e, "name", name)
	addText(e, "type", "file")
	data := e.CreateElement("data")
	w.addChecksum(data, "archived-checksum", f.archived)
	w.addChecksum(data, "extracted-checksum", f.extracted)
	encoding := encodingPlain
	if f.Compress {
		encoding = encodingZlib
	}
	data.CreateElement("encoding").CreateAttr("style", encoding)
	addNumber(data, "size", f.size)
	addSpan(data, f.data, "length")
}

func (w *Writer) addChecksum(data *etree.Element, name string, sum []byte) {
	e := data.CreateElement(name)
	e.CreateAttr("style", w.style.name)
	e.SetText(hex.EncodeToString(sum))
}
