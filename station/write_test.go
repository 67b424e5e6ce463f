package station

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/kit"
	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
	"firstday.dev/templates/usb"
)

// onKitDay is a clock of the time when the kits of the tests are written.
func onKitDay() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }

func folders(dirs ...string) (targets []Target) {
	for _, dir := range dirs {
		targets = append(targets, Target{Name: filepath.Base(dir), Folder: dir})
	}
	return targets
}

// put writes to one folder, and gives what became of it.
func put(t *testing.T, s *Stick, dir string, o WriteOptions) *Result {
	t.Helper()
	o.now = onKitDay
	run, err := s.Write(t.Context(), folders(dir), o)
	if run == nil || len(run.Sticks) != 1 {
		t.Fatal(err)
	}
	r := run.Sticks[0]
	if (err == nil) != r.Outcome.Good() || err != nil && !errors.Is(err, ErrSticks) {
		t.Errorf("%s, and the error is %v", r.Outcome, err)
	}
	return r
}

// holds compares a tree with what should lie on the stick.
func holds(s *Stick, got fs.FS) error {
	for _, f := range s.list() {
		data, err := fs.ReadFile(got, f.Path)
		if err != nil {
			return err
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(data)); sum != f.SHA256 {
			return fmt.Errorf("%s has the SHA-256 %s", f.Path, sum)
		}
	}
	info, err := fs.Stat(got, usb.LogsFolder)
	if err == nil && !info.IsDir() {
		err = errors.New("logs is no folder")
	}
	if _, there := fs.Stat(got, fat32.IncompleteFile); err == nil && there == nil {
		err = errors.New("it says it is incomplete")
	}
	return err
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// What is written once is unchanged then, and only what differs is written again.
func TestFolderIsWrittenAndRepaired(t *testing.T) {
	s := open(t, buildKit(t, kit.Windows, kit.MacOS))
	dir := t.TempDir()
	r := put(t, s, dir, WriteOptions{})
	if r.Outcome != Written || r.Files != len(s.files) || r.ReadBack == "" || r.Bytes == 0 {
		t.Errorf("%+v", r)
	}
	if err := holds(s, os.DirFS(dir)); err != nil {
		t.Error(err)
	}
	if r := put(t, s, dir, WriteOptions{}); r.Outcome != Unchanged || r.Files != 0 || r.Bytes != 0 {
		t.Errorf("%+v", r)
	}
	log := filepath.Join(dir, usb.LogsFolder, "C02.log")
	for name, spoil := range map[string]func() error{
		"a flipped byte": func() error { return flip(filepath.Join(dir, "Muller-Sohne.ppkg")) },
		"shorter":        func() error { return os.Truncate(filepath.Join(dir, "Muller-Sohne.ppkg"), 10) },
		"gone":           func() error { return os.Remove(filepath.Join(dir, "Muller-Sohne.ppkg")) },
	} {
		if err := errors.Join(spoil(), os.WriteFile(log, []byte("done"), 0o600)); err != nil {
			t.Fatal(err)
		}
		r := put(t, s, dir, WriteOptions{})
		if r.Outcome != Repaired || r.Files != 1 {
			t.Errorf("%s: %+v", name, r)
		}
		if err := holds(s, os.DirFS(dir)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The marker alone, a folder that is missing, the rest of a writing that was cut
	// off.
	for name, spoil := range map[string]func() error{
		"marked":    func() error { return os.WriteFile(filepath.Join(dir, fat32.IncompleteFile), nil, 0o600) },
		"leftover":  func() error { return os.WriteFile(filepath.Join(dir, temporary(3)), []byte("half"), 0o600) },
		"signature": func() error { return flip(filepath.Join(dir, kit.SignatureFile)) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if r := put(t, s, dir, WriteOptions{}); r.Outcome != Repaired {
			t.Errorf("%s: %+v", name, r)
		}
		if err := holds(s, os.DirFS(dir)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text, err := os.ReadFile(log); string(text) != "done" {
		t.Errorf("the log: %q, %v", text, err)
	}
	want := []string{usb.LogsFolder}
	for _, f := range s.list() {
		if name, _, _ := strings.Cut(f.Path, "/"); !slices.Contains(want, name) {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, names(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// A newer kit of the organisation takes the place of an older one. What is not ours
// stays, and keeps others away.
func TestWhatIsOnTheStickAlready(t *testing.T) {
	older := open(t, buildKit(t, kit.Windows, kit.MacOS))
	s := open(t, buildKit(t, kit.Windows))
	dir := t.TempDir()
	put(t, older, dir, WriteOptions{})
	r := put(t, s, dir, WriteOptions{})
	if err := holds(s, os.DirFS(dir)); err != nil || !hasProblem(r, "stale") {
		t.Errorf("%v, %+v", err, r)
	}
	for _, name := range []string{"Muller-Sohne.pkg", usb.RunFile, firstBoot} {
		if !slices.Contains(r.Removed, name) || slices.Contains(names(t, dir), name) {
			t.Errorf("%s was not removed: %v", name, r.Removed)
		}
	}
	for check, c := range map[string]struct {
		name  string
		fatal bool
	}{
		"second-package":    {"Other.PPKG", true},
		"package-in-folder": {"more/Other.ppkg", false},
		"foreign":           {"notes.txt", false},
		"in-the-way":        {"README.html/", true},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, filepath.FromSlash(c.name))
		var err error
		if strings.HasSuffix(c.name, "/") {
			err = os.Mkdir(path, 0o755)
		} else {
			err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("precious"), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
		r := put(t, s, dir, WriteOptions{})
		if !hasProblem(r, check) || r.Outcome.Good() == c.fatal || c.fatal && (!errors.Is(r.Err(), ErrPreflight) || len(names(t, dir)) != 1 || r.Hint == "") {
			t.Errorf("%s: %+v, and there are %v", check, r, names(t, dir))
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: %v", check, err)
		}
		log := filepath.Join(dir, usb.LogsFolder, "x.log")
		if err := errors.Join(os.MkdirAll(filepath.Dir(log), 0o755), os.WriteFile(log, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		r = put(t, s, dir, WriteOptions{Clean: true})
		if err := holds(s, os.DirFS(dir)); err != nil || !r.Outcome.Good() || len(r.Removed) != 1 {
			t.Errorf("%s: %v, %+v", check, err, r)
		}
		if _, err := os.Stat(log); err != nil {
			t.Error(err)
		}
	}
}

func hasProblem(r *Result, check string) bool {
	return slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Check == check })
}

// A file of an older kit that somebody changed may be their only copy.
func TestChangedFilesOfAnOldKitStay(t *testing.T) {
	s, dir := open(t, buildKit(t, kit.Windows)), t.TempDir()
	put(t, open(t, buildKit(t, kit.MacOS)), dir, WriteOptions{})
	page := filepath.Join(dir, kit.MacInstructionsFile)
	if err := os.WriteFile(page, []byte("my notes"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := put(t, s, dir, WriteOptions{})
	if text, err := os.ReadFile(page); r.Outcome != Repaired && r.Outcome != Written || string(text) != "my notes" || err != nil || !hasProblem(r, "foreign") {
		t.Errorf("%+v, %q, %v", r, text, err)
	}
}

// Links lead nowhere: neither is anything written through them nor removed.
func TestLinksOnAStickAreNotFollowed(t *testing.T) {
	s, outside := open(t, buildKit(t, kit.Windows, kit.MacOS)), t.TempDir()
	precious := filepath.Join(outside, "precious")
	for _, name := range []string{"README.html", firstBoot, usb.LogsFolder, fat32.IncompleteFile} {
		dir := t.TempDir()
		target := precious
		if name == firstBoot || name == usb.LogsFolder {
			target = outside
		}
		if err := errors.Join(os.WriteFile(precious, []byte("precious"), 0o600), os.Symlink(target, filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
		if r := put(t, s, dir, WriteOptions{}); !hasProblem(r, "in-the-way") || r.Outcome != Failed {
			t.Errorf("%s: %+v", name, r)
		}
		r := put(t, s, dir, WriteOptions{Clean: true})
		if err := holds(s, os.DirFS(dir)); err != nil || r.Outcome != Written {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
		if text, err := os.ReadFile(precious); string(text) != "precious" || len(names(t, outside)) != 1 {
			t.Errorf("%s: %q, %v, %v", name, text, err, names(t, outside))
		}
	}
}

// Of two technicians one is told to wait.
func TestTwoTechnicians(t *testing.T) {
	s, dir := open(t, buildKit(t, kit.Windows)), t.TempDir()
	o := WriteOptions{now: onKitDay}
	second := make(chan *Result, 1)
	o.Event = func(e Event) {
		if e.Phase == Reading && e.Done == 0 {
			select {
			case second <- put(t, s, dir, WriteOptions{}):
			default:
			}
		}
	}
	run, err := s.Write(t.Context(), folders(dir), o)
	if err != nil || run.Sticks[0].Outcome != Written {
		t.Errorf("the first: %v, %+v", err, run.Sticks[0])
	}
	if r := <-second; r.Outcome != Failed || !errors.Is(r.Err(), media.ErrBusy) {
		t.Errorf("the second: %+v", r)
	}
	if err := holds(s, os.DirFS(dir)); err != nil {
		t.Error(err)
	}
}

// What is wrong with the kit is said before any stick is touched.
func TestKitsThatAreNotWritten(t *testing.T) {
	s, dir := open(t, buildKit(t, kit.Windows)), t.TempDir()
	end := onKitDay()
	s.Manifest.ExpiresAt = &end
	for name, c := range map[string]struct {
		now   time.Time
		force bool
		check string
		good  bool
	}{
		"ended":  {onKitDay(), false, "key-ended", false},
		"forced": {onKitDay(), true, "key-ended", true},
		"ends":   {onKitDay().Add(-12 * time.Hour), false, "key-ends", true},
		"clock":  {time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), false, "clock", false},
	} {
		run, err := s.Write(t.Context(), folders(dir), WriteOptions{Force: c.force, now: func() time.Time { return c.now }})
		if len(run.Problems) != 1 || run.Problems[0].Check != c.check || (err == nil) != c.good || !c.good && !errors.Is(err, ErrPreflight) {
			t.Errorf("%s: %v, %+v", name, err, run.Problems)
		}
		if left := names(t, dir); len(left) > 0 != c.good {
			t.Errorf("%s: %v", name, left)
		}
		os.RemoveAll(dir)
		os.Mkdir(dir, 0o755)
	}
	s.Manifest.ExpiresAt = nil
	s.Manifest.Packages[0].Signer = &kit.Signer{NotAfter: end}
	for now, want := range map[time.Time]int{onKitDay(): 1, onKitDay().Add(-24 * time.Hour): 1, onKitDay().Add(-30 * 24 * time.Hour): 0} {
		s.Manifest.Created = now
		if p := s.problems(WriteOptions{now: func() time.Time { return now }}); len(p) != want || want > 0 && p[0].Check != "certificate" {
			t.Errorf("%s: %+v", now, p)
		}
	}
}

// A folder that is not there, twice the same, none at all.
func TestOddTargets(t *testing.T) {
	s, dir := open(t, buildKit(t, kit.Windows)), t.TempDir()
	if r := put(t, s, filepath.Join(dir, "missing"), WriteOptions{}); r.Outcome != Failed || !errors.Is(r.Err(), fs.ErrNotExist) {
		t.Errorf("%+v", r)
	}
	run, err := s.Write(t.Context(), nil, WriteOptions{now: onKitDay})
	if err != nil || len(run.Sticks) != 0 {
		t.Errorf("%v, %+v", err, run)
	}
	run, err = s.Write(t.Context(), folders(dir, dir), WriteOptions{now: onKitDay})
	if run.Good() != 1 || !errors.Is(err, ErrSticks) {
		t.Errorf("%v, %+v", err, run)
	}
	refused := []Target{{Name: "sda", Format: true, Disk: &media.Disk{Name: "sda", Refusal: "the system is on it"}}, {Name: "nothing"}, {Name: "nothing", Format: true}}
	run, err = s.Write(t.Context(), refused, WriteOptions{now: onKitDay})
	if run.Good() != 0 || !errors.Is(err, ErrSticks) || !hasProblem(run.Sticks[0], "refused") || !errors.Is(run.Sticks[1].Err(), media.ErrNotMounted) || run.Sticks[2].Outcome != Failed {
		t.Errorf("%v, %+v, %+v", err, run.Sticks[0], run.Sticks[1])
	}
}

// What is known of a stick speaks against it before anything is written.
func TestPreflightOfSticks(t *testing.T) {
	s, dir := open(t, buildKit(t, kit.Windows)), t.TempDir()
	disk := &media.Disk{Name: "firstday-test-stick", Size: 200e9, Volumes: []media.Volume{{FileSystem: "ntfs", Label: "BACKUP", Mounts: []string{dir}}}}
	run, err := s.Write(t.Context(), []Target{{Name: "sdb", Folder: dir, Disk: disk}}, WriteOptions{Repair: true, now: onKitDay})
	r := run.Sticks[0]
	if !errors.Is(err, ErrSticks) || !errors.Is(r.Err(), ErrPreflight) || r.Outcome != Failed || len(names(t, dir)) > 0 {
		t.Errorf("%v, %+v", err, r)
	}
	for _, want := range []string{"large", "label", "no-kit", "file-system"} {
		if !hasProblem(r, want) {
			t.Errorf("%s is not among %+v", want, r.Problems)
		}
	}
	if r := put(t, s, dir, WriteOptions{}); r.Outcome != Written {
		t.Errorf("%+v", r)
	}
	if r := put(t, s, dir, WriteOptions{Repair: true}); r.Outcome != Unchanged {
		t.Errorf("%+v", r)
	}
}

// What macOS notes beside our files is no second package.
func TestAppleDouble(t *testing.T) {
	s, dir := open(t, buildKit(t, kit.Windows)), t.TempDir()
	note := filepath.Join(dir, "._Muller-Sohne.ppkg")
	if err := os.WriteFile(note, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := put(t, s, dir, WriteOptions{}); r.Outcome != Written {
		t.Errorf("%+v", r)
	}
	if _, err := os.Lstat(note); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := os.WriteFile(note, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f := verify(t, folderOf(t, dir), s, kit.VerifyOptions{}); !f.OK {
		t.Error(f.Err())
	}
}
