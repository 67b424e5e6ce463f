package macho

import (
	"encoding/binary"
	"errors"
	"testing"
)

// apart puts blobs where it is told, in a whole of a given length.
func apart(length int, blobs map[int]slot, order ...int) []byte {
	b := make([]byte, length)
	binary.BigEndian.PutUint32(b, magicEmbedded)
	binary.BigEndian.PutUint32(b[4:], uint32(length))
	binary.BigEndian.PutUint32(b[8:], uint32(len(order)))
	for i, at := range order {
		binary.BigEndian.PutUint32(b[12+8*i:], blobs[at].kind)
		binary.BigEndian.PutUint32(b[16+8*i:], uint32(at))
		copy(b[at:], blobs[at].blob)
	}
	return b
}

// Where the parts of a signature lie is up to who writes it: lld aligns them to 8
// bytes, and Apple's readers (superblob.h in Security, cs_validate_csblob in xnu)
// look only that each lies within the whole.
func TestPartsMayLieApart(t *testing.T) {
	a, b := slot{1, blob(7, []byte("one"))}, slot{2, blob(7, nil)}
	for name, c := range map[string]struct {
		whole []byte
		good  bool
	}{
		"one after the other":  {superBlob(magicEmbedded, []slot{a, b}), true},
		"aligned":              {apart(56, map[int]slot{32: a, 48: b}, 32, 48), true},
		"in another order":     {apart(56, map[int]slot{32: a, 48: b}, 48, 32), true},
		"one, aligned":         {apart(35, map[int]slot{24: a}, 24), true},
		"room at the end":      {apart(64, map[int]slot{32: a, 48: b}, 32, 48), true},
		"something in the gap": {hide(apart(56, map[int]slot{32: a, 48: b}, 32, 48), 45), false},
		"and before the first": {hide(apart(56, map[int]slot{32: a, 48: b}, 32, 48), 29), false},
		"and at the end":       {hide(apart(64, map[int]slot{32: a, 48: b}, 32, 48), 63), false},
		"in one another":       {apart(56, map[int]slot{32: a, 40: b}, 32, 40), false},
		"in the index":         {apart(56, map[int]slot{24: a, 48: b}, 24, 48), false},
		"twice":                {apart(56, map[int]slot{32: a, 48: a}, 32, 48), false},
		"the same twice":       {apart(56, map[int]slot{32: a}, 32, 32), false},
		"beyond the end":       {apart(56, map[int]slot{32: a, 52: b}, 32, 52), false},
	} {
		slots, err := openSuperBlob(c.whole, magicEmbedded)
		if c.good != (err == nil) || err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
		if c.good && string(find(slots, 1)) != string(a.blob) {
			t.Errorf("%s: %v", name, slots)
		}
	}
}

func hide(b []byte, at int) []byte {
	b[at] = 1
	return b
}
