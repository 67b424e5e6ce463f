package authdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"firstday.dev/internal/filelock"
)

var (
	// ErrNotRoot: only root may change the database; others would be asked for a
	// password by a dialogue.
	ErrNotRoot = errors.New("only root may change the authorization database")
	// ErrMismatch: what was read back is not what was written.
	ErrMismatch = errors.New("the authorization database holds something else than was written")
	// ErrNotUndone: nor is it what was there before.
	ErrNotUndone = errors.New("what the authorization database held before could not be put back")
)

const folderName = "login-window"

// systemCopy is Apple's own copy of the database.
const systemCopy = "/System/Library/Security/authorization.plist"

// Database is the right in the authorization database of the running macOS.
type Database struct {
	folder   string
	commands Commands

	copy string
	now  func() time.Time
}

// Open changes nothing yet. What the database held before each change will be
// kept in a folder within the agent's folder of data, which must be root's alone.
func Open(data string, c Commands) *Database {
	return &Database{folder: filepath.Join(data, folderName), commands: c, copy: systemCopy, now: time.Now}
}

// Outcome is what became of the database.
type Outcome struct {
	Changed bool
	Verdict Verdict // of what it holds now, as far as that is known
	// Backup is the path of what it held.
	Backup string
	// Unsaved is why there is no backup. Only Disable and Reset go on without.
	Unsaved error
	// Differs: Apple's login window is back, but the list is not exactly what was
	// written; somebody else was at work, or authd left something out. The backup
	// has what was there before.
	Differs bool
	// Rebuilt: macOS's own definition was put there whole. What other products
	// had added is in the backup only.
	Rebuilt bool
	// Why is what made Settle put Apple's login window back.
	Why error
}

// Enable puts our login window in the place of Apple's, if the plug-in is vouched
// for in this moment. If our window is there and the plug-in is not, the error
// says so and nothing is changed: see [Database.Settle].
//
// What is read back must be what was written; if it is not, what was there before
// is put back and the error is an [ErrMismatch]. Other errors are a
// [*ForeignError], a [*DamagedError], the plug-in's, [ErrNotRoot], [ErrRefused],
// [filelock.ErrBusy], or a deadline's.
func (d *Database) Enable(ctx context.Context, p Plugin) (Outcome, error) {
	return d.change(ctx, func(before *Definition) (*Definition, error) {
		after, err := before.Enable()
		if err != nil {
			return nil, err
		}
		return after, p.Loadable(ctx)
	})
}

// Repair makes Apple's login window of a list that is half Apple's and half ours,
// and changes nothing else. Errors are as with Enable.
func (d *Database) Repair(ctx context.Context) (Outcome, error) {
	return d.change(ctx, (*Definition).Repair)
}

func (d *Database) change(ctx context.Context, to func(*Definition) (*Definition, error)) (Outcome, error) {
	if !d.commands.Root() {
		return Outcome{}, ErrNotRoot
	}
	lock, err := d.lock(ctx, patience)
	if err != nil {
		return Outcome{}, err
	}
	defer lock.Close()
	before, err := d.Read(ctx)
	if err != nil {
		return Outcome{}, err
	}
	o := Outcome{Verdict: before.Judge()}
	after, err := to(before)
	if err != nil || after == before {
		return o, err
	}
	if o.Backup, err = d.backUp(before); err != nil {
		return o, err
	}
	if err := ctx.Err(); err != nil {
		return o, err
	}
	ctx = context.WithoutCancel(ctx) // what is begun is ended
	got, err := d.put(ctx, after)
	if err != nil {
		return d.undo(ctx, o, before, got, err)
	}
	o.Changed, o.Verdict = true, got.Judge()
	return o, nil
}

// put writes a definition and reads back what is there then, nil if that fails.
func (d *Database) put(ctx context.Context, def *Definition) (*Definition, error) {
	writing := d.write(ctx, def)
	got, reading := d.Read(ctx)
	if reading != nil {
		return nil, errors.Join(writing, reading)
	}
	if got.holds(def) && got.Judge().State == def.Judge().State {
		return got, nil // whatever was said about writing it
	}
	if writing != nil {
		return got, writing
	}
	return got, ErrMismatch
}

// undo puts back what was there before. If that fails, and nobody could log in
// with what is there, macOS's own definition has to do.
func (d *Database) undo(ctx context.Context, o Outcome, before, got *Definition, why error) (Outcome, error) {
	if got != nil && got.holds(before) && before.holds(got) {
		return o, why // nothing was changed
	}
	got, err := d.put(ctx, before)
	if err == nil {
		o.Verdict = got.Judge()
		return o, fmt.Errorf("%w; what was there before is back", why)
	}
	why = errors.Join(why, fmt.Errorf("%w: %w", ErrNotUndone, err))
	if got != nil {
		o.Changed, o.Verdict = true, got.Judge()
		if o.Verdict.State != Damaged {
			return o, why
		}
	}
	o, err = d.rebuild(ctx, o)
	return o, errors.Join(why, err)
}

// Disable puts Apple's login window back, and asks for nothing: no plug-in, no
// backup, no lock that somebody holds for long, no list in order. If macOS does
// not take it, macOS's own definition is put there whole. When the error is nil,
// the database does not name our plug-in.
func (d *Database) Disable(ctx context.Context) (Outcome, error) {
	if !d.commands.Root() {
		return Outcome{}, ErrNotRoot
	}
	if lock, err := d.lock(ctx, patience/4); err == nil {
		defer lock.Close()
	}
	text, before, err := d.read(ctx)
	if err != nil && !namesUs(text) {
		return Outcome{}, err
	}
	if err != nil { // it cannot be changed where it must be, only replaced
		o := Outcome{Verdict: Verdict{State: Damaged, NeedsBundle: true}}
		o.Backup, o.Unsaved = d.backUp(&Definition{text: text})
		return d.rebuild(context.WithoutCancel(ctx), o)
	}
	o := Outcome{Verdict: before.Judge()}
	after := before.Disable()
	if after == before {
		return o, nil
	}
	o.Backup, o.Unsaved = d.backUp(before)
	ctx = context.WithoutCancel(ctx)
	got, err := d.put(ctx, after)
	switch {
	case got == nil || got.Judge().NeedsBundle || err != nil && got.Judge().State == Damaged:
		if errors.Is(err, ErrRefused) { // and so it would be
			return o, err
		}
		return d.rebuild(ctx, o)
	default: // or what somebody else wrote in the same moment
		o.Changed, o.Verdict, o.Differs = true, got.Judge(), err != nil
		return o, nil
	}
}

// Reset puts macOS's own definition there whole: from its own copy of the
// database or, if that cannot be read, as it was recorded for this version. It is
// the last resort, for it takes out what other products have added.
func (d *Database) Reset(ctx context.Context) (Outcome, error) {
	if !d.commands.Root() {
		return Outcome{}, ErrNotRoot
	}
	if lock, err := d.lock(ctx, patience/4); err == nil {
		defer lock.Close()
	}
	text, before, err := d.read(ctx)
	o := Outcome{Verdict: Verdict{State: Damaged}}
	if err == nil {
		o.Verdict = before.Judge()
	}
	o.Unsaved = err
	if len(text) > 0 {
		o.Backup, o.Unsaved = d.backUp(&Definition{text: text})
	}
	return d.rebuild(context.WithoutCancel(ctx), o)
}

func (d *Database) rebuild(ctx context.Context, o Outcome) (Outcome, error) {
	def, err := d.appleDefinition(ctx)
	if err != nil {
		return o, err
	}
	got, err := d.put(ctx, def)
	if err == nil {
		o.Rebuilt = true
	}
	if got != nil {
		o.Changed, o.Verdict = true, got.Judge()
	}
	return o, err
}

func (d *Database) appleDefinition(ctx context.Context) (*Definition, error) {
	def, err := d.fromSystem(ctx)
	if err == nil {
		return def, nil
	}
	major, noVersion := d.major(ctx)
	if noVersion != nil {
		return nil, errors.Join(err, noVersion)
	}
	def, noDefault := Default(major)
	if noDefault != nil {
		return nil, errors.Join(err, noDefault)
	}
	return def, nil
}

func (d *Database) fromSystem(ctx context.Context) (*Definition, error) {
	data, err := readBounded(d.copy, maxCopy)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(data, []byte("bplist")) {
		if data, err = d.run(ctx, data, plutil, "-convert", "xml1", "-o", "-", "-"); err != nil {
			return nil, err
		}
	}
	return FromSystem(data)
}

// major is the version of macOS.
func (d *Database) major(ctx context.Context) (int, error) {
	out, err := d.run(ctx, nil, swVers, "-productVersion")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return 0, fmt.Errorf("%s says %.40q", swVers, out)
	}
	return n, nil
}

// read gives the text, too, if that is all that can be had.
func (d *Database) read(ctx context.Context) ([]byte, *Definition, error) {
	text, err := d.run(ctx, nil, security, "authorizationdb", "read", right)
	if err != nil {
		return nil, nil, err
	}
	def, err := Parse(text)
	return text, def, err
}

// namesUs tells whether a text that cannot be understood may name our plug-in.
func namesUs(text []byte) bool {
	return bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(plugin)))
}

// lock keeps two of us from changing the database at once.
func (d *Database) lock(ctx context.Context, wait time.Duration) (io.Closer, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := d.makeFolder(); err != nil {
		return nil, err
	}
	for {
		f, err := filelock.Open(filepath.Join(d.folder, "lock"))
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, filelock.ErrBusy) {
			return nil, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, err
}
