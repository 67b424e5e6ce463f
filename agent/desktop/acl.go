package desktop

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// An access list as Windows keeps it, [MS-DTYP] 2.4.5: a header of eight bytes
// (revision, nothing, size, number of entries, nothing), then the entries, each
// of which begins with type, flags and size. It is changed as bytes, so that
// every entry that is not ours stays as it is, whatever it says.
const (
	aclHeader   = 8
	entryHeader = 4
	maxACL      = 1<<16 - 1

	typeAllowed = 0 // ACCESS_ALLOWED_ACE: header, mask of four bytes, SID

	flagInherited = 0x10
)

// denying are the types of entries that deny: plain, for one kind of object,
// under a condition, and both.
var denying = []byte{1, 6, 10, 12}

var errACL = errors.New("not an access list")

// entries cuts a list into its entries.
func entries(acl []byte) ([][]byte, error) {
	if len(acl) < aclHeader {
		return nil, fmt.Errorf("%w: %d bytes", errACL, len(acl))
	}
	size, count := int(binary.LittleEndian.Uint16(acl[2:])), int(binary.LittleEndian.Uint16(acl[4:]))
	if size < aclHeader || size > len(acl) {
		return nil, fmt.Errorf("%w: it says it has %d bytes, of %d", errACL, size, len(acl))
	}
	var list [][]byte
	for rest := acl[aclHeader:size]; len(list) < count; {
		if len(rest) < entryHeader {
			return nil, fmt.Errorf("%w: entry %d is cut off", errACL, len(list))
		}
		n := int(binary.LittleEndian.Uint16(rest[2:]))
		if n < entryHeader || n > len(rest) {
			return nil, fmt.Errorf("%w: entry %d has %d bytes, of %d", errACL, len(list), n, len(rest))
		}
		list, rest = append(list, rest[:n:n]), rest[n:]
	}
	return list, nil
}

// assemble makes a list of entries, with the revision of another.
func assemble(revision byte, list [][]byte) ([]byte, error) {
	acl := make([]byte, aclHeader)
	for _, e := range list {
		acl = append(acl, e...)
	}
	if len(acl) > maxACL {
		return nil, fmt.Errorf("an access list of %d bytes is longer than Windows takes", len(acl))
	}
	acl[0] = revision
	binary.LittleEndian.PutUint16(acl[2:], uint16(len(acl)))
	binary.LittleEndian.PutUint16(acl[4:], uint16(len(list)))
	return acl, nil
}

// allowing gives the entry that lets the SID do what the mask says, there and
// nowhere below.
func allowing(sid []byte, mask uint32) []byte {
	e := make([]byte, entryHeader+4, entryHeader+4+len(sid))
	binary.LittleEndian.PutUint32(e[entryHeader:], mask)
	e = append(e, sid...)
	e[0] = typeAllowed
	binary.LittleEndian.PutUint16(e[2:], uint16(len(e)))
	return e
}

// grant gives the list with an entry more, in the order that Windows keeps: what
// was set here before what is inherited, and there what denies before what
// allows. A list that has the entry stays as it is.
func grant(acl, sid []byte, mask uint32) ([]byte, error) {
	list, err := entries(acl)
	if err != nil {
		return nil, err
	}
	e := allowing(sid, mask)
	if slices.ContainsFunc(list, func(other []byte) bool { return bytes.Equal(e, other) }) {
		return assemble(acl[0], list)
	}
	at := slices.IndexFunc(list, func(other []byte) bool { return !slices.Contains(denying, other[0]) || other[1]&flagInherited != 0 })
	if at < 0 {
		at = len(list)
	}
	return assemble(acl[0], slices.Insert(list, at, e))
}

// revoke gives the list without the entry that grant makes.
func revoke(acl, sid []byte, mask uint32) ([]byte, error) {
	list, err := entries(acl)
	if err != nil {
		return nil, err
	}
	e := allowing(sid, mask)
	return assemble(acl[0], slices.DeleteFunc(list, func(other []byte) bool { return bytes.Equal(e, other) }))
}
