package fat32

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Disk is a stick that a layout is written to, in whole sectors. What was there
// before may be anything.
type Disk interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
}

// What a stick says of itself until it is whole. The file is empty: it needs no
// cluster.
const (
	IncompleteLabel = "INCOMPLETE"
	IncompleteFile  = "INCOMPLETE.txt"
)

// ErrReadBack: a stick does not give back what was written to it.
var ErrReadBack = errors.New("it reads other bytes than were written")

// A stick is written in three steps, of which each may be cut off anywhere.
//
//  1. Begin takes the partition table away, so that nothing is there, and writes
//     a volume that says it is incomplete. Its root folder is in the last
//     cluster, out of the way of everything else.
//  2. The caller writes the files to their extents, reads them back and compares.
//  3. Commit writes the folders and FATs, reads them back, and then the boot
//     sector, which leads to the other root folder. It is one sector: a stick has
//     the old one or the new one.

// incomplete is the state after Begin.
func (l *Layout) incomplete() state {
	last := l.clusters + rootCluster - 1
	return state{label: IncompleteLabel, root: last, spare: last, free: rootCluster, used: 1}
}

// committing is the final state, in which the root folder of the other is kept.
func (l *Layout) committing() state {
	s := l.final()
	s.spare = l.incomplete().spare
	return s
}

// Fits says whether there is room for what Begin writes.
func (l *Layout) Fits() error {
	if l.free > l.incomplete().spare {
		return fmt.Errorf("%w: one cluster must stay free", ErrFull)
	}
	return nil
}

// Begin makes the disk, of so many bytes, a stick that says it is incomplete.
func (l *Layout) Begin(d Disk, size int64) error {
	if err := l.Fits(); err != nil {
		return err
	}
	if err := l.Withdraw(d); err != nil {
		return err
	}
	return l.orWithdraw(d, l.begin(d, size))
}

// orWithdraw leaves nothing on a disk that does not keep what it is told: not even
// the marker can be trusted.
func (l *Layout) orWithdraw(d Disk, err error) error {
	if errors.Is(err, ErrReadBack) {
		return errors.Join(err, l.Withdraw(d))
	}
	return err
}

func (l *Layout) begin(d Disk, size int64) error {
	// A GPT, or a file system without partitions, would be found beside ours.
	volumeEnd := l.sector(l.sectors)
	for _, zeros := range [][2]int64{{SectorSize, l.start}, {volumeEnd, l.Size}, {max(size-spareSectors*SectorSize, l.Size), size}, {l.start, l.sector(l.reserved)}} {
		if err := writeZeros(d, zeros[0], zeros[1]); err != nil {
			return err
		}
	}
	s := l.incomplete()
	if err := l.eachFAT(s, l.fat, func(b block) error { return b.write(d) }); err != nil {
		return err
	}
	for _, b := range append(append([]block{l.marker()}, l.bootCopies(s)...), l.bootSectors(s)[0]) {
		if err := b.write(d); err != nil {
			return err
		}
	}
	if err := d.Sync(); err != nil {
		return err
	}
	if err := l.table().write(d); err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return err
	}
	// The marker is far away from the rest: where a stick says it is larger than it
	// is, it is missing.
	for _, b := range append(append([]block{l.marker()}, l.bootCopies(s)...), l.bootSectors(s)...) {
		if err := b.check(d); err != nil {
			return err
		}
	}
	return nil
}

// Withdraw takes the partition table away: to every system the disk is empty.
func (l *Layout) Withdraw(d Disk) error {
	if err := (block{0, make([]byte, SectorSize)}).write(d); err != nil {
		return err
	}
	return d.Sync()
}

// marker is the root folder of a stick that is incomplete.
func (l *Layout) marker() block {
	n := &node{dir: true}
	n.children = []*node{{name: IncompleteFile, parent: n}}
	n.giveShortNames()
	b := make([]byte, l.clusterSize())
	copy(b, l.folder(n, IncompleteLabel))
	return block{l.cluster(l.incomplete().root), b}
}

// IsIncomplete reads whether a disk says what Begin wrote.
func (l *Layout) IsIncomplete(d Disk) bool {
	for _, b := range append(l.bootSectors(l.incomplete()), l.marker()) {
		if b.check(d) != nil {
			return false
		}
	}
	return true
}

// Commit makes the stick whole, whose files were written and read back. If that
// fails it is no stick any more, or still an incomplete one.
func (l *Layout) Commit(d Disk) error {
	if err := l.orWithdraw(d, l.prepare(d)); err != nil {
		return err
	}
	if err := l.commit(d); err != nil {
		return errors.Join(err, l.Withdraw(d))
	}
	return nil
}

// prepare writes everything but what decides.
func (l *Layout) prepare(d Disk) error {
	// Whatever was written since, the marker is where it was.
	if err := l.marker().check(d); err != nil {
		return err
	}
	s := l.committing()
	each := func(visit func(block) error) error {
		if err := l.folders(visit); err != nil {
			return err
		}
		if err := l.eachFAT(s, l.usedFAT(), visit); err != nil {
			return err
		}
		for _, b := range l.bootCopies(l.final()) {
			if err := visit(b); err != nil {
				return err
			}
		}
		return nil
	}
	if err := each(func(b block) error { return b.write(d) }); err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return err
	}
	check := func(b block) error { return b.check(d) }
	if err := each(check); err != nil {
		return err
	}
	// All of the FATs, and the marker again: what was written may lie over it.
	if err := l.eachFAT(s, l.fat, check); err != nil {
		return err
	}
	return check(l.marker())
}

// commit writes the sector that decides, gives the cluster of the marker back, and
// looks at both.
func (l *Layout) commit(d Disk) error {
	boot := l.bootSectors(l.final())
	if err := boot[0].write(d); err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return err
	}
	entry := l.incomplete().spare
	b := make([]byte, SectorSize)
	l.fillFAT(b, entry&^(SectorSize/4-1), l.final())
	free := make([]block, fats)
	for i := range free {
		free[i] = block{l.sector(l.reserved + uint32(i)*l.fat + entry*4/SectorSize), b}
		if err := free[i].write(d); err != nil {
			return err
		}
	}
	if err := d.Sync(); err != nil {
		return err
	}
	for _, b := range append(boot, free...) {
		if err := b.check(d); err != nil {
			return err
		}
	}
	return nil
}

func (b block) write(d Disk) error {
	_, err := d.WriteAt(b.data, b.at)
	return err
}

// check reads a block back.
func (b block) check(d Disk) error {
	got := make([]byte, len(b.data))
	if _, err := d.ReadAt(got, b.at); err != nil {
		return fmt.Errorf("reading back: %w", notEOF(err))
	}
	if !bytes.Equal(got, b.data) {
		return fmt.Errorf("%w, at byte %d", ErrReadBack, b.at)
	}
	return nil
}

// writeZeros writes zeros from one byte up to another.
func writeZeros(d Disk, from, to int64) error {
	zeros := make([]byte, 1<<20)
	for ; from < to; from += int64(len(zeros)) {
		zeros = zeros[:min(int64(len(zeros)), to-from)]
		if _, err := d.WriteAt(zeros, from); err != nil {
			return err
		}
	}
	return nil
}
