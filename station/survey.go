package station

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"firstday.dev/kit"
	"firstday.dev/station/fat32"
	"firstday.dev/templates/usb"
)

// survey is what lies on a stick that is mounted.
type survey struct {
	sizes     map[string]int64 // of the files that bear the names of ours
	folders   map[string]bool  // ours that are there
	remove    []string         // what has no place there
	removed   int64            // bytes of that
	leftovers []string         // of a writing that was cut off
	left      int64            // bytes of those
	marker    bool
	noMarker  bool // what bears its name is none
	tight     bool // there is room only once the old files are gone
}

// What is looked at on a stick that may be anybody's.
const (
	maxEntries = 20_000
	maxFolders = 4 // in each other
)

// fold makes names equal that are one name to FAT.
func fold(name string) string { return strings.ToUpper(name) }

// volume is what the system says of where a folder is.
type volume struct {
	fileSystem string // as we call it; "": unknown
	free       int64  // bytes
	block      int64  // what files take a multiple of, bytes
	readOnly   bool
	root       bool // the folder is all of a volume
}

// goodFileSystems are those of which Windows and Macs both take packages.
var goodFileSystems = []string{"vfat", "exfat"}

func (m *mounted) lookAtVolume() (volume, error) {
	if err := m.beat(); err != nil {
		return volume{}, err
	}
	v, err := volumeOf(m.folder)
	if err != nil {
		return v, err
	}
	if d := m.target.Disk; d != nil {
		m.large(d.Size)
		for _, known := range d.Volumes {
			if !slices.Contains(known.Mounts, m.folder) {
				continue
			}
			v.fileSystem = cmp.Or(v.fileSystem, known.FileSystem)
			if known.Label != m.Label {
				m.problem("label", fmt.Sprintf("its volume is called %q, and README.html says %s", known.Label, m.Label))
			}
		}
	}
	if v.readOnly {
		m.problem("read-only", "it is mounted read-only, or write-protected")
	}
	switch stick := v.root || m.target.Disk != nil; {
	case slices.Contains(goodFileSystems, v.fileSystem) && stick:
	case slices.Contains(goodFileSystems, v.fileSystem):
		m.problem("not-root", "it is a folder on a stick, not its root, where Windows looks")
	case stick && v.fileSystem != "":
		m.problem("file-system", "it has "+v.fileSystem+"; Windows takes packages from FAT32 and exFAT, and Macs must write their logs")
	default:
		m.problem("no-stick", "it is a folder on "+cmp.Or(v.fileSystem, "an unknown file system")+", and no stick that systems take packages from")
	}
	return v, nil
}

var leftover = regexp.MustCompile(`^firstday-\d{4,}\.tmp$`)

// survey lists a stick. Links are never followed.
func (m *mounted) survey() (*survey, error) {
	s := &survey{sizes: make(map[string]int64), folders: make(map[string]bool)}
	ours := make(map[string]string) // by what is one name to FAT
	for _, f := range m.files {
		ours[fold(f.Path)] = f.Path
	}
	for name := range m.dirs {
		ours[fold(name)] = name
	}
	foreign := make(map[string]int64)
	var inFolders, inTheWay []string
	count := 0
	err := fs.WalkDir(m.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, m.beat()); err != nil || name == "." {
			return err
		}
		// Of other people's folders some is enough.
		if _, ours := m.dirs[path.Dir(name)]; !ours {
			if count++; count > maxEntries {
				return fs.SkipDir
			}
		}
		size := int64(0)
		if info, err := d.Info(); err == nil {
			size = info.Size()
		}
		our, isOurs := ours[fold(name)]
		_, isFolder := m.dirs[our]
		switch {
		case name == usb.LogsFolder && d.IsDir():
			s.folders[name] = true
			return fs.SkipDir // whatever is there stays
		case isOurs && m.isOne(our, name) && isFolder == d.IsDir() && (isFolder || d.Type().IsRegular()):
			if isFolder {
				s.folders[our] = true
			} else {
				s.sizes[our] = size
			}
			return nil
		case isOurs && m.isOne(our, name):
			inTheWay = append(inTheWay, name)
		case name == fat32.IncompleteFile && d.Type().IsRegular():
			s.marker = true
			return nil
		case name == fat32.IncompleteFile:
			s.noMarker = true
			inTheWay = append(inTheWay, name)
		case name == kit.SignatureFile && d.Type().IsRegular(): // it would judge the new checksums
			s.remove, s.removed = append(s.remove, name), s.removed+size
			return nil
		case leftover.MatchString(name) && d.Type().IsRegular():
			s.leftovers, s.left = append(s.leftovers, name), s.left+size
			return nil
		case m.isAppleDouble(name):
			s.remove, s.removed = append(s.remove, name), s.removed+size
			return nil
		case ofSystems(path.Base(name)) && !isPackage(name):
		case strings.Contains(name, "/") && isPackage(name):
			inFolders = append(inFolders, name)
		case !strings.Contains(name, "/") || m.dirs[path.Dir(name)] != nil || path.Dir(name) == firstBoot:
			foreign[name] = size
		}
		if d.IsDir() && (ofSystems(path.Base(name)) || strings.Count(name, "/") >= maxFolders) {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking at what is on it: %w", err)
	}
	m.judge(s, foreign, inFolders, inTheWay)
	return s, nil
}

// isAppleDouble says whether macOS keeps there what it notes of a file of ours. Its
// name ends as that of the file does.
func (m *mounted) isAppleDouble(name string) bool {
	of, ok := strings.CutPrefix(path.Base(name), "._")
	return ok && m.Stick.files[path.Join(path.Dir(name), of)] != nil
}

// isOne says whether two names are one file.
func (m *mounted) isOne(our, name string) bool {
	if our == name {
		return true
	}
	a, err := m.root.Lstat(our)
	if err != nil {
		return false
	}
	b, err := m.root.Lstat(name)
	return err == nil && os.SameFile(a, b)
}

// judge says what becomes of what is not ours.
func (m *mounted) judge(s *survey, foreign map[string]int64, inFolders, inTheWay []string) {
	if m.options.Repair && !s.marker && s.sizes[kit.SumsFile]+s.sizes[kit.ManifestFile] == 0 {
		m.problem("no-kit", "there is no kit on it that could be repaired")
	}
	if stale := m.staleKit(foreign); len(stale) > 0 {
		m.problem("stale", "another kit of "+m.Manifest.Organisation+" is on it and is replaced")
		for _, name := range stale {
			s.remove, s.removed = append(s.remove, name), s.removed+foreign[name]
			delete(foreign, name)
		}
	}
	names := slices.Sorted(maps.Keys(foreign))
	if m.options.Clean {
		for _, name := range append(names, inTheWay...) {
			if name == fat32.IncompleteFile { // goes at once, and the marker takes its place
				continue
			}
			s.remove, s.removed = append(s.remove, name), s.removed+foreign[name]
		}
		return
	}
	packages := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !isPackage(n) || strings.Contains(n, "/") })
	others := slices.DeleteFunc(names, func(n string) bool { return slices.Contains(packages, n) })
	for _, found := range []struct {
		check, reason string
		names         []string
	}{
		{"second-package", "another package is in its root: %s", packages},
		{"in-the-way", "what bears the name of ours is no file or folder as ours is: %s", inTheWay},
		{"package-in-folder", "a package is in a folder, where no system looks: %s", inFolders},
		{"foreign", "it holds what is not ours: %s", others},
	} {
		if len(found.names) > 0 {
			m.problem(found.check, fmt.Sprintf(found.reason, list(found.names)))
		}
	}
}

// list names the first of many.
func list(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// staleKit finds the files of an earlier kit of the same organisation, which are
// still as they were written. Any other file may be somebody's only copy.
func (m *mounted) staleKit(foreign map[string]int64) (stale []string) {
	ctx := context.Background() // beat ends it
	sums, err := m.readSmall(ctx, kit.SumsFile, maxSums)
	if err != nil {
		return nil
	}
	listed, err := kit.ParseSums(sums)
	if err != nil {
		return nil
	}
	data, err := m.readSmall(ctx, kit.ManifestFile, maxManifest)
	if err != nil || sha256Hex(data) != listed[kit.ManifestFile] {
		return nil
	}
	old, err := kit.ReadManifest(bytes.NewReader(data))
	if err != nil || old.Organisation != m.Manifest.Organisation {
		return nil
	}
	if beside, err := m.readSmall(ctx, usb.SumsFile, maxSums); err == nil {
		maps.Copy(listed, parseStickSums(beside))
	}
	for _, name := range slices.Sorted(maps.Keys(foreign)) {
		want := File{Path: name, Size: foreign[name], SHA256: listed[name]}
		if want.SHA256 != "" && m.compare(ctx, name, want) == nil {
			stale = append(stale, name)
		}
	}
	return withFolder(stale, foreign)
}

// firstBoot is a folder that sticks for Windows alone do not have.
var firstBoot = path.Dir(usb.FirstBootInstallFile)

// withFolder adds the folder of which everything goes.
func withFolder(stale []string, foreign map[string]int64) []string {
	if _, there := foreign[firstBoot]; !there {
		return stale
	}
	for name := range foreign {
		if path.Dir(name) == firstBoot && !slices.Contains(stale, name) {
			return stale
		}
	}
	if slices.ContainsFunc(stale, func(name string) bool { return path.Dir(name) == firstBoot }) {
		stale = append(stale, firstBoot)
	}
	return stale
}

func (m *mounted) lookForRoom(v volume) {
	block := max(v.block, 1)
	up := func(n int64) int64 { return (n + block - 1) / block * block }
	need := up(1) + 2*up(4096) // the marker, folders
	var old int64
	for i, f := range m.files {
		if m.wants[i] {
			need += up(f.Size)
			old += m.state.sizes[f.Path]
		}
	}
	free := v.free + m.state.left
	if need <= free {
		return
	}
	if m.state.tight = true; need > free+old+m.state.removed {
		m.problem("room", fmt.Sprintf("%s are needed, and %s are free", megabytes(need), megabytes(max(free+old+m.state.removed, 0))))
	}
}

// megabytes gives bytes as sticks are sold.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
