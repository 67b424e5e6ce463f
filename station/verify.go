package station

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"firstday.dev/kit"
	"firstday.dev/station/fat32"
	"firstday.dev/templates/usb"
)

// ErrIncomplete: a stick says itself that it is not complete.
var ErrIncomplete = errors.New("it is not complete")

// Findings are how a stick differs from what it should be.
type Findings struct {
	OK           bool     `json:"ok"`
	Stick        string   `json:"stick"`
	Label        string   `json:"label,omitempty"`
	KitID        string   `json:"kitId,omitempty"`
	Organisation string   `json:"organisation,omitempty"`
	ReadBack     string   `json:"readBack,omitempty"`
	Incomplete   bool     `json:"incomplete,omitempty"`
	Files        int      `json:"files"` // that are as they should be
	Missing      []string `json:"missing,omitempty"`
	Changed      []string `json:"changed,omitempty"`
	Foreign      []string `json:"foreign,omitempty"`
	// Packages are those of the foreign files in the root that systems would take.
	Packages []string    `json:"packages,omitempty"`
	Checks   []kit.Check `json:"checks,omitempty"` // of who vouches for the checksums
	Warnings []string    `json:"warnings,omitempty"`

	errs []error
}

// Err joins what is wrong; nil if nothing is. Files that are not ours and no
// packages are nothing wrong.
func (f *Findings) Err() error { return errors.Join(f.errs...) }

func (f *Findings) fail(err error) { f.errs = append(f.errs, err) }

// Verify compares the stick with a kit, or, where s is nil, with the checksums that
// lie on it; who signed these is judged as the options say. What is wrong is in the
// Findings; the error says that the stick could not be read.
func (c *Contents) Verify(ctx context.Context, s *Stick, o kit.VerifyOptions) (*Findings, error) {
	f := &Findings{Stick: c.Name, Label: c.Label}
	if _, err := fs.Stat(c, fat32.IncompleteFile); err == nil || c.Label == fat32.IncompleteLabel {
		f.Incomplete = true
		f.fail(ErrIncomplete)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var want []File
	if s != nil {
		want, f.KitID, f.Organisation = s.list(), fmt.Sprintf("%x", s.KitID), s.Manifest.Organisation
	} else {
		var err error
		if want, err = c.listed(ctx, f, o); err != nil {
			return nil, err
		}
	}
	var total, done int64
	for _, w := range want {
		total += max(w.Size, 0)
	}
	for _, w := range want {
		if err := c.compare(ctx, f, w); err != nil {
			return nil, err
		}
		if done += max(w.Size, 0); o.Progress != nil {
			o.Progress("comparing", done, total)
		}
	}
	if err := c.findForeign(ctx, f, want); err != nil {
		return nil, err
	}
	f.ReadBack = c.ReadBack
	f.OK = f.Err() == nil
	return f, nil
}

// listed are the files that the checksums on the stick name.
func (c *Contents) listed(ctx context.Context, f *Findings, o kit.VerifyOptions) ([]File, error) {
	sums, err := c.readSmall(kit.SumsFile, maxSums)
	if errors.Is(err, fs.ErrNotExist) {
		if !f.Incomplete {
			f.fail(fmt.Errorf("%w: it has no %s", kit.ErrNotAKit, kit.SumsFile))
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p7s, err := c.readSmall(kit.SignatureFile, maxSignature)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	v := kit.VerifySums(ctx, sums, p7s, o)
	f.Checks, f.Warnings = v.Checks, v.Warnings
	if err := v.Err(); err != nil {
		f.fail(err)
	}
	if v.Sums == nil {
		return nil, nil
	}
	f.KitID = fmt.Sprintf("%x", sha256.Sum256(sums))
	listed, err := kit.ParseSums(sums)
	if err != nil {
		return nil, err
	}
	if data, err := c.readSmall(kit.ManifestFile, maxManifest); err == nil && sha256Hex(data) == listed[kit.ManifestFile] {
		if m, err := kit.ReadManifest(bytes.NewReader(data)); err == nil {
			f.Organisation = m.Organisation
		}
	}
	c.addBeside(f, listed, o.RequireSignature)
	var want []File
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		info, err := fs.Stat(c, name)
		size := int64(-1) // it is found missing, or unreadable, when it is compared
		if err == nil {
			size = info.Size()
		}
		want = append(want, File{name, size, listed[name]})
	}
	return want, nil
}

// addBeside adds what the station puts beside a kit. Nobody signs that: the scripts
// must be those that this program would write. They run as root on Macs, so that
// others are no good where somebody has to vouch for the stick.
func (c *Contents) addBeside(f *Findings, listed map[string]string, vouched bool) {
	beside, err := c.readSmall(usb.SumsFile, maxSums)
	if err != nil {
		f.Missing = append(f.Missing, usb.SumsFile)
		f.fail(fmt.Errorf("%s: %w", usb.SumsFile, err))
		return
	}
	ours := map[string]string{usb.RunFile: usb.Run, usb.FirstBootInstallFile: usb.FirstBootInstall, usb.FirstBootDaemonFile: usb.FirstBootDaemon}
	sums := parseStickSums(beside)
	for name, script := range ours {
		sum := sha256Hex([]byte(script))
		if _, err := fs.Stat(c, name); sums[name] == "" && err == nil {
			sums[name] = sum
		}
		if sums[name] != "" && sums[name] != sum {
			f.Warnings = append(f.Warnings, name+" is not the one this firstday writes: another version wrote it, or somebody changed it; compare with the kit")
			if vouched {
				sums[name] = sum
			}
		}
	}
	maps.Copy(listed, sums)
}

// compare reads one file.
func (c *Contents) compare(ctx context.Context, f *Findings, want File) error {
	file, err := c.Open(want.Path)
	if errors.Is(err, fs.ErrNotExist) {
		f.Missing = append(f.Missing, want.Path)
		f.fail(fmt.Errorf("%s: %w: it is missing", want.Path, kit.ErrIntegrity))
		return nil
	}
	if err == nil {
		defer file.Close()
		if err = checkSize(file, want.Size); err == nil {
			var sum string
			sum, err = sumAligned(file, want.Size, func(int) error { return ctx.Err() })
			if err == nil && sum != want.SHA256 {
				err = fmt.Errorf("%w: its SHA-256 is %s", kit.ErrIntegrity, sum)
			}
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		f.Changed = append(f.Changed, want.Path)
		f.fail(fmt.Errorf("%s: %w", want.Path, err))
		return nil
	}
	f.Files++
	return nil
}

// findForeign lists what is on the stick and not of it.
func (c *Contents) findForeign(ctx context.Context, f *Findings, want []File) error {
	ours := map[string]bool{fold(fat32.IncompleteFile): true, fold(kit.SumsFile): true, fold(kit.SignatureFile): true, fold(usb.SumsFile): true}
	for _, w := range want {
		ours[fold(w.Path)] = true
	}
	count := 0
	err := fs.WalkDir(c, ".", func(name string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if strings.Contains(name, "/") { // of other people's folders some is enough
			if count++; count > maxEntries {
				return fs.SkipDir
			}
		}
		switch {
		case d.IsDir() && name != "." && (name == usb.LogsFolder || ofSystems(path.Base(name)) || strings.Count(name, "/") >= maxFolders):
			return fs.SkipDir
		case d.IsDir() || ours[fold(name)] || ofSystems(path.Base(name)) && !isPackage(name), ours[fold(path.Join(path.Dir(name), strings.TrimPrefix(path.Base(name), "._")))]:
			return nil
		case isPackage(name) && !strings.Contains(name, "/"):
			f.Packages = append(f.Packages, name)
			f.fail(fmt.Errorf("%s: %w: a package that is not of the kit", name, kit.ErrIntegrity))
		default:
			f.Foreign = append(f.Foreign, name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("looking at what is on %s: %w", c.Name, err)
	}
	return nil
}

func (c *Contents) readSmall(name string, most int64) ([]byte, error) {
	file, err := c.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() || info.Size() > most {
		return nil, fmt.Errorf("%s is no file, or larger than %d bytes", name, most)
	}
	var data bytes.Buffer
	err = readAligned(file, info.Size(), func(b []byte) error { data.Write(b); return nil })
	return append([]byte{}, data.Bytes()...), err
}
