package fat32

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"firstday.dev/internal/contextio"
)

// Options say what an image is.
type Options struct {
	Size      int64     // of the image, in bytes; see [MinSize] and [SizeFor]
	Label     string    // of the volume, see [CheckLabel]
	Serial    uint32    // of the volume
	Signature uint32    // of the disk, in its partition table
	Time      time.Time // of all files
	// Progress, if set, is told how many bytes of files are written.
	Progress func(done, total int64)
}

// Write writes an image of a tree. What it does not write must be zeros, as in a
// file that is new and is given its size afterwards: so the image is sparse.
// Each file is opened once and read to its end, in the order of names.
func Write(ctx context.Context, w io.WriterAt, tree fs.FS, o Options) error {
	g, err := newGeometry(o.Size)
	if err != nil {
		return err
	}
	if err := CheckLabel(o.Label); err != nil {
		return err
	}
	root, err := readTree(tree)
	if err != nil {
		return err
	}
	free, err := root.allocate(&g)
	if err != nil {
		return err
	}
	v := &writer{geometry: g, Options: o, w: w, tree: tree, root: root, free: free}
	_ = root.each(func(n *node) error { v.total += n.size; return nil })
	for _, step := range []func() error{v.writeTable, v.writeBoot, v.writeFATs, func() error { return v.writeNodes(ctx) }} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

type writer struct {
	geometry
	Options
	w           io.WriterAt
	tree        fs.FS
	root        *node
	free        uint32 // first free cluster
	done, total int64
}

// nextDevice is what a BIOS runs that starts from the stick: it goes on to the
// next device, since the stick is in the laptop while that starts.
var nextDevice = []byte{0xcd, 0x18, 0xf4, 0xeb, 0xfd} // int 18h; hlt; jmp back

// writeTable writes an MBR. A GPT has a copy at the end of its disk: on a stick
// that is larger than the image it would be in the wrong place, and systems call
// the stick damaged or offer to format it. Sticks leave the factory with an MBR;
// Windows, macOS and UEFI take it on removable media.
func (v *writer) writeTable() error {
	b := make([]byte, SectorSize)
	copy(b, nextDevice)
	binary.LittleEndian.PutUint32(b[440:], v.Signature)
	p := b[446:]
	// Not active. Cylinders, heads and sectors are at their limit: only the
	// numbers of sectors count.
	copy(p, []byte{0, 0xfe, 0xff, 0xff, typeFAT32LBA, 0xfe, 0xff, 0xff})
	binary.LittleEndian.PutUint32(p[8:], firstSector)
	binary.LittleEndian.PutUint32(p[12:], v.sectors)
	b[510], b[511] = 0x55, 0xaa
	_, err := v.w.WriteAt(b, 0)
	return err
}

// writeBoot writes the boot sector and FSInfo, and their copies.
func (v *writer) writeBoot() error {
	boot, info, third := make([]byte, SectorSize), make([]byte, SectorSize), make([]byte, SectorSize)
	le := binary.LittleEndian
	copy(boot, []byte{0xeb, 0x58, 0x90})
	copy(boot[3:], "MSWIN4.1") // what the specification recommends
	le.PutUint16(boot[11:], SectorSize)
	boot[13] = byte(v.perCluster)
	le.PutUint16(boot[14:], uint16(v.reserved))
	boot[16] = fats
	boot[21] = mediaFixed
	le.PutUint16(boot[24:], 63)  // sectors of a track
	le.PutUint16(boot[26:], 255) // heads
	le.PutUint32(boot[28:], firstSector)
	le.PutUint32(boot[32:], v.sectors)
	le.PutUint32(boot[36:], v.fat)
	le.PutUint32(boot[44:], rootCluster)
	le.PutUint16(boot[48:], infoSector)
	le.PutUint16(boot[50:], backupSector)
	boot[64] = 0x80 // drive
	boot[66] = 0x29 // the next three are there
	le.PutUint32(boot[67:], v.Serial)
	copy(boot[71:], fmt.Sprintf("%-11s", v.Label))
	copy(boot[82:], "FAT32   ")
	copy(boot[90:], nextDevice)

	le.PutUint32(info, infoLead)
	le.PutUint32(info[484:], infoMiddle)
	le.PutUint32(info[488:], v.clusters+rootCluster-v.free)
	le.PutUint32(info[492:], v.free)
	le.PutUint32(info[508:], infoTrail)
	for _, s := range [][]byte{boot, third} {
		s[510], s[511] = 0x55, 0xaa
	}
	for _, at := range []uint32{0, backupSector} {
		for i, s := range [][]byte{boot, info, third} {
			if _, err := v.w.WriteAt(s, v.sector(at+uint32(i))); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeFATs writes the chain of every node, which is in one piece.
func (v *writer) writeFATs() error {
	for i := range uint32(fats) {
		b := bufio.NewWriterSize(io.NewOffsetWriter(v.w, v.sector(v.reserved+i*v.fat)), 1<<16)
		put := func(value uint32) error {
			_, err := b.Write(binary.LittleEndian.AppendUint32(b.AvailableBuffer(), value))
			return err
		}
		// The first two say the medium, and that the volume was left in order.
		if err := errors.Join(put(clusterMask&^0xff|mediaFixed), put(endOfChain)); err != nil {
			return err
		}
		err := v.root.each(func(n *node) error {
			for k := range n.clusters {
				next := uint32(endOfChain)
				if k+1 < n.clusters {
					next = n.first + k + 1
				}
				if err := put(next); err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(err, b.Flush()); err != nil {
			return err
		}
	}
	return nil
}

func (v *writer) writeNodes(ctx context.Context) error {
	buffer := make([]byte, 1<<20)
	return v.root.each(func(n *node) error {
		if n.dir {
			_, err := v.w.WriteAt(v.folder(n), v.cluster(n.first))
			return err
		}
		if err := v.writeFile(ctx, n, buffer); err != nil {
			return fmt.Errorf("writing %s: %w", n.path, err)
		}
		return nil
	})
}

// writeFile copies a file, which must be as long as its folder said.
func (v *writer) writeFile(ctx context.Context, n *node, buffer []byte) error {
	f, err := v.tree.Open(n.path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := contextio.Reader(ctx, f)
	written, err := io.CopyBuffer(v.counting(io.NewOffsetWriter(v.w, v.cluster(max(n.first, rootCluster)))), io.LimitReader(r, n.size), buffer)
	if err != nil {
		return err
	}
	// Who checks what is read does so at its end.
	more, err := io.ReadFull(r, buffer[:1])
	if more > 0 || written < n.size {
		return fmt.Errorf("%w: it does not have the %d bytes it had", ErrFile, n.size)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// counting tells progress of what passes through.
func (v *writer) counting(w io.Writer) io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		k, err := w.Write(p)
		if v.done += int64(k); v.Progress != nil {
			v.Progress(v.done, v.total)
		}
		return k, err
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// folder makes the entries of a folder.
func (v *writer) folder(n *node) []byte {
	b := make([]byte, 0, n.entries()*entrySize)
	if n.parent == nil {
		b = v.entry(b, labelName(v.Label), attrLabel, 0, 0)
	} else {
		above := n.parent.first
		if n.parent.parent == nil {
			above = 0 // so it says of the root
		}
		b = v.entry(b, packShort(".", ""), attrDirectory, n.first, 0)
		b = v.entry(b, packShort("..", ""), attrDirectory, above, 0)
	}
	for _, c := range n.children {
		b = c.appendLong(b)
		if c.dir {
			b = v.entry(b, c.short, attrDirectory, c.first, 0)
		} else {
			b = v.entry(b, c.short, attrArchive, c.first, uint32(c.size))
		}
	}
	return b
}

func labelName(label string) (s shortName) {
	copy(s[:], fmt.Sprintf("%-11s", label))
	return s
}

func (v *writer) entry(b []byte, name shortName, attr byte, first, size uint32) []byte {
	day, clock := dosTime(v.Time)
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
