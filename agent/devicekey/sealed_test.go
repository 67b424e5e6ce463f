//go:build linux

package devicekey

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"firstday.dev/internal/testtpm"
)

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func mustSeal(t *testing.T, tpm *TPM, secret, password []byte) *Sealed {
	t.Helper()
	s, err := tpm.Seal(secret, password)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bearing is a TPM as Windows sets it up.
func bearing(t *testing.T) *testtpm.TPM {
	t.Helper()
	software := testtpm.New(t)
	software.Tolerate(testtpm.WindowsTries, testtpm.WindowsRecovery)
	return software
}

func TestSealed(t *testing.T) {
	software := bearing(t)
	tpm := NewTPM(software.Open)
	for name, password := range map[string][]byte{
		"random": random(32), "zeros at its end": append(random(30), 0, 0), "a zero in it": append([]byte{1, 0}, random(30)...), "zeros": make([]byte, 32), "none": {},
	} {
		secret := random(32)
		content, err := mustSeal(t, tpm, secret, password).Encode()
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseSealed(content)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := tpm.Unseal(s, password); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("password %s: %v", name, err)
		}
		before := software.Guesses()
		if got, err := tpm.Unseal(s, []byte("another")); !errors.Is(err, ErrPassword) || got != nil {
			t.Errorf("password %s, with another: %v", name, err)
		}
		if now := software.Guesses(); now != before+1 {
			t.Errorf("a wrong password is counted as %d", now-before)
		}
	}
	if objects, sessions := handles(t, software, firstTransient), handles(t, software, firstSession); objects != 0 || sessions != 0 {
		t.Errorf("%d objects and %d sessions are left", objects, sessions)
	}
	if _, err := tpm.Seal(random(33), nil); err == nil {
		t.Error("it seals more than every TPM takes")
	}
}

// Windows keeps a storage root key and a password of its hierarchy that nobody
// knows; in the first minutes of a new laptop it has neither.
func TestSealedUnderWindowsStorageKey(t *testing.T) {
	software := bearing(t)
	tpm := impatient(software.Open)
	tpm.primaries = false
	if _, err := tpm.Seal(random(32), nil); !errors.Is(err, errNoStorageKey) {
		t.Errorf("before Windows has prepared it: %v", err)
	}
	software.Keep(tpm2.RSASRKTemplate, "")
	own(t, software)
	secret, password := random(32), random(32)
	s := mustSeal(t, tpm, secret, password)
	if got, err := tpm.Unseal(s, password); err != nil || !bytes.Equal(got, secret) {
		t.Error(err)
	}
	if _, err := tpm.Unseal(s, random(32)); !errors.Is(err, ErrPassword) {
		t.Error(err)
	}
}

// Who sits on the wires of the TPM hears no secret, and no password to guess at
// what is sealed.
func TestNothingIsHeardOnTheBus(t *testing.T) {
	software := bearing(t)
	open, bus := software.Tap()
	tpm := NewTPM(open)
	secret, password := random(32), random(32)
	s := mustSeal(t, tpm, secret, password)
	if got, err := tpm.Unseal(s, password); err != nil || !bytes.Equal(got, secret) {
		t.Fatal(err)
	}
	_, _ = tpm.Unseal(s, random(32))
	if bus.Heard(secret) || bus.Heard(password) || bus.Heard(secret[:8]) || bus.Heard(password[:8]) {
		t.Error("the secret or its password is heard")
	}
	if bus.Heard(authValue(password)) || bus.Heard(s.inPrivate.Buffer) {
		t.Error("what proves the password, or what is sealed, is heard")
	}
	if public := tpm2.Marshal(s.inPublic); bus.Commands() < 12 || !bus.Heard(public) {
		t.Errorf("of %d commands that were heard none is the one that makes it", bus.Commands())
	}
	// The tap hears what is not hidden.
	c, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := (tpm2.Hash{Data: tpm2.TPM2BMaxBuffer{Buffer: secret}, HashAlg: tpm2.TPMAlgSHA256, Hierarchy: tpm2.TPMRHNull}).Execute(c); err != nil || !bus.Heard(secret) {
		t.Errorf("what goes in clear is not heard, %v", err)
	}
}

func TestSealedIsLost(t *testing.T) {
	software := bearing(t)
	tpm := NewTPM(software.Open)
	password := random(32)
	s := mustSeal(t, tpm, random(32), password)
	if _, err := NewTPM(bearing(t).Open).Unseal(s, password); !errors.Is(err, ErrOtherTPM) {
		t.Errorf("in another TPM: %v", err)
	}
	damaged := *s
	damaged.inPrivate.Buffer = bytes.Clone(s.inPrivate.Buffer)
	damaged.inPrivate.Buffer[40] ^= 1
	if _, err := tpm.Unseal(&damaged, password); !errors.Is(err, ErrDamaged) {
		t.Errorf("damaged: %v", err)
	}
	software.Stop()
	if _, err := tpm.Unseal(s, password); !errors.Is(err, ErrNoTPM) {
		t.Errorf("without a TPM: %v", err)
	}
	software.Wipe()
	software.Start()
	software.Tolerate(testtpm.WindowsTries, testtpm.WindowsRecovery)
	if _, err := tpm.Unseal(s, password); !errors.Is(err, ErrOtherTPM) {
		t.Errorf("in a cleared TPM: %v", err)
	}
	if n := software.Guesses(); n != 0 {
		t.Errorf("%d wrong passwords were counted", n)
	}
}

// Others have half of the guesses that a TPM bears to themselves: it is not
// asked when that many were wrong, or when it is locked.
func TestTPMIsNotLockedByUs(t *testing.T) {
	software := bearing(t)
	open, bus := software.Tap()
	tpm := NewTPM(open)
	password := random(32)
	s := mustSeal(t, tpm, random(32), password)
	for range 3 * testtpm.WindowsTries {
		if _, err := tpm.Unseal(s, []byte("wrong")); errors.Is(err, ErrLockedOut) {
			break
		}
	}
	if n := software.Guesses(); n != testtpm.WindowsTries/2 {
		t.Errorf("it makes %d wrong guesses", n)
	}
	before := bus.Commands()
	if _, err := tpm.Unseal(s, password); !errors.Is(err, ErrLockedOut) || bus.Commands() != before+3 {
		t.Errorf("it sends %d commands: %v", bus.Commands()-before, err)
	}
	software.Guess(testtpm.WindowsTries)
	if state, err := tpm.State(); err != nil || !state.LockedOut {
		t.Fatalf("%+v, %v", state, err)
	}
	if _, err := tpm.Unseal(s, password); !errors.Is(err, ErrLockedOut) {
		t.Errorf("while it is locked: %v", err)
	}
}

// A TPM may be locked between the look at it and the question.
func TestTPMLocksMeanwhile(t *testing.T) {
	if err := unsealError(tpm2.TPMRCLockout); !errors.Is(err, ErrLockedOut) || passes(err) {
		t.Error(err)
	}
}

// What breaks off in the middle of the question may have been counted: it is not
// asked again.
func TestUnsealIsAskedOnce(t *testing.T) {
	software := bearing(t)
	s := mustSeal(t, NewTPM(software.Open), random(32), nil)
	asked := 0
	tpm := impatient(func() (transport.TPMCloser, error) {
		c, err := software.Open()
		return cutOff{c, &asked}, err
	})
	if _, err := tpm.Unseal(s, nil); !errors.Is(err, ErrUnanswered) || asked != 1 {
		t.Errorf("it asks %d times: %v", asked, err)
	}
}

// cutOff is a TPM whose wires break at TPM2_Unseal.
type cutOff struct {
	transport.TPMCloser
	asked *int
}

func (c cutOff) Send(command []byte) ([]byte, error) {
	if bytes.Equal(command[6:10], []byte{0, 0, 1, 0x5e}) {
		*c.asked++
		return nil, os.ErrDeadlineExceeded
	}
	return c.TPMCloser.Send(command)
}

func FuzzParseSealed(f *testing.F) {
	software := testtpm.New(f)
	tpm := NewTPM(software.Open)
	s, err := tpm.Seal(make([]byte, 32), nil)
	if err != nil {
		f.Fatal(err)
	}
	content, err := s.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add(bytes.Replace(content, []byte("Parent: 00"), []byte("Parent: 0"), 1))
	key, err := MakeInTPM(filepath.Join(f.TempDir(), "key"), tpm)
	if err != nil {
		f.Fatal(err)
	}
	other, err := key.encode(sealedKey) // no secret, but a key
	if err != nil {
		f.Fatal(err)
	}
	if _, err := ParseSealed(other); !errors.Is(err, ErrDamaged) {
		f.Errorf("a key is taken for a secret: %v", err)
	}
	f.Add(other)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSealed(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		content, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		before, _ := pem.Decode(data)
		after, _ := pem.Decode(content)
		if !bytes.Equal(before.Bytes, after.Bytes) {
			t.Error("there are two ways to write it")
		}
	})
}
