package xar

import (
	"compress/bzip2"
	"compress/flate"
	"compress/zlib"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// File is a file or folder in an archive.
type File struct {
	Name    string // path with slashes, safe to join to a folder
	IsDir   bool
	Mode    fs.FileMode // permissions; zero if not told
	ModTime time.Time   // zero if not told
	Size    int64       // bytes when taken out
	// Compressed says that the archive compresses it.
	Compressed bool

	archive   *Archive
	data      span
	encoding  string
	archived  sum
	extracted sum
}

// sum is a checksum; its hash is zero if there is none.
type sum struct {
	hash  crypto.Hash
	value []byte
}

// readFiles reads the files of a folder, and theirs.
func (a *Archive) readFiles(parent *etree.Element, folder string, depth int) error {
	if depth > maxDepth {
		return malformed("more than %d folders in each other", maxDepth)
	}
	seen := map[string]bool{}
	for _, e := range parent.SelectElements("file") {
		if len(a.Files) == maxFiles {
			return malformed("more than %d files", maxFiles)
		}
		f, err := a.readFile(e, folder)
		if err != nil {
			return err
		}
		key := strings.ToLower(f.Name) // the file systems of Macs know no case
		if seen[key] {
			return malformed("%.300q is there twice", f.Name)
		}
		seen[key] = true
		a.Files = append(a.Files, f)
		if !f.IsDir {
			if e.SelectElement("file") != nil {
				return malformed("%.300q holds files and is no folder", f.Name)
			}
			continue
		}
		if err := a.readFiles(e, f.Name, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (a *Archive) readFile(e *etree.Element, folder string) (*File, error) {
	// Apple's tools repeat the name.
	name := text(e, "name")
	for _, again := range e.SelectElements("name") {
		if again.Text() != name {
			return nil, malformed("%.300q is called %.300q, too", name, again.Text())
		}
	}
	if err := checkName(name); err != nil {
		return nil, malformed("%w: %.300q", err, name)
	}
	f := &File{Name: path.Join(folder, name), archive: a, ModTime: parseTime(text(e, "mtime"))}
	if mode, err := strconv.ParseUint(text(e, "mode"), 8, 32); err == nil {
		f.Mode = fs.FileMode(mode) & fs.ModePerm
	}
	switch kind := text(e, "type"); kind {
	case "directory":
		f.IsDir = true
		return f, nil
	case "file":
		return f, f.readData(e.SelectElement("data"))
	default:
		return nil, fmt.Errorf("%w: %.300q is a %.40q", ErrUnsupported, f.Name, kind)
	}
}

// readData reads where the contents are; a file without has none.
func (f *File) readData(data *etree.Element) (err error) {
	if data == nil {
		f.encoding = encodingPlain
		return nil
	}
	if f.data, err = f.archive.readSpan(data, "length"); err != nil {
		return fmt.Errorf("%.300q: %w", f.Name, err)
	}
	if f.Size, err = number(data, "size"); err != nil {
		return fmt.Errorf("%.300q: %w", f.Name, err)
	}
	if f.archived, err = readSum(data, "archived-checksum"); err != nil {
		return fmt.Errorf("%.300q: %w", f.Name, err)
	}
	if f.extracted, err = readSum(data, "extracted-checksum"); err != nil {
		return fmt.Errorf("%.300q: %w", f.Name, err)
	}
	f.encoding = encodingPlain
	if e := data.SelectElement("encoding"); e != nil {
		f.encoding = e.SelectAttrValue("style", "")
	}
	switch f.encoding {
	case encodingPlain:
		if f.Size != f.data.length {
			return malformed("%.300q has %d bytes in %d", f.Name, f.Size, f.data.length)
		}
	case encodingZlib, encodingBzip2:
		f.Compressed = true
	default:
		return fmt.Errorf("%w: %.300q is encoded as %.60q", ErrUnsupported, f.Name, f.encoding)
	}
	return nil
}

func text(e *etree.Element, name string) string {
	if c := e.SelectElement(name); c != nil {
		return c.Text()
	}
	return ""
}

// number reads a number of bytes.
func number(e *etree.Element, name string) (int64, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text(e, name)), 10, 62)
	if err != nil {
		return 0, malformed("%s: %w", name, err)
	}
	return int64(n), nil
}

func readSum(data *etree.Element, name string) (sum, error) {
	e := data.SelectElement(name)
	if e == nil {
		return sum{}, nil
	}
	style, ok := algorithmOf(e.SelectAttrValue("style", ""))
	if !ok {
		return sum{}, fmt.Errorf("%w: %s by %.40q", ErrUnsupported, name, e.SelectAttrValue("style", ""))
	}
	if style.hash == 0 {
		return sum{}, nil
	}
	value, err := hex.DecodeString(strings.TrimSpace(e.Text()))
	if err != nil || len(value) != style.hash.Size() {
		return sum{}, malformed("%s is not one by %s", name, style.name)
	}
	return sum{style.hash, value}, nil
}

// check makes r fail at its end if it was not what the checksum says.
func (s sum) check(r io.Reader, what string) io.Reader {
	if s.hash == 0 {
		return r
	}
	return &checkedReader{r, s.hash.New(), s.value, what}
}

// Open gives the contents. Their end is io.EOF only if size and checksums are
// right; other errors wrap [ErrChecksum] or [ErrFormat].
func (f *File) Open() (io.Reader, error) {
	if f.IsDir {
		return nil, fmt.Errorf("%w: %.300q is a folder", ErrName, f.Name)
	}
	raw := f.archived.check(f.Raw(), f.Name+" in the archive")
	plain := raw
	switch f.encoding {
	case encodingZlib:
		z, err := zlib.NewReader(byteReader{raw})
		if err != nil {
			return nil, malformed("%.300q: %w", f.Name, err)
		}
		plain = z
	case encodingBzip2:
		plain = bzip2.NewReader(raw)
	}
	return f.extracted.check(&exactReader{file: f, plain: plain, raw: raw, left: f.Size}, f.Name), nil
}

// Raw gives the bytes in the archive as they are, checking nothing.
func (f *File) Raw() *io.SectionReader {
	return io.NewSectionReader(f.archive.r, f.archive.heap+f.data.offset, f.data.length)
}

// byteReader reads byte by byte where it must, so that decompressors take no
// more than is theirs.
type byteReader struct{ io.Reader }

func (r byteReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r.Reader, b[:])
	return b[0], err
}

// exactReader gives exactly the announced number of bytes, and lets nothing
// follow them, plain or packed.
type exactReader struct {
	file       *File
	plain, raw io.Reader
	left       int64
}

func (r *exactReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, r.end()
	}
	n, err := r.plain.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if errors.Is(err, io.EOF) && r.left > 0 {
		return n, malformed("%.300q is %d bytes short", r.file.Name, r.left)
	}
	if errors.Is(err, io.EOF) {
		return n, nil
	}
	return n, decodeError(r.file.Name, err)
}

// decodeError tells damage from trouble in reading.
func decodeError(name string, err error) error {
	var corrupt flate.CorruptInputError
	var structure bzip2.StructuralError
	if errors.As(err, &corrupt) || errors.As(err, &structure) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, zlib.ErrChecksum) || errors.Is(err, zlib.ErrHeader) || errors.Is(err, zlib.ErrDictionary) {
		return malformed("%.300q: %w", name, err)
	}
	return err
}

func (r *exactReader) end() error {
	for _, rest := range []io.Reader{r.plain, r.raw} {
		n, err := io.CopyN(io.Discard, rest, 1)
		if n > 0 {
			return malformed("%.300q goes on behind its end", r.file.Name)
		}
		if !errors.Is(err, io.EOF) {
			return decodeError(r.file.Name, err)
		}
	}
	return io.EOF
}
