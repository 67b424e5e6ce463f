package bom

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// judge reads a Bom the other way round than Read does, and with no code of
// this package: from each path's own record up to the root, then it looks for
// the path from the root down through the branches, as a search would.
func judge(t *testing.T, b []byte, entries []Entry) {
	t.Helper()
	u32 := func(b []byte) int { return int(binary.BigEndian.Uint32(b)) }
	index := b[u32(b[16:])+4:]
	block := func(n int) []byte { return b[u32(index[8*n:]):][:u32(index[8*n+4:])] }
	vars := b[u32(b[24:]):][:u32(b[28:])]
	at := bytes.Index(vars, []byte("\x05Paths")) - 4
	root := u32(block(u32(vars[at:]))[8:])

	find := func(key []byte) (id, record int) {
		for n := root; ; {
			node := block(n)
			leaf, count := node[1] == 1, int(binary.BigEndian.Uint16(node[2:]))
			i := 0
			for ; i < count; i++ {
				if bytes.Compare(key, block(u32(node[12+8*i+4:]))) <= 0 {
					break
				}
			}
			if i == count {
				t.Fatalf("%q is not in the tree", key)
			}
			n = u32(node[12+8*i:])
			if leaf {
				if !bytes.Equal(key, block(u32(node[12+8*i+4:]))) {
					t.Fatalf("%q is not in its leaf", key)
				}
				return u32(block(n)), u32(block(n)[4:])
			}
		}
	}
	for i, e := range entries {
		if i%97 != 0 && len(entries) > 1000 { // a search is not cheap here
			continue
		}
		parent, record := 0, 0
		for _, name := range strings.Split(e.Path, "/") {
			key := binary.BigEndian.AppendUint32(nil, uint32(parent))
			parent, record = find(append(append(key, name...), 0))
		}
		r := block(record)
		if got := binary.BigEndian.Uint16(r[4:]); uint32(got) != e.Mode {
			t.Fatalf("%s has mode %o", e.Path, got)
		}
		if u32(r[6:]) != int(e.UID) || u32(r[10:]) != int(e.GID) || u32(r[14:]) != int(e.ModTime) ||
			r[0] == 1 && (u32(r[18:]) != int(uint32(e.Size)) || u32(r[23:]) != int(e.Checksum)) {
			t.Fatalf("%s has record %x", e.Path, r)
		}
		arch := binary.BigEndian.Uint16(r[2:])
		if (arch&0xf000 != 0) != (len(e.Slices) > 0) || len(e.Slices) > 0 && u32(r[28:]) != len(e.Slices) {
			t.Fatalf("%s has architecture %#x and record %x", e.Path, arch, r)
		}
		for k, s := range e.Slices {
			p := r[32+16*k:]
			if got := (Slice{uint32(u32(p)), uint32(u32(p[4:])), uint32(u32(p[8:])), uint32(u32(p[12:]))}); got != s {
				t.Fatalf("%s has slice %+v, want %+v", e.Path, got, s)
			}
		}
	}
}
