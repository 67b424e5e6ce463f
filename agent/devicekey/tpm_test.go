//go:build linux

package devicekey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"firstday.dev/api"
	"firstday.dev/internal/testtpm"
)

// impatient is a TPM that is given no time to recover.
func impatient(open func() (transport.TPMCloser, error)) *TPM {
	t := NewTPM(open)
	t.pause = time.Millisecond
	return t
}

// mustMake makes a key, in a file if need be, and reads it.
func mustMake(t *testing.T, tpm *TPM) *Key {
	t.Helper()
	path := filepath.Join(t.TempDir(), "device.key")
	_, err := MakeInTPM(path, tpm)
	if err != nil {
		_, err = MakeInFile(path, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return mustRead(t, path, tpm)
}

// mustBeInTPM makes a key that is.
func mustBeInTPM(t *testing.T, tpm *TPM) (k *Key, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "device.key")
	k, err := MakeInTPM(path, tpm)
	if err != nil || k.Storage() != api.KeyInTPM || k.Reason() != "" {
		t.Fatalf("%+v, %v", k, err)
	}
	return k, path
}

func mustRead(t *testing.T, path string, tpm *TPM) *Key {
	t.Helper()
	k, err := Read(path, tpm)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(k *Key) error {
	digest := sha256.Sum256([]byte(rand.Text()))
	signature, err := k.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err == nil && !ecdsa.VerifyASN1(k.Public().(*ecdsa.PublicKey), digest[:], signature) {
		return errors.New("the signature does not hold")
	}
	return err
}

func mustSign(t *testing.T, k *Key) {
	t.Helper()
	if err := sign(k); err != nil {
		t.Fatal(err)
	}
}

// handles counts what is in a TPM.
func handles(t *testing.T, tpm *testtpm.TPM, first uint32) (n int) {
	t.Helper()
	tpm.Do(func(c transport.TPM) error {
		answer, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: first, PropertyCount: 100}.Execute(c)
		if err != nil {
			return err
		}
		list, err := answer.CapabilityData.Data.Handles()
		if err == nil {
			n = len(list.Handle)
		}
		return err
	})
	return n
}

// Where handles begin: of sessions, and of what a TPM keeps.
const (
	firstSession    = 0x02000000
	firstPersistent = 0x81000000
)

// evict takes it away.
func evict(t *testing.T, tpm *testtpm.TPM) {
	t.Helper()
	tpm.Do(func(c transport.TPM) error {
		read, err := tpm2.ReadPublic{ObjectHandle: storageKey}.Execute(c)
		if err != nil {
			return err
		}
		_, err = tpm2.EvictControl{
			Auth: tpm2.TPMRHOwner, PersistentHandle: storageKey, ObjectHandle: &tpm2.NamedHandle{Handle: storageKey, Name: read.Name},
		}.Execute(c)
		return err
	})
}

// own sets the password of the storage hierarchy.
func own(t *testing.T, tpm *testtpm.TPM) {
	t.Helper()
	tpm.Do(func(c transport.TPM) error {
		_, err := tpm2.HierarchyChangeAuth{
			AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}, NewAuth: tpm2.TPM2BAuth{Buffer: []byte("of the owner")},
		}.Execute(c)
		return err
	})
}

func TestKeyInTPM(t *testing.T) {
	software := testtpm.New(t)
	tpm := NewTPM(software.Open)
	k, path := mustBeInTPM(t, tpm)
	mustSign(t, k)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	again := mustRead(t, path, tpm)
	mustSign(t, again)
	if !k.public.Equal(again.public) || again.Storage() != api.KeyInTPM {
		t.Error("read again it is another key")
	}
	if n := handles(t, software, firstPersistent); n != 0 {
		t.Errorf("it keeps %d keys", n)
	}
	software.Stop() // and on: another boot
	software.Start()
	mustSign(t, k)

	named := tpm.Identity()
	if named == nil || named.Check() != nil || named.Manufacturer != "IBM" {
		t.Errorf("it is %+v", named)
	}
	state, err := tpm.State()
	if err != nil || state.TPM != *named || state.Owned || state.LockedOut || state.StorageKey || state.Loaded != 0 || state.MaxFailures == 0 {
		t.Errorf("%+v, %v", state, err)
	}
}

// Who else uses the TPM finds nothing of ours in it.
func TestNothingStaysInTheTPM(t *testing.T) {
	software := testtpm.New(t)
	k, _ := mustBeInTPM(t, NewTPM(software.Open))
	for range 1000 {
		mustSign(t, k)
	}
	if objects, sessions := handles(t, software, firstTransient), handles(t, software, firstSession); objects != 0 || sessions != 0 {
		t.Errorf("after 1000 signatures there are %d objects and %d sessions", objects, sessions)
	}
}

func TestManySignAtOnce(t *testing.T) {
	software := testtpm.New(t)
	k, _ := mustBeInTPM(t, NewTPM(software.Open))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 10 {
				if err := sign(k); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := handles(t, software, firstTransient); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}

func TestStorageRootKeys(t *testing.T) {
	unusual := tpm2.ECCSRKTemplate
	unusual.ObjectAttributes.NoDA = false
	for name, test := range map[string]struct {
		prepare func(*testing.T, *testtpm.TPM)
		windows bool // no primaries
		parent  tpm2.TPMHandle
		reason  string // why it is in a file
	}{
		"none":                     {func(*testing.T, *testtpm.TPM) {}, false, tpm2.TPMRHOwner, ""},
		"none on Windows":          {func(*testing.T, *testtpm.TPM) {}, true, 0, "has not been prepared"},
		"of RSA":                   {func(t *testing.T, s *testtpm.TPM) { s.Keep(tpm2.RSASRKTemplate, "") }, false, storageKey, ""},
		"of RSA on Windows, owned": {func(t *testing.T, s *testtpm.TPM) { s.Keep(tpm2.RSASRKTemplate, ""); own(t, s) }, true, storageKey, ""},
		"of ECC":                   {func(t *testing.T, s *testtpm.TPM) { s.Keep(tpm2.ECCSRKTemplate, "") }, true, storageKey, ""},
		"of another kind":          {func(t *testing.T, s *testtpm.TPM) { s.Keep(unusual, "") }, false, tpm2.TPMRHOwner, ""},
		"with a password":          {func(t *testing.T, s *testtpm.TPM) { s.Keep(tpm2.ECCSRKTemplate, "x") }, false, 0, "making the key: TPM_RC_BAD_AUTH"},
		"none, owned":              {own, false, 0, "making the storage root key: TPM_RC_BAD_AUTH"},
	} {
		t.Run(name, func(t *testing.T) {
			software := testtpm.New(t)
			test.prepare(t, software)
			tpm := NewTPM(software.Open)
			tpm.primaries = !test.windows
			k := mustMake(t, tpm)
			mustSign(t, k)
			if k.parent != test.parent || !strings.HasPrefix(k.Reason(), test.reason) && !strings.Contains(k.Reason(), test.reason) || (test.reason == "") != (k.Reason() == "") {
				t.Errorf("it is under %#x, in the %s: %q", k.parent, k.Storage(), k.Reason())
			}
			if k.TPMFailed() != (test.reason != "") {
				t.Errorf("the TPM failed: %v", k.TPMFailed())
			}
			if n := handles(t, software, firstTransient); n != 0 {
				t.Errorf("%d objects are left", n)
			}
		})
	}
}

// A storage root key that is taken away is the same when it comes back.
func TestStorageRootKeyComesBack(t *testing.T) {
	software := testtpm.New(t)
	software.Keep(tpm2.RSASRKTemplate, "")
	tpm := NewTPM(software.Open)
	tpm.primaries = false
	k, _ := mustBeInTPM(t, tpm)
	evict(t, software)
	if err := sign(k); !errors.Is(err, errNoStorageKey) || errors.Is(err, ErrOtherTPM) {
		t.Errorf("without it: %v", err)
	}
	tpm.primaries = true
	mustSign(t, k)
	software.Keep(tpm2.ECCSRKTemplate, "")
	mustSign(t, k)
	tpm.primaries = false
	if err := sign(k); !errors.Is(err, ErrOtherTPM) {
		t.Errorf("under another one: %v", err)
	}
	evict(t, software)
	software.Keep(tpm2.RSASRKTemplate, "")
	mustSign(t, k)
	if k.Trouble() == nil || k.Trouble() != nil {
		t.Error("trouble is told once")
	}
}

func TestTPMIsLost(t *testing.T) {
	software := testtpm.New(t)
	k, path := mustBeInTPM(t, NewTPM(software.Open))
	software.Stop()
	if err := sign(k); !errors.Is(err, ErrNoTPM) || !errors.Is(k.Trouble(), ErrNoTPM) {
		t.Errorf("without a TPM: %v", err)
	}
	if named := NewTPM(software.Open).Identity(); named != nil {
		t.Errorf("there is %+v", named)
	}
	software.Start()
	mustSign(t, k)
	software.Stop()
	software.Wipe()
	software.Start()
	if err := sign(k); !errors.Is(err, ErrOtherTPM) {
		t.Errorf("with a cleared one: %v", err)
	}
	other := testtpm.New(t)
	if err := sign(mustRead(t, path, NewTPM(other.Open))); !errors.Is(err, ErrOtherTPM) {
		t.Errorf("with another one: %v", err)
	}
	if n := handles(t, other, firstTransient); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}

// The TPM goes away while it is used, and comes back.
func TestTPMVanishes(t *testing.T) {
	software := testtpm.New(t)
	k, _ := mustBeInTPM(t, NewTPM(software.Open))
	var group sync.WaitGroup
	began := make(chan struct{}, 4)
	for range 4 {
		group.Go(func() {
			for n := 0; ; n++ {
				err := sign(k)
				if errors.Is(err, ErrNoTPM) {
					return
				}
				if err != nil {
					t.Errorf("%v", err)
					return
				}
				if n == 0 {
					began <- struct{}{}
				}
			}
		})
	}
	for range 4 {
		<-began
	}
	software.Stop()
	group.Wait()
	software.Start()
	mustSign(t, k)
}

// setLimit lets a TPM lock out after one wrong password. The library has no such
// command.
func setLimit(c transport.TPM) error {
	command := binary.BigEndian.AppendUint16(nil, 0x8002)
	command = binary.BigEndian.AppendUint32(command, 39)
	command = binary.BigEndian.AppendUint32(command, 0x13a) // TPM2_DictionaryAttackParameters
	command = binary.BigEndian.AppendUint32(command, uint32(tpm2.TPMRHLockout))
	command = append(command, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0) // no password
	for _, v := range []uint32{1, 3600, 3600} {                         // tries, seconds, seconds
		command = binary.BigEndian.AppendUint32(command, v)
	}
	answer, err := c.Send(command)
	if err == nil && (len(answer) < 10 || binary.BigEndian.Uint32(answer[6:]) != 0) {
		return errors.New("the limit was not set")
	}
	return err
}

// lockOut guesses somebody's password.
func lockOut(t *testing.T, software *testtpm.TPM) {
	t.Helper()
	software.Do(setLimit)
	software.Do(func(c transport.TPM) error {
		public := tpm2.ECCSRKTemplate
		public.ObjectAttributes.NoDA = false
		made, err := tpm2.CreatePrimary{
			PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(public),
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: []byte("right")}}},
		}.Execute(c)
		if err != nil {
			return err
		}
		defer flush(c, made.ObjectHandle)
		for range 3 {
			_, err = tpm2.Create{
				ParentHandle: tpm2.AuthHandle{Handle: made.ObjectHandle, Name: made.Name, Auth: tpm2.PasswordAuth([]byte("wrong"))},
				InSensitive:  tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{}}, InPublic: tpm2.New2B(template),
			}.Execute(c)
		}
		if !errors.Is(err, tpm2.TPMRCLockout) {
			t.Fatalf("it is not locked out: %v", err)
		}
		return nil
	})
}

// Passwords that somebody guesses, BitLocker's for instance, do not take the
// device from its directory.
func TestKeyWorksInLockout(t *testing.T) {
	software := testtpm.New(t)
	tpm := NewTPM(software.Open)
	before, _ := mustBeInTPM(t, tpm)
	lockOut(t, software)
	if state, err := tpm.State(); err != nil || !state.LockedOut {
		t.Fatalf("%+v, %v", state, err)
	}
	mustSign(t, before)
	after, _ := mustBeInTPM(t, tpm)
	mustSign(t, after)
}

// switchOff is TPM2_HierarchyControl of the storage hierarchy, which the library
// does not have.
func switchOff(c transport.TPM) error {
	command := binary.BigEndian.AppendUint16(nil, 0x8002)
	command = binary.BigEndian.AppendUint32(command, 32)
	command = binary.BigEndian.AppendUint32(command, 0x121)
	command = binary.BigEndian.AppendUint32(command, uint32(tpm2.TPMRHPlatform))
	command = append(command, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0)
	command = binary.BigEndian.AppendUint32(command, uint32(tpm2.TPMRHOwner))
	command = append(command, 0)
	answer, err := c.Send(command)
	if err == nil && (len(answer) < 10 || binary.BigEndian.Uint32(answer[6:]) != 0) {
		return errors.New("it was not switched off")
	}
	return err
}

func TestTPMThatIsSwitchedOff(t *testing.T) {
	software := testtpm.New(t)
	tpm := NewTPM(software.Open)
	k, _ := mustBeInTPM(t, tpm)
	software.Do(switchOff)
	if state, err := tpm.State(); err != nil || !state.Owned {
		t.Errorf("%+v, %v", state, err)
	}
	if err := sign(k); err == nil || errors.Is(err, ErrOtherTPM) || errors.Is(err, ErrDamaged) {
		t.Errorf("signing: %v", err)
	}
	other := mustMake(t, tpm)
	if mustSign(t, other); other.Storage() != api.KeyInFile || !other.TPMFailed() {
		t.Errorf("the other key is in the %s: %q", other.Storage(), other.Reason())
	}
	software.Stop() // another boot switches it on
	software.Start()
	mustSign(t, k)
}

func TestTPMThatIsFull(t *testing.T) {
	software := testtpm.New(t)
	tpm := impatient(software.Open)
	k, _ := mustBeInTPM(t, tpm)
	var others []tpm2.TPMHandle
	software.Do(func(c transport.TPM) error {
		for range 10 {
			made, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(c)
			if errors.Is(err, tpm2.TPMRCObjectMemory) {
				return nil
			}
			if err != nil {
				return err
			}
			others = append(others, made.ObjectHandle)
		}
		return errors.New("it has more room than we thought")
	})
	if err := sign(k); !errors.Is(err, tpm2.TPMRCObjectMemory) || errors.Is(err, ErrOtherTPM) {
		t.Errorf("signing: %v", err)
	}
	if other := mustMake(t, tpm); other.Storage() != api.KeyInFile || !strings.Contains(other.Reason(), "TPM_RC_OBJECT_MEMORY") {
		t.Errorf("the other key is in the %s: %q", other.Storage(), other.Reason())
	}
	software.Do(func(c transport.TPM) error {
		for _, h := range others {
			flush(c, h)
		}
		return nil
	})
	mustSign(t, k)
	if n := handles(t, software, firstTransient); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}

func TestKeyThatWasChangedOnDisk(t *testing.T) {
	software := testtpm.New(t)
	k, _ := mustBeInTPM(t, NewTPM(software.Open))
	for i := range k.inPrivate.Buffer {
		changed := loadable{k.parent, k.parentName, k.inPublic, tpm2.TPM2BPrivate{Buffer: bytes.Clone(k.inPrivate.Buffer)}}
		changed.inPrivate.Buffer[i] ^= 1
		if err := sign(&Key{public: k.public, loadable: changed, tpm: k.tpm}); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	other, _ := mustBeInTPM(t, k.tpm)
	if err := sign(&Key{public: k.public, loadable: loadable{k.parent, k.parentName, k.inPublic, other.inPrivate}, tpm: k.tpm}); !errors.Is(err, ErrDamaged) {
		t.Errorf("another key's private part: %v", err)
	}
	if n := handles(t, software, firstTransient); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}

// between is a TPM with somebody on the wires, who sees each command and its
// answer.
type between struct {
	transport.TPMCloser
	command func(code tpm2.TPMCC, command []byte) (answer []byte, err error) // instead of the TPM's
	answer  func(code tpm2.TPMCC, answer []byte)
}

func (b between) Send(command []byte) ([]byte, error) {
	code := tpm2.TPMCC(binary.BigEndian.Uint32(command[6:]))
	if b.command != nil {
		if answer, err := b.command(code, command); answer != nil || err != nil {
			return answer, err
		}
	}
	answer, err := b.TPMCloser.Send(command)
	if err == nil && b.answer != nil {
		b.answer(code, answer)
	}
	return answer, err
}

func warning(code tpm2.TPMRC) []byte {
	return binary.BigEndian.AppendUint32([]byte{0x80, 1, 0, 0, 0, 10}, uint32(code))
}

// What a device goes through while it sleeps and wakes up.
func TestTPMThatIsBusy(t *testing.T) {
	software := testtpm.New(t)
	k, _ := mustBeInTPM(t, NewTPM(software.Open))
	for name, test := range map[string]struct {
		answer []byte
		err    error
	}{
		"retry":      {warning(tpm2.TPMRCRetry), nil},
		"testing":    {warning(tpm2.TPMRCTesting), nil},
		"yielded":    {warning(tpm2.TPMRCYielded), nil},
		"forgetful":  {warning(tpm2.TPMRCReferenceH0), nil},
		"broken off": {nil, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			failures, opened := 0, 0
			k.tpm = impatient(func() (transport.TPMCloser, error) {
				opened++
				c, err := software.Open()
				return between{TPMCloser: c, command: func(code tpm2.TPMCC, _ []byte) ([]byte, error) {
					if code != tpm2.TPMCCSign || failures == 2 {
						return nil, nil
					}
					failures++
					return test.answer, test.err
				}}, err
			})
			mustSign(t, k)
			if failures != 2 || opened != 3 {
				t.Errorf("%d failures, opened %d times", failures, opened)
			}
			software.Stop() // a failure leaves things in a TPM without a resource manager
			software.Start()
		})
	}
	opened := 0
	k.tpm = impatient(func() (transport.TPMCloser, error) {
		opened++
		c, err := software.Open()
		return between{TPMCloser: c, command: func(tpm2.TPMCC, []byte) ([]byte, error) { return warning(tpm2.TPMRCRetry), nil }}, err
	})
	if err := sign(k); !errors.Is(err, tpm2.TPMRCRetry) || opened != tries {
		t.Errorf("after %d attempts: %v", opened, err)
	}
}

// Who sits between processor and TPM can neither have something else signed nor
// learn the key.
func TestWiresAreNotTrusted(t *testing.T) {
	software := testtpm.New(t)
	k, _ := mustBeInTPM(t, NewTPM(software.Open))
	digest := sha256.Sum256([]byte("what we sign"))
	var seen []byte
	k.tpm = impatient(func() (transport.TPMCloser, error) {
		c, err := software.Open()
		return between{TPMCloser: c, command: func(code tpm2.TPMCC, command []byte) ([]byte, error) {
			seen = append(seen, command...)
			return nil, nil
		}}, err
	})
	if _, err := k.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(seen, digest[:]) || bytes.Contains(seen, k.inPrivate.Buffer[40:]) {
		t.Error("what is signed, or the key, crosses the wires as it is")
	}
	for name, change := range map[string]between{
		"a command": {command: func(code tpm2.TPMCC, command []byte) ([]byte, error) {
			if code == tpm2.TPMCCSign {
				command[len(command)-20] ^= 1
			}
			return nil, nil
		}},
		"an answer": {answer: func(code tpm2.TPMCC, answer []byte) {
			if code == tpm2.TPMCCSign {
				answer[30] ^= 1
			}
		}},
	} {
		k.tpm = impatient(func() (_ transport.TPMCloser, err error) {
			b := change
			b.TPMCloser, err = software.Open()
			return b, err
		})
		if err := sign(k); err == nil || errors.Is(err, ErrDamaged) || errors.Is(err, ErrOtherTPM) {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
}

// A TPM that hangs keeps nobody waiting, and is asked again when it answers.
func TestTPMThatHangs(t *testing.T) {
	software := testtpm.New(t)
	answers := make(chan struct{})
	tpm := impatient(func() (transport.TPMCloser, error) {
		<-answers
		return software.Open()
	})
	nothing := func(transport.TPM) (int, error) { return 1, nil }
	for range 2 {
		if _, err := use(tpm, 50*time.Millisecond, nothing); !errors.Is(err, ErrUnanswered) {
			t.Errorf("it says %v", err)
		}
	}
	close(answers)
	if n, err := use(tpm, signLimit, nothing); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// Nothing that is no TPM is taken for one.
func TestTPMThatTalksNonsense(t *testing.T) {
	for name, answer := range map[string][]byte{
		"nothing": {}, "a byte": {0}, "a header": {0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0}, "noise": bytes.Repeat([]byte{0xff}, 4000),
	} {
		t.Run(name, func(t *testing.T) {
			tpm := impatient(func() (transport.TPMCloser, error) {
				here, there := net.Pipe()
				t.Cleanup(func() { _ = there.Close() })
				return between{TPMCloser: transport.FromReadWriteCloser(here), command: func(tpm2.TPMCC, []byte) ([]byte, error) { return answer, nil }}, nil
			})
			if k := mustMake(t, tpm); k.Storage() != api.KeyInFile || !k.TPMFailed() {
				t.Errorf("the key is in the %s: %q", k.Storage(), k.Reason())
			}
			if state, err := tpm.State(); err == nil {
				t.Errorf("%+v", state)
			}
		})
	}
}
