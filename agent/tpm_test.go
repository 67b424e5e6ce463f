//go:build linux

package agent

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2/transport"

	"firstday.dev/agent/devicekey"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testtpm"
)

// mustCheckIn makes a connection of its own, for which the key must sign.
func (m *member) mustCheckIn(t *testing.T) {
	t.Helper()
	m.directory.Close()
	m.told = [32]byte{} // so that it does not wait for news
	m.mustAttempt(t)
}

// mustWait makes attempts that fail as long as the TPM is away.
func (m *member) mustWait(t *testing.T, why error, attempts int) {
	t.Helper()
	for range attempts {
		err := m.attempt(t.Context(), newsWait)
		if !errors.Is(err, why) || api.CodeOf(err) != "" {
			t.Fatalf("it says %v, not %v", err, why)
		}
		c := &contact{random: func() float64 { return 0 }}
		m.into(&c.Enrolment)
		if wait := c.step(time.Now(), err); c.State != EnrolmentKeyWaits || wait > firstWait || !strings.Contains(c.problem(), "the device's key: ") {
			t.Fatalf("%+v, %v: %q", c.Enrolment, wait, c.problem())
		}
	}
}

// inTPM is a machine with an enrollment and a TPM.
func inTPM(t *testing.T, d *testdirectory.Service) (*machine, *testtpm.TPM) {
	t.Helper()
	m, software := joining(t, d.At, d.MustMint(api.NewConnectKey{})), testtpm.New(t)
	m.tpm = software.Open
	return m, software
}

func TestKeyInTPMEnrols(t *testing.T) {
	d := testdirectory.New(t)
	m, software := inTPM(t, d)
	end := m.run()
	e := m.becomes("enrolment", done)
	ibm := func(named *api.TPM) bool { return named != nil && named.Manufacturer == "IBM" && named.Check() == nil }
	if e.Key == nil || e.Key.Storage != api.KeyInTPM || !ibm(e.Key.TPM) || e.Key.Reason != "" {
		t.Errorf("status says %+v", e.Key)
	}
	device := d.OnlyDevice()
	if device.Facts.KeyStorage != api.KeyInTPM || !ibm(device.Facts.TPM) || len(device.Facts.Problems) != 0 {
		t.Errorf("the list shows %+v", device.Facts)
	}
	end()
	summary, files := m.diagnose()
	if k := summary.Key; k.Storage != api.KeyInTPM || !ibm(k.TPM) || !k.Works || k.State == nil || k.State.Owned || k.TPMError != "" {
		t.Errorf("diagnose finds %+v", k)
	}
	if content, err := os.ReadFile(m.Layout().DeviceKey()); err != nil || holds(fmt.Sprint(files), content) {
		t.Errorf("the bundle holds the key's file, %v", err)
	}

	// The agent starts again, then the machine.
	end = m.run()
	m.becomes("membership after a restart", done)
	end()
	software.Stop()
	software.Start()
	end = m.run()
	m.becomes("membership after a boot", done)
	end()

	old := m.laterBy(d, 4)
	end = m.run()
	leaf, err := m.renews(d, old).leaf()
	end()
	if err != nil {
		t.Fatal(err)
	}
	key, err := devicekey.Read(m.Layout().DeviceKey(), nil)
	if err != nil || !leaf.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) {
		t.Errorf("the certificate is of another key, %v", err)
	}
	if again := d.OnlyDevice(); again.ID != device.ID {
		t.Errorf("it is %v now", again.ID)
	}
}

// The key may be made, and nothing else, when the power goes.
func TestKeyInTPMOfEnrolmentThatWasCut(t *testing.T) {
	d := testdirectory.New(t)
	m, _ := inTPM(t, d)
	m.bring(d.At, d.MustMint(api.NewConnectKey{Uses: 1}))
	for range 3 {
		m.mustJoin().mustAttempt(t)
		if err := os.Remove(m.Layout().Device()); err != nil {
			t.Fatal(err)
		}
	}
	if d.OnlyDevice().Facts.KeyStorage != api.KeyInTPM {
		t.Error("the key is in a file")
	}
}

func TestKeyIsInAFileWhereTheTPMFails(t *testing.T) {
	d := testdirectory.New(t)
	for name, test := range map[string]struct {
		tpm     func() (transport.TPMCloser, error)
		reason  string
		problem bool
	}{
		"none":     {nil, "there is no TPM", false},
		"switched": {func() (transport.TPMCloser, error) { return nil, os.ErrPermission }, "permission denied", true},
	} {
		t.Run(name, func(t *testing.T) {
			m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
			m.tpm = test.tpm
			member := m.mustJoin()
			if test.problem {
				member.mustWait(t, os.ErrPermission, maxMissed-1)
			}
			for range 2 {
				member.mustAttempt(t)
				var e Enrolment
				member.into(&e)
				if e.Key.Storage != api.KeyInFile || !strings.Contains(e.Key.Reason, test.reason) || e.Key.TPM != nil {
					t.Errorf("status says %+v", e.Key)
				}
				device, err := d.Device(t.Context(), e.DeviceID)
				if err != nil {
					t.Fatal(err)
				}
				if told := strings.Contains(strings.Join(device.Facts.Problems, "\n"), test.reason); told != test.problem || device.Facts.KeyStorage != api.KeyInFile {
					t.Errorf("the list shows %+v", device.Facts)
				}
				member = m.mustJoin() // a restart
			}
		})
	}
}

// A TPM that the system has yet to prepare gets some time for it.
func TestKeyWaitsForItsTPM(t *testing.T) {
	d := testdirectory.New(t)
	m, software := inTPM(t, d)
	m.tpm = func() (transport.TPMCloser, error) { return nil, os.ErrPermission }
	member := m.mustJoin()
	member.mustWait(t, os.ErrPermission, maxMissed-1)
	m.tpm = software.Open
	member.mustAttempt(t)
	if d.OnlyDevice().Facts.KeyStorage != api.KeyInTPM {
		t.Error("the key is in a file")
	}
}

// A device that has a key in its TPM, and no membership yet, enrols whatever
// becomes of the TPM.
func TestUnfinishedEnrolmentSurvivesItsTPM(t *testing.T) {
	for name, test := range map[string]struct {
		spoil    func(*machine, *testtpm.TPM)
		attempts int // that fail
		storage  api.KeyStorage
	}{
		"cleared": {func(_ *machine, s *testtpm.TPM) { s.Stop(); s.Wipe(); s.Start() }, 0, api.KeyInTPM},
		"gone":    {func(_ *machine, s *testtpm.TPM) { s.Stop() }, maxMissed - 1, api.KeyInFile},
		"damaged file": {func(m *machine, _ *testtpm.TPM) {
			if err := os.WriteFile(m.Layout().DeviceKey(), []byte("x"), 0o600); err != nil {
				m.t.Fatal(err)
			}
		}, 0, api.KeyInTPM},
	} {
		t.Run(name, func(t *testing.T) {
			d := testdirectory.New(t)
			m, software := inTPM(t, d)
			d.Stop()
			if err := m.mustJoin().attempt(t.Context(), newsWait); !errors.Is(err, api.ErrUnreachable) {
				t.Fatal(err)
			}
			d.Serve()
			test.spoil(m, software)
			member := m.mustJoin()
			member.mustWait(t, devicekey.ErrNoTPM, test.attempts)
			member.mustAttempt(t)
			member.mustCheckIn(t)
			if f := d.OnlyDevice().Facts; f.KeyStorage != test.storage {
				t.Errorf("the list shows %+v", f)
			}
		})
	}
}

// An enrolled device whose key is lost says so, and what helps. A new package
// brings it back.
func TestKeyOfAMemberIsLost(t *testing.T) {
	for name, test := range map[string]struct {
		spoil    func(*machine, *testtpm.TPM)
		attempts int // before it is given up
		text     string
		storage  api.KeyStorage
	}{
		"TPM cleared": {func(_ *machine, s *testtpm.TPM) { s.Stop(); s.Wipe(); s.Start() }, 0, "the TPM was cleared or is another one", api.KeyInTPM},
		"TPM gone":    {func(_ *machine, s *testtpm.TPM) { s.Stop() }, maxMissed - 1, "there is no TPM", api.KeyInFile},
		"no file": {func(m *machine, _ *testtpm.TPM) {
			if err := os.Remove(m.Layout().DeviceKey()); err != nil {
				m.t.Fatal(err)
			}
		}, 0, "device.key", api.KeyInTPM},
		"damaged file": {func(m *machine, _ *testtpm.TPM) {
			if err := os.WriteFile(m.Layout().DeviceKey(), []byte("x"), 0o600); err != nil {
				m.t.Fatal(err)
			}
		}, 0, "the key's file is damaged", api.KeyInTPM},
	} {
		t.Run(name, func(t *testing.T) {
			d := testdirectory.New(t)
			m, software := inTPM(t, d)
			member := m.mustJoin()
			member.mustAttempt(t)
			member.mustCheckIn(t) // erases the connect key
			before := d.OnlyDevice().ID
			test.spoil(m, software)

			member = m.mustJoin()
			member.mustWait(t, devicekey.ErrNoTPM, test.attempts)
			for range 2 {
				err := member.attempt(t.Context(), newsWait)
				if api.CodeOf(err) != api.CodeDeviceKey || !strings.Contains(err.Error(), test.text) {
					t.Fatalf("it says %v", err)
				}
				c := &contact{random: func() float64 { return 0 }}
				member.into(&c.Enrolment)
				if c.step(time.Now(), err); c.State != EnrolmentKeyLost || !strings.Contains(c.problem(), "new package") || !strings.Contains(c.problem(), test.text) {
					t.Errorf("%+v: %q", c.Enrolment, c.problem())
				}
			}
			if d.OnlyDevice().ID != before {
				t.Error("it enrolled without a connect key")
			}
			if summary, _ := m.diagnose(); summary.Key.Works || !strings.Contains(summary.Key.Error, test.text) {
				t.Errorf("diagnose finds %+v", summary.Key)
			}

			m.bring(d.At, d.MustMint(api.NewConnectKey{}))
			member = m.mustJoin()
			member.mustWait(t, devicekey.ErrNoTPM, test.attempts)
			member.mustAttempt(t)
			member.mustCheckIn(t)
			if after := d.OnlyDevice(); after.Replaces != before || after.Facts.KeyStorage != test.storage {
				t.Errorf("the list shows %+v", after)
			}
		})
	}
}

// A TPM that goes and comes back is no loss.
func TestMembershipSurvivesAPauseOfItsTPM(t *testing.T) {
	d := testdirectory.New(t)
	m, software := inTPM(t, d)
	member := m.mustJoin()
	member.mustAttempt(t)
	before := d.OnlyDevice().ID
	software.Stop()
	member.mustWait(t, devicekey.ErrNoTPM, maxMissed-1) // although there is a connect key
	software.Start()
	member.mustCheckIn(t)
	if d.OnlyDevice().ID != before {
		t.Error("it enrolled anew")
	}
	// What the network does is not the TPM's fault.
	d.Stop()
	member.directory.Close()
	if err := member.attempt(t.Context(), newsWait); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("it says %v", err)
	}
	d.Serve()
	member.mustCheckIn(t)
}

// Keys in files of devices that enrolled before stay what they are.
func TestKeyInFileStaysThere(t *testing.T) {
	d := testdirectory.New(t)
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	m.mustJoin().mustAttempt(t)
	m.tpm = testtpm.New(t).Open
	member := m.mustJoin()
	member.mustCheckIn(t)
	if v := d.OnlyDevice(); v.Facts.KeyStorage != api.KeyInFile || v.Facts.TPM != nil {
		t.Errorf("the list shows %+v", v.Facts)
	}
	data, err := os.ReadFile(m.Layout().DeviceKey())
	if err != nil || !bytes.Contains(data, []byte("BEGIN PRIVATE KEY")) {
		t.Errorf("its file was changed, %v", err)
	}
}
