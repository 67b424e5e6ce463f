package pkgbuild

import (
	"io"
	"io/fs"
	"path"
	"strconv"
	"time"

	"github.com/beevik/etree"

	"firstday.dev/pkgbuild/bom"
)

// writeInfo writes PackageInfo with the numbers of the new payload; where they
// are the old ones every byte stays.
func (f *flattener) writeInfo(w io.Writer, name string, s *size) error {
	data, err := readIn(f.dir, name, maxDescription)
	if err != nil {
		return err
	}
	info, err := parsePackageInfo(data)
	if err != nil {
		return err
	}
	if info.HasPayload && info.NumberOfFiles == s.files && info.InstallKBytes == s.kilobytes() {
		_, err = w.Write(data)
		return err
	}
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	if err := doc.ReadFromBytes(data); err != nil {
		return err
	}
	payload := doc.Root().SelectElement("payload")
	if payload == nil {
		payload = doc.Root().CreateElement("payload")
	}
	payload.CreateAttr("numberOfFiles", strconv.Itoa(s.files))
	payload.CreateAttr("installKBytes", strconv.FormatInt(s.kilobytes(), 10))
	_, err = doc.WriteTo(w)
	return err
}

// linkTimes is a folder whose symbolic links are as old as the Bom says: there
// is no way to give one its time that works on all systems.
type linkTimes struct {
	fs.FS
	bom map[string]bom.Entry // by path
}

func (t linkTimes) ReadLink(name string) (string, error)   { return fs.ReadLink(t.FS, name) }
func (t linkTimes) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(t.FS, name) }

func (t linkTimes) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(t.FS, name)
	for i, d := range list {
		was, ok := t.bom[path.Join(name, d.Name())]
		if ok && d.Type() == fs.ModeSymlink && was.Mode&bom.ModeType == bom.ModeSymlink {
			list[i] = timedEntry{d, time.Unix(int64(was.ModTime), 0)}
		}
	}
	return list, err
}

type timedEntry struct {
	fs.DirEntry
	time time.Time
}

func (e timedEntry) Info() (fs.FileInfo, error) {
	info, err := e.DirEntry.Info()
	if err != nil {
		return nil, err
	}
	return timedInfo{info, e.time}, nil
}

type timedInfo struct {
	fs.FileInfo
	time time.Time
}

func (i timedInfo) ModTime() time.Time { return i.time }
