package station

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"firstday.dev/internal/contextio"
	"firstday.dev/kit"
	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
	"firstday.dev/templates/usb"
)

// incompleteText is what is in [fat32.IncompleteFile] on sticks that are mounted.
const incompleteText = "This stick is not complete: do not use it. Write it again: firstday usb write.\r\n"

// mounted is a stick whose volume is mounted: files are written into its folder,
// and get the names that systems act on when all of them were read back.
type mounted struct {
	*job
	folder  string
	root    *os.Root
	release []func() error // of what is held
	state   *survey
	wants   []bool

	open     *os.File // of which pieces come at the moment
	unsynced int      // bytes of it
	written  []int    // files that have a temporary name
	done     bool
}

func (j *job) openFolder(ctx context.Context) (_ medium, err error) {
	m := &mounted{job: j, folder: j.target.Folder}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.letGo())
		}
	}()
	if d := j.target.Disk; d != nil {
		if d.Refusal != "" {
			j.problem("refused", d.Refusal)
			return nil, j.preflight()
		}
		release, err := media.Claim(ctx, d)
		if err != nil {
			return nil, err
		}
		m.release = append(m.release, release)
	}
	if m.folder == "" {
		if err := m.mount(ctx); err != nil {
			return nil, err
		}
	}
	if m.root, err = os.OpenRoot(m.folder); err != nil {
		return nil, err
	}
	m.release = append(m.release, m.root.Close)
	c, err := claim(m.root)
	if err != nil {
		return nil, err
	}
	m.release = append(m.release, c.Close)
	return m, nil
}

// mount mounts the first volume that has a file system, until the stick is let go.
func (m *mounted) mount(ctx context.Context) error {
	if m.target.Disk == nil {
		return fmt.Errorf("%s: %w", m.target.Name, media.ErrNotMounted)
	}
	for i := range m.target.Disk.Volumes {
		v := &m.target.Disk.Volumes[i]
		if v.FileSystem == "" {
			continue
		}
		folder, unmount, err := v.Mount(ctx)
		if err != nil {
			return err
		}
		m.folder, m.release = folder, append(m.release, unmount)
		return nil
	}
	return fmt.Errorf("%s: %w: it has no file system", m.target.Name, media.ErrNotMounted)
}

// letGo lets go of everything, the latest first.
func (m *mounted) letGo() (err error) {
	for i := len(m.release) - 1; i >= 0; i-- {
		err = errors.Join(err, m.release[i]())
	}
	return err
}

func (m *mounted) close() error {
	if m.open != nil {
		_ = m.open.Close() // it is thrown away
	}
	// The stick says that it is incomplete. What is left of it only takes room.
	for _, file := range m.written {
		if !m.done && m.beat() == nil {
			_ = m.root.Remove(temporary(file))
		}
	}
	return m.letGo()
}

func (m *mounted) look(ctx context.Context) ([]bool, error) {
	v, err := m.lookAtVolume()
	if err != nil {
		return nil, err
	}
	if m.state, err = m.survey(); err != nil {
		return nil, err
	}
	m.wants = make([]bool, len(m.files))
	var size int64
	for _, f := range m.files {
		size += f.Size
	}
	m.enter(Looking, size)
	for i, f := range m.files {
		same, err := m.same(ctx, f)
		if err != nil {
			return nil, err
		}
		m.wants[i] = !same
	}
	m.lookForRoom(v)
	return m.wants, nil
}

// same reads a file of the stick and compares it.
func (m *mounted) same(ctx context.Context, f File) (bool, error) {
	size, ours := m.state.sizes[f.Path]
	if !ours || size != f.Size {
		m.advance(int(f.Size))
		return false, nil
	}
	err := m.compare(ctx, f.Path, f)
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrStalled) {
		return err == nil, err
	}
	// One that cannot be read is written again.
	return false, nil
}

// compare reads a file, past the cache, and holds it against what it should be.
func (m *mounted) compare(ctx context.Context, name string, want File) error {
	f, how, err := openUncached(m.root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	m.count(func(r *Result) {
		if r.ReadBack != ReadDropped { // the weakest of all counts
			r.ReadBack = how
		}
	})
	if err := checkSize(f, want.Size); err != nil {
		return err
	}
	sum, err := sumAligned(f, want.Size, func(n int) error {
		m.advance(n)
		return errors.Join(ctx.Err(), m.beat())
	})
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	if sum != want.SHA256 {
		return ErrReadBack
	}
	return nil
}

func checkSize(f fs.File, want int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != want {
		return fmt.Errorf("%w: it has %d bytes, not %d", ErrReadBack, info.Size(), want)
	}
	return nil
}

// sumAligned gives the checksum of so many bytes.
func sumAligned(r io.Reader, size int64, progress func(n int) error) (string, error) {
	hash := sha256.New()
	err := readAligned(r, size, func(b []byte) error {
		hash.Write(b)
		return progress(len(b))
	})
	return hex.EncodeToString(hash.Sum(nil)), err
}

// readAligned reads so many bytes in whole pages, into memory that goes past caches.
func readAligned(r io.Reader, size int64, visit func([]byte) error) error {
	const page = 4096
	b := media.Buffer(int(min((max(size, 1)+page-1)/page*page, chunkSize)))
	for at := int64(0); at < size; {
		n, err := r.Read(b)
		n = int(min(int64(n), size-at))
		if at += int64(n); err != nil && at < size {
			return unexpected(err)
		}
		if err := visit(b[:n]); err != nil {
			return err
		}
	}
	return nil
}

func (m *mounted) complete() bool {
	s := m.state
	return !slices.Contains(m.wants, true) && !s.marker && len(s.remove) == 0 && len(s.leftovers) == 0 && len(m.missingFolders()) == 0
}

// begin marks the stick, and makes room.
func (m *mounted) begin() error {
	if m.state.noMarker { // and may go
		if err := m.drop(fat32.IncompleteFile); err != nil {
			return err
		}
		m.count(func(r *Result) { r.Removed = append(r.Removed, fat32.IncompleteFile) })
	}
	f, err := m.root.OpenFile(fat32.IncompleteFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, incompleteText)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := m.sync("."); err != nil {
		return err
	}
	for _, name := range m.state.leftovers {
		if err := m.drop(name); err != nil {
			return err
		}
	}
	if !m.state.tight {
		return nil
	}
	for i, f := range m.files {
		if _, there := m.state.sizes[f.Path]; m.wants[i] && there {
			if err := m.drop(f.Path); err != nil {
				return err
			}
		}
	}
	return m.dropOthers()
}

// drop removes a file or folder, and no other one: links are not followed.
func (m *mounted) drop(name string) error {
	if err := m.beat(); err != nil {
		return err
	}
	return m.root.RemoveAll(name)
}

// dropOthers removes what has no place beside the new kit.
func (m *mounted) dropOthers() error {
	for _, name := range m.state.remove {
		if err := m.drop(name); err != nil {
			return err
		}
		m.count(func(r *Result) { r.Removed = append(r.Removed, name) })
	}
	m.state.remove = nil
	return nil
}

// temporary is the name of a file that was not read back yet. Nobody acts on it.
func temporary(file int) string { return fmt.Sprintf("firstday-%04d.tmp", file) }

// syncEvery bounds what waits in memory, in bytes, and so how long a sync takes.
const syncEvery = 8 << 20

func (m *mounted) write(c *chunk) (err error) {
	if c.at == 0 {
		if m.open, err = m.root.OpenFile(temporary(c.file), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); err != nil {
			return err
		}
		m.written, m.unsynced = append(m.written, c.file), 0
	}
	if _, err := m.open.Write(c.data); err != nil {
		return err
	}
	if m.unsynced += len(c.data); m.unsynced >= syncEvery || c.last {
		if err := m.beat(); err != nil {
			return err
		}
		if err := m.open.Sync(); err != nil {
			return err
		}
		m.unsynced = 0
	}
	if !c.last {
		return nil
	}
	f := m.open
	m.open = nil
	return f.Close()
}

func (m *mounted) flush() error { return m.sync(".") }

func (m *mounted) sync(folder string) error {
	if err := m.beat(); err != nil {
		return err
	}
	return syncFolder(m.root, folder)
}

func (m *mounted) check(ctx context.Context, file int) error {
	return m.compare(ctx, temporary(file), m.files[file])
}

// commit gives the files their names: those last that systems act on, and by which
// others are judged.
func (m *mounted) commit() error {
	if err := m.dropOthers(); err != nil {
		return err
	}
	for _, name := range m.missingFolders() {
		if err := m.root.Mkdir(name, 0o755); err != nil {
			return err
		}
	}
	slices.SortStableFunc(m.written, func(a, b int) int { return m.rank(a) - m.rank(b) })
	folders := []string{"."}
	for _, file := range m.written {
		if err := m.beat(); err != nil {
			return err
		}
		name := m.files[file].Path
		if err := m.root.Rename(temporary(file), name); err != nil {
			return err
		}
		if folder := path.Dir(name); !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	m.done = true
	for _, folder := range folders {
		if err := m.sync(folder); err != nil {
			return err
		}
	}
	for _, f := range m.files {
		info, err := m.root.Lstat(f.Path)
		if err != nil {
			return err
		}
		if info.Size() != f.Size {
			return fmt.Errorf("%s: %w: it has %d bytes, not %d", f.Path, ErrReadBack, info.Size(), f.Size)
		}
	}
	if err := m.drop(fat32.IncompleteFile); err != nil {
		return err
	}
	return m.sync(".")
}

// rank is when a file gets its name.
func (m *mounted) rank(file int) int {
	name := m.files[file].Path
	switch {
	case name == kit.SumsFile, name == kit.SignatureFile, name == usb.SumsFile:
		return 2
	case isPackage(name), name == usb.RunFile:
		return 1
	}
	return 0
}

func (m *mounted) missingFolders() (missing []string) {
	for name := range m.dirs {
		if !m.state.folders[name] && name != "." {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	return missing
}

// marked asks the stick itself: the system may remember what it said before.
func (m *mounted) marked() bool {
	f, _, err := openUncached(m.root, fat32.IncompleteFile)
	if err != nil {
		return false
	}
	defer f.Close()
	if checkSize(f, int64(len(incompleteText))) != nil {
		return false
	}
	sum, err := sumAligned(f, int64(len(incompleteText)), func(int) error { return m.beat() })
	return err == nil && sum == sha256Hex([]byte(incompleteText))
}

// isPackage says whether a system may take a file for a package.
func isPackage(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".ppkg" || ext == ".pkg"
}

// readSmall reads a file of the stick that should be small.
func (m *mounted) readSmall(ctx context.Context, name string, most int64) ([]byte, error) {
	if err := m.beat(); err != nil {
		return nil, err
	}
	info, err := m.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s is no file, or larger than %d bytes", name, most)
	}
	f, err := m.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(contextio.Reader(ctx, f), most))
}
