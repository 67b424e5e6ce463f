package fat32

import (
	"encoding/binary"
	"fmt"
	"time"
)

// folder makes the entries of a folder.
func (l *Layout) folder(n *node, label string) []byte {
	b := make([]byte, 0, n.entries()*entrySize)
	if n.parent == nil {
		b = l.entry(b, labelName(label), attrLabel, 0, 0)
	} else {
		above := n.parent.first
		if n.parent.parent == nil {
			above = 0 // so it says of the root
		}
		b = l.entry(b, packShort(".", ""), attrDirectory, n.first, 0)
		b = l.entry(b, packShort("..", ""), attrDirectory, above, 0)
	}
	for _, c := range n.children {
		b = c.appendLong(b)
		if c.dir {
			b = l.entry(b, c.short, attrDirectory, c.first, 0)
		} else {
			b = l.entry(b, c.short, attrArchive, c.first, uint32(c.size))
		}
	}
	return b
}

func labelName(label string) (s shortName) {
	copy(s[:], fmt.Sprintf("%-11s", label))
	return s
}

func (l *Layout) entry(b []byte, name shortName, attr byte, first, size uint32) []byte {
	day, clock := dosTime(l.Time)
	e := make([]byte, entrySize)
	copy(e, name[:])
	e[11] = attr
	le := binary.LittleEndian
	le.PutUint16(e[14:], clock) // made
	le.PutUint16(e[16:], day)
	le.PutUint16(e[18:], day) // read
	le.PutUint16(e[20:], uint16(first>>16))
	le.PutUint16(e[22:], clock) // changed
	le.PutUint16(e[24:], day)
	le.PutUint16(e[26:], uint16(first))
	le.PutUint32(e[28:], size)
	return append(b, e...)
}

// longAt is where the characters are in an entry of a long name.
var longAt = [perLong]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}

// appendLong puts the entries of a long name before that of the short one, the
// last part first.
func (n *node) appendLong(b []byte) []byte {
	parts := n.longEntries()
	for i := len(parts) - 1; i >= 0; i-- {
		e := make([]byte, entrySize)
		e[0] = byte(i + 1)
		if i == len(parts)-1 {
			e[0] |= 0x40
		}
		e[11], e[13] = attrLongName, n.short.checksum()
		for k, at := range longAt {
			unit := uint16(0xffff) // after the end
			switch {
			case k < len(parts[i]):
				unit = parts[i][k]
			case k == len(parts[i]):
				unit = 0
			}
			binary.LittleEndian.PutUint16(e[at:], unit)
		}
		b = append(b, e...)
	}
	return b
}

// dosTime has a resolution of two seconds and knows no zones: it is UTC here,
// within the years that it can say.
func dosTime(t time.Time) (day, clock uint16) {
	t = t.UTC()
	if t.Year() < 1980 {
		t = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if t.Year() > 2107 {
		t = time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)
	}
	return uint16((t.Year()-1980)<<9 | int(t.Month())<<5 | t.Day()), uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2)
}
