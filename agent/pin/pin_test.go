//go:build linux

package pin

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"firstday.dev/agent/devicekey"
	"firstday.dev/api"
	"firstday.dev/internal/testtpm"
)

var (
	ann      = User{"ann", "S-1-5-21-1-2-3-1001"}
	ben      = User{"ben", "S-1-5-21-1-2-3-1002"}
	password = []byte("correct horse battery ✓")
	right    = []byte("482915")
	wrong    = []byte("482916")
)

// flock locks a file as the agent's systems do on Unix.
func flock(path string) func(context.Context) (func() error, error) {
	return func(context.Context) (func() error, error) {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		for {
			if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
				return f.Close, err
			}
		}
	}
}

// desk is a device with a TPM as Windows sets it up.
type desk struct {
	*Store
	t        *testing.T
	software *testtpm.TPM
	bus      *testtpm.Bus
	waits    []time.Duration
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, software: testtpm.New(t)}
	d.software.Tolerate(testtpm.WindowsTries, testtpm.WindowsRecovery)
	d.Store = d.storeOn(d.software)
	return d
}

// storeOn is the same folder with another TPM.
func (d *desk) storeOn(software *testtpm.TPM) *Store {
	folder := ""
	if d.Store != nil {
		folder = d.Folder
	} else {
		folder = d.t.TempDir()
	}
	open, bus := software.Tap()
	d.bus = bus
	return &Store{
		Folder: folder, Device: "SN-48-2913/7", TPM: devicekey.NewTPM(open), Lock: flock(filepath.Join(folder, "lock")), Log: slog.New(slog.DiscardHandler),
		pause: func(ctx context.Context, w time.Duration) error { d.waits = append(d.waits, w); return ctx.Err() },
	}
}

func (d *desk) set(u User) {
	d.t.Helper()
	if err := d.Set(d.t.Context(), u, password, right); err != nil {
		d.t.Fatal(err)
	}
}

// opens tells that the PIN gives the password.
func (d *desk) opens(u User) {
	d.t.Helper()
	if got, err := d.Unlock(d.t.Context(), u, right); err != nil || !bytes.Equal(got, password) {
		d.t.Fatalf("the right PIN gives %d bytes, %v", len(got), err)
	}
}

// refuses tells why a PIN gives nothing.
func (d *desk) refuses(u User, digits []byte, why error) {
	d.t.Helper()
	if got, err := d.Unlock(d.t.Context(), u, digits); !errors.Is(err, why) || got != nil {
		d.t.Fatalf("%s gives %d bytes, %v, not %v", digits, len(got), err, why)
	}
}

// misses tells that a PIN is wrong.
func (d *desk) misses(u User, digits []byte, left int) {
	d.t.Helper()
	got, err := d.Unlock(d.t.Context(), u, digits)
	var miss *WrongError
	if !errors.As(err, &miss) || miss.Left != left || got != nil {
		d.t.Fatalf("%s gives %d bytes, %v, not %d tries left", digits, len(got), err, left)
	}
}

// tries is how many are written down.
func (d *desk) tries(u User) int {
	d.t.Helper()
	r, err := d.read(u.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	return r.Tries
}

func (d *desk) has(users ...User) {
	d.t.Helper()
	got, err := d.Users()
	slices.SortFunc(got, func(a, b User) int { return strings.Compare(a.Name, b.Name) })
	if err != nil || !slices.Equal(got, users) {
		d.t.Fatalf("PINs have %v, %v, not %v", got, err, users)
	}
}

func TestPIN(t *testing.T) {
	d := newDesk(t)
	d.refuses(ann, right, ErrNone)
	d.has()
	if err := d.Ready(); err != nil {
		t.Fatal(err)
	}
	d.set(ann)
	d.opens(ann)
	d.has(ann)
	d.refuses(ben, right, ErrNone)
	if info, err := os.Stat(d.file(ann.ID)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	d.software.Stop()
	d.software.Start()
	d.opens(ann)
	if err := d.Forget(t.Context(), ann.ID); err != nil {
		t.Fatal(err)
	}
	d.refuses(ann, right, ErrNone)
	if err := d.Forget(t.Context(), ann.ID); err != nil {
		t.Errorf("forgotten twice: %v", err)
	}
}

func TestSetRefuses(t *testing.T) {
	d := newDesk(t)
	d.set(ann)
	for name, test := range map[string]struct {
		password, digits []byte
		want             error
	}{
		"weak":              {password, []byte("123456"), ErrRow},
		"of the serial":     {password, []byte("482913"), ErrSerial},
		"no digits":         {password, []byte("secret"), ErrForm},
		"no password":       {nil, right, ErrPassword},
		"too long password": {bytes.Repeat([]byte("x"), api.MaxPassword+1), right, ErrPassword},
	} {
		if err := d.Set(t.Context(), ann, test.password, test.digits); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d.opens(ann) // it has the one from before
	long := bytes.Repeat([]byte("x"), api.MaxPassword)
	if err := d.Set(t.Context(), ann, long, right); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Unlock(t.Context(), ann, right); err != nil || !bytes.Equal(got, long) {
		t.Errorf("the longest password: %d bytes, %v", len(got), err)
	}
}

// Five wrong PINs, each after a longer wait; then the right one is not tried
// either, and the TPM is not asked. It has room for others' mistakes.
func TestFiveWrongPINs(t *testing.T) {
	d := newDesk(t)
	d.set(ann)
	d.set(ben)
	for n := 1; n <= Tries; n++ {
		d.misses(ann, wrong, Tries-n)
	}
	if want := []time.Duration{0, 1e9, 2e9, 3e9, 4e9}; !reflect.DeepEqual(d.waits, want) {
		t.Errorf("it waits %v, not %v", d.waits, want)
	}
	asked := d.bus.Commands()
	d.refuses(ann, right, ErrSpent)
	d.refuses(ann, wrong, ErrSpent)
	if d.bus.Commands() != asked {
		t.Error("the TPM is asked")
	}
	if n := d.software.Guesses(); n != Tries {
		t.Errorf("the TPM counts %d guesses, for %d", n, Tries)
	}
	d.opens(ben)
	d.has(ann, ben)
	d.set(ann) // who knows the password
	d.opens(ann)
}

func TestRightPINForgivesWrongOnes(t *testing.T) {
	d := newDesk(t)
	d.set(ann)
	for range 2 {
		for n := 1; n < Tries; n++ {
			d.misses(ann, wrong, Tries-n)
		}
		d.opens(ann)
	}
	for range 2 * Tries { // are no guesses
		d.misses(ann, []byte("48291"), Tries)
		d.misses(ann, []byte("48291x"), Tries)
	}
	if n := d.software.Guesses(); n != 2*(Tries-1) {
		t.Errorf("the TPM counts %d guesses", n)
	}
}

// Who guesses five times each time that the owner has come back with the
// password still does not lock the TPM.
func TestTPMIsNeverLockedByPINs(t *testing.T) {
	d := newDesk(t)
	for range testtpm.WindowsTries {
		if err := d.Set(t.Context(), ann, password, right); errors.Is(err, devicekey.ErrLockedOut) {
			break // the trial of a new one is a question, too
		} else if err != nil {
			t.Fatal(err)
		}
		for range Tries {
			if _, err := d.Unlock(t.Context(), ann, wrong); err == nil {
				t.Fatal("a wrong PIN opens")
			}
		}
	}
	if n := d.software.Guesses(); n != testtpm.WindowsTries/2 {
		t.Errorf("the TPM counts %d guesses", n)
	}
	if state, err := d.TPM.State(); err != nil || state.LockedOut {
		t.Errorf("%+v, %v", state, err)
	}
}

// A TPM that others have locked is said to be so, and is no wrong PIN.
func TestTPMIsLockedByOthers(t *testing.T) {
	d := newDesk(t)
	d.set(ann)
	d.misses(ann, wrong, 4)
	d.software.Guess(testtpm.WindowsTries)
	for range 2 * Tries {
		d.refuses(ann, right, devicekey.ErrLockedOut)
	}
	if n := d.tries(ann); n != 1 {
		t.Errorf("%d tries are counted", n)
	}
	if err := d.Ready(); !errors.Is(err, devicekey.ErrLockedOut) {
		t.Errorf("it is ready: %v", err)
	}
}

// A TPM whose power is cut after it was asked for a password counts one wrong one
// more, even if it was right. So who cuts the power again and again could lock it
// for all, if the agent asked it at each start, or without looking at the count.
func TestPowerCutsDoNotLockTheTPM(t *testing.T) {
	d := newDesk(t)
	for range 3 {
		if err := d.Ready(); err != nil {
			t.Fatal(err)
		}
		d.software.Stop()
		d.software.Start()
	}
	if n := d.software.Guesses(); n != 0 {
		t.Errorf("the TPM counts %d, and nobody has a PIN", n)
	}
	d.set(ann)
	var err error
	for range 2 * testtpm.WindowsTries {
		if _, err = d.Unlock(t.Context(), ann, right); err != nil {
			break
		}
		d.software.Stop()
		d.software.Start()
	}
	if n := d.software.Guesses(); n != testtpm.WindowsTries/2 || !errors.Is(err, devicekey.ErrLockedOut) {
		t.Errorf("the TPM counts %d: %v", n, err)
	}
}

func TestTPMForgetsWhatOthersDid(t *testing.T) {
	d := newDesk(t)
	d.set(ann)
	d.software.Guess(testtpm.WindowsTries)
	d.refuses(ann, right, devicekey.ErrLockedOut)
	d.software.Tolerate(10*testtpm.WindowsTries, time.Hour) // as its owner may: 32 of 320
	d.opens(ann)
}

// The password was changed in Windows: the old one comes out, and the new one is
// sealed with the same PIN.
func TestReseal(t *testing.T) {
	d := newDesk(t)
	d.set(ann)
	before, err := d.read(ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	changed := []byte("changed in Windows")
	if err := d.Set(t.Context(), ann, changed, right); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Unlock(t.Context(), ann, right); err != nil || !bytes.Equal(got, changed) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	after, err := d.read(ann.ID)
	if err != nil || bytes.Equal(before.Salt, after.Salt) || bytes.Equal(before.Nonce, after.Nonce) || bytes.Equal(before.Sealed, after.Sealed) {
		t.Errorf("the same PIN is the same secret, %v", err)
	}
}

func TestPINIsLost(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*desk)
		why   error
	}{
		"TPM cleared": {func(d *desk) {
			d.software.Stop()
			d.software.Wipe()
			d.software.Start()
			d.software.Tolerate(testtpm.WindowsTries, testtpm.WindowsRecovery)
		}, devicekey.ErrOtherTPM},
		"other TPM": {func(d *desk) {
			other := testtpm.New(d.t)
			other.Tolerate(testtpm.WindowsTries, testtpm.WindowsRecovery)
			d.Store = d.storeOn(other)
		}, devicekey.ErrOtherTPM},
		"another device": {func(d *desk) { d.Device = "SN-2" }, devicekey.ErrDamaged},
		"damaged": {func(d *desk) {
			d.rewrite(func(r *record) { r.Salt[3] ^= 1 }, false)
		}, devicekey.ErrDamaged},
		"another user's": {func(d *desk) {
			content, err := os.ReadFile(d.file(ann.ID))
			if err == nil {
				d.set(ben)
				content, err = os.ReadFile(d.file(ben.ID))
			}
			if err == nil {
				err = os.WriteFile(d.file(ann.ID), content, 0o600)
			}
			if err == nil {
				err = os.Remove(d.file(ben.ID))
			}
			if err != nil {
				d.t.Fatal(err)
			}
		}, devicekey.ErrDamaged},
		"another user's, well forged": {func(d *desk) {
			d.set(ben)
			r, err := d.read(ben.ID)
			if err != nil {
				d.t.Fatal(err)
			}
			r.User = ann
			if err := errors.Join(d.write(r), d.remove(ben.ID)); err != nil {
				d.t.Fatal(err)
			}
		}, devicekey.ErrDamaged},
		"box changed, well forged": {func(d *desk) {
			d.rewrite(func(r *record) { r.Box[7] ^= 1 }, true)
		}, devicekey.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.set(ann)
			test.spoil(d)
			_, err := d.Unlock(t.Context(), ann, right)
			if !errors.Is(err, ErrLost) || !errors.Is(err, test.why) {
				t.Fatal(err)
			}
			d.has(ann) // who is asked for another one
			d.refuses(ann, right, ErrLost)
			content, err := os.ReadFile(d.file(ann.ID))
			if err != nil || bytes.Contains(content, []byte("BEGIN")) || len(content) > 512 {
				t.Errorf("what was kept is still there: %s, %v", content, err)
			}
			d.set(ann) // anew
			d.opens(ann)
		})
	}
}

// rewrite changes ann's record; forged means with the right sum.
func (d *desk) rewrite(change func(*record), forged bool) {
	d.t.Helper()
	r, err := d.read(ann.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	change(r)
	if forged {
		err = d.write(r)
	} else {
		var content []byte
		if content, err = json.Marshal(r); err == nil {
			err = os.WriteFile(d.file(ann.ID), content, 0o600)
		}
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// A TPM that is switched off in the firmware may come back: nothing is lost or
// counted.
func TestTPMIsAbsent(t *testing.T) {
	d := newDesk(t)
	d.set(ann)
	d.software.Stop()
	if err := d.Ready(); !errors.Is(err, devicekey.ErrNoTPM) {
		t.Errorf("it is ready: %v", err)
	}
	for range 2 * Tries {
		d.refuses(ann, right, devicekey.ErrNoTPM)
	}
	if err := d.Set(t.Context(), ben, password, right); !errors.Is(err, devicekey.ErrNoTPM) {
		t.Errorf("set: %v", err)
	}
	d.has(ann)
	d.software.Start()
	if n := d.tries(ann); n != 0 {
		t.Errorf("%d tries are counted", n)
	}
	d.opens(ann)
}

// Who gives up while they wait has lost nothing.
func TestWaitEnds(t *testing.T) {
	d := newDesk(t)
	d.set(ann)
	d.misses(ann, wrong, 4)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.pause = nil
	if _, err := d.Unlock(ctx, ann, right); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := d.tries(ann); n != 1 {
		t.Errorf("%d tries are counted", n)
	}
}

// Neither the wires to the TPM nor the file hold the PIN, the password or what
// the TPM wants to hear; the file tells not even how long the password is.
func TestNothingGoesInClear(t *testing.T) {
	d := newDesk(t)
	d.set(ann)
	d.opens(ann)
	d.misses(ann, wrong, 4)
	r, err := d.read(ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(d.file(ann.ID))
	if err != nil {
		t.Fatal(err)
	}
	asked, err := tpmPassword(right, r.Salt)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := devicekey.ParseSealed(r.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	key, err := d.TPM.Unseal(sealed, asked)
	if err != nil || len(key) != keySize {
		t.Fatalf("the data key: %v", err)
	}
	for name, secret := range map[string][]byte{"PIN": right, "wrong PIN": wrong, "password": password, "TPM's password": asked, "data key": key} {
		if d.bus.Heard(secret) {
			t.Errorf("the bus has the %s", name)
		}
		for _, text := range []string{string(secret), base64.StdEncoding.EncodeToString(secret)} {
			if bytes.Contains(content, []byte(text)) {
				t.Errorf("the file has the %s", name)
			}
		}
	}
	if d.bus.Commands() < 30 {
		t.Errorf("the bus had %d commands", d.bus.Commands())
	}
	if err := d.Set(t.Context(), ann, []byte("x"), right); err != nil {
		t.Fatal(err)
	}
	if short, err := d.read(ann.ID); err != nil || len(short.Box) != len(r.Box) {
		t.Errorf("a short password has a box of %d bytes, %v", len(short.Box), err)
	}
	for _, err := range []error{ErrSpent, ErrLost, &WrongError{3}, ErrPassword, ErrForm} {
		if strings.Contains(err.Error(), string(right)) {
			t.Error(err)
		}
	}
}

func TestFileOfALaterBuildStays(t *testing.T) {
	d := newDesk(t)
	d.set(ann)
	content, err := os.ReadFile(d.file(ann.ID))
	if err != nil {
		t.Fatal(err)
	}
	later := bytes.Replace(content, []byte(`"schema": 1`), []byte(`"schema": 2`), 1)
	if err := os.WriteFile(d.file(ann.ID), later, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Unlock(t.Context(), ann, right); err == nil || errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "schema 2") {
		t.Error(err)
	}
	if now, err := os.ReadFile(d.file(ann.ID)); err != nil || !bytes.Equal(now, later) {
		t.Error("it is not what it was")
	}
}

func FuzzParse(f *testing.F) {
	folder := f.TempDir()
	software := testtpm.New(f)
	software.Tolerate(testtpm.WindowsTries, testtpm.WindowsRecovery)
	s := &Store{Folder: folder, TPM: devicekey.NewTPM(software.Open), Lock: flock(filepath.Join(folder, "lock")), Log: slog.New(slog.DiscardHandler)}
	if err := s.Set(f.Context(), ann, password, right); err != nil {
		f.Fatal(err)
	}
	content, err := os.ReadFile(s.file(ann.ID))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add(bytes.Replace(content, []byte(`"tries": 0`), []byte(`"tries": 5`), 1))
	f.Add(bytes.Replace(content, []byte(`"tries": 0`), []byte(`"tries": -1`), 1))
	f.Add([]byte(`{"schema":1,"user":{"id":"x"}}`))
	if err := s.lose(ann, ErrLost); !errors.Is(err, ErrLost) {
		f.Fatal(err)
	}
	if content, err = os.ReadFile(s.file(ann.ID)); err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parse(data)
		if err != nil {
			return
		}
		if r.Tries < 0 || r.Tries > Tries || r.User.ID == "" || len(r.Box) != boxSize && !r.Lost || r.Lost && len(r.Sealed) > 0 {
			t.Fatalf("%+v", r)
		}
		sum, err := r.sum()
		if err != nil || !bytes.Equal(sum, r.Sum) {
			t.Fatal("another sum")
		}
	})
}
