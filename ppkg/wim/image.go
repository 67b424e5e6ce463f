package wim

import (
	"io/fs"
	"time"
)

// Image is a tree of files and what the WIM's XML data says about it.
type Image struct {
	// FS holds the tree. It may have directories and regular files only.
	// What a WIM keeps beyond name, contents and modification time comes
	// from [fs.FileInfo].Sys where that returns a [*Stat].
	FS fs.FS

	// Properties are the image's XML elements in order, such as NAME and
	// DESCRIPTION, without those [Write] counts itself.
	Properties []Property

	Created  time.Time // CREATIONTIME
	Modified time.Time // LASTMODIFICATIONTIME
}

// Property is an XML element of an image: either text or further elements.
type Property struct {
	Name     string
	Value    string
	Children []Property
}

// Property returns the text of the first property of that name, or "".
func (i *Image) Property(name string) string {
	for _, p := range i.Properties {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// FILE_ATTRIBUTE_* bits of [Stat].
const (
	AttrReadOnly     = 0x00000001
	AttrHidden       = 0x00000002
	AttrSystem       = 0x00000004
	AttrDirectory    = 0x00000010
	AttrArchive      = 0x00000020
	AttrNormal       = 0x00000080
	AttrReparsePoint = 0x00000400
)

// Stat is what a WIM keeps of a file. The files of a [Reader] return it from
// [fs.FileInfo].Sys, and [Write] takes it from there.
type Stat struct {
	Attributes uint32 // FILE_ATTRIBUTE_* bits; Write sets or clears AttrDirectory itself

	// Times are exact to 100 ns. Times before 1601 become 0.
	Created, Modified, Accessed time.Time

	// SecurityDescriptor is self-relative; nil for none.
	SecurityDescriptor []byte

	// ShortName is the file's 8.3 name; "" for none.
	ShortName string

	// Streams names the file's alternate data streams. Their contents are
	// not offered, and Write refuses files that have some.
	Streams []string
}
