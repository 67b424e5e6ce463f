package agent

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firstday.dev/api"
	"firstday.dev/internal/statefile"
	"firstday.dev/internal/testdirectory"
)

// joining is a machine with an enrollment for a directory and no payloads.
func joining(t *testing.T, d api.Directory, key api.Secret) *machine {
	t.Helper()
	m := newMachine(t)
	m.limits.dial = dialDirectory
	m.limits.Random = func() float64 { return 0 }
	if err := os.MkdirAll(m.Layout().Data, 0o755); err != nil {
		t.Fatal(err)
	}
	m.bring(d, key)
	return m
}

// bring puts an enrollment there, as a package does.
func (m *machine) bring(d api.Directory, key api.Secret) {
	m.t.Helper()
	e := sample("1.2.3")
	for i := range e.Agents {
		e.Agents[i].CredentialProvider = api.CarriedFile{}
	}
	e.Payloads, e.Directory, e.ConnectKey, e.BreakGlass = nil, d, key, "rescue"
	if err := statefile.WriteBytes(m.Layout().Enrollment(), deliver(m.t, e).raw); err != nil {
		m.t.Fatal(err)
	}
}

// run runs the service until the function it gives is called.
func (m *machine) run() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.program("1.2.3", false).Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			m.t.Error(err)
		}
	}
}

// mustJoin makes the membership of a machine, as its service does when it starts.
func (m *machine) mustJoin() *member {
	m.t.Helper()
	raw, err := os.ReadFile(m.Layout().Enrollment())
	if err != nil {
		m.t.Fatal(err)
	}
	e, err := api.ReadEnrollment(bytes.NewReader(raw))
	if err != nil {
		m.t.Fatal(err)
	}
	member, err := m.program("1.2.3", false).newMember(e, raw)
	if err != nil {
		m.t.Fatal(err)
	}
	return member
}

func (m *member) mustAttempt(t *testing.T) {
	t.Helper()
	if err := m.attempt(t.Context(), newsWait); err != nil {
		t.Fatal(err)
	}
}

// becomes waits until the service reports what is wanted.
func (m *machine) becomes(what string, is func(Enrolment) bool) Enrolment {
	m.t.Helper()
	var last Enrolment
	eventually(m.t, what, func() bool {
		r, err := readReport(m.Layout().Report())
		if err != nil {
			return false
		}
		last = r.Enrolment
		return is(last)
	})
	return last
}

func done(e Enrolment) bool { return e.State == EnrolmentDone }

func TestDeviceEnrolsAndHearsOfChanges(t *testing.T) {
	d := testdirectory.New(t)
	key := d.MustMint(api.NewConnectKey{Batch: "PO-7"})
	m := joining(t, d.At, key)
	end := m.run()
	e := m.becomes("enrolment", done)
	device := d.OnlyDevice()
	if device.ID != e.DeviceID || device.Facts.Serial != "SN-1" || device.Batch != "PO-7" || device.Facts.AgentVersion != "1.2.3" {
		t.Errorf("the list shows %+v", device)
	}
	eventually(t, "the connect key to be erased", func() bool {
		raw, err := os.ReadFile(m.Layout().Enrollment())
		return err == nil && !bytes.Contains(raw, []byte(key.Reveal()))
	})
	if p := e.problem(); p != "" {
		t.Errorf("status says %q", p)
	}

	settings, err := d.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	settings.Windows.SSAP = false
	changed := time.Now()
	now, err := d.SetSettings(t.Context(), "token:ann", settings)
	if err != nil {
		t.Fatal(err)
	}
	m.becomes("the new settings", func(e Enrolment) bool { return e.Version == now.Revision })
	if took := time.Since(changed); took > 5*time.Second {
		t.Errorf("the device heard of it after %v", took)
	}
	r, err := readRecord(m.Layout().Device(), d.At)
	if err != nil || r.Heard.Settings.SSAP {
		t.Errorf("it keeps %+v, %v", r, err)
	}

	// Another start, without a key: it is still a member.
	end()
	end = m.run()
	m.becomes("membership after a restart", done)
	if again := d.OnlyDevice(); again.ID != device.ID {
		t.Errorf("after a restart it is %v", again.ID)
	}

	// Removed, it is out; a new package brings it back, as another device.
	if err := d.RemoveDevice(t.Context(), "token:ann", device.ID); err != nil {
		t.Fatal(err)
	}
	out := m.becomes("removal", func(e Enrolment) bool { return e.State == EnrolmentRefused })
	if out.Code != api.CodeDeviceRemoved || !strings.Contains(out.problem(), "removed") {
		t.Errorf("%+v: %q", out, out.problem())
	}
	end()
	m.bring(d.At, d.MustMint(api.NewConnectKey{}))
	end = m.run()
	defer end()
	if e := m.becomes("enrolment by a new package", done); e.DeviceID == device.ID {
		t.Error("a removed device came back as it was")
	}
}

// Installer puts the connect key back wherever a package is installed again.
func TestInstalledAgainTheConnectKeyIsErasedAgain(t *testing.T) {
	d := testdirectory.New(t)
	key := d.MustMint(api.NewConnectKey{})
	m := newMachine(t)
	m.tile = nil
	m.limits.dial = dialDirectory
	e := sample("1.2.3")
	e.Payloads, e.Directory, e.ConnectKey = nil, d.At, key
	held := func() bool {
		raw, err := os.ReadFile(m.Layout().Enrollment())
		return err != nil || bytes.Contains(raw, []byte(key.Reveal()))
	}
	for range 2 {
		m.put(e, "1.2.3")
		if _, err := m.agent("1.2.3").InstallInPlace(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the connect key to be erased", func() bool { return !held() })
	}
	if device := d.OnlyDevice(); device.State != api.DeviceActive {
		t.Errorf("the directory knows %+v", device)
	}
}

func TestDeviceWaitsForItsDirectory(t *testing.T) {
	d := testdirectory.New(t)
	key := d.MustMint(api.NewConnectKey{})
	d.Stop()
	m := joining(t, d.At, key)
	defer m.run()()
	e := m.becomes("an attempt", func(e Enrolment) bool { return e.State == EnrolmentNoDirectory })
	if !strings.Contains(e.problem(), "no directory answered") {
		t.Errorf("status says %q", e.problem())
	}
}

func TestDeviceIsRefused(t *testing.T) {
	d := testdirectory.New(t)
	m := joining(t, d.At, "fdk_guess")
	defer m.run()()
	if e := m.becomes("a refusal", func(e Enrolment) bool { return e.State == EnrolmentRefused }); e.Code != api.CodeKeyUnknown {
		t.Errorf("%+v", e)
	}
}

// The answer to an enrolment may be lost, or the device may die before it is
// written down: the next attempt is the same device's.
func TestEnrolmentThatWasCutIsTheSameDevice(t *testing.T) {
	d := testdirectory.New(t)
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{Uses: 1}))
	for range 3 {
		m.mustJoin().mustAttempt(t)
		if err := os.Remove(m.Layout().Device()); err != nil {
			t.Fatal(err)
		}
	}
	d.OnlyDevice() // one
}

func TestMembershipLostWithItsKey(t *testing.T) {
	d := testdirectory.New(t)
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	end := m.run()
	m.becomes("enrolment", done)
	eventually(t, "the connect key to be erased", func() bool {
		raw, err := os.ReadFile(m.Layout().Enrollment())
		return err == nil && !bytes.Contains(raw, []byte("fdk_"))
	})
	end()
	if err := os.Remove(m.Layout().Device()); err != nil {
		t.Fatal(err)
	}
	defer m.run()()
	e := m.becomes("a refusal", func(e Enrolment) bool { return e.State == EnrolmentRefused })
	if !strings.Contains(e.problem(), "new package") {
		t.Errorf("status says %q", e.problem())
	}
}

func TestCertificateIsRenewed(t *testing.T) {
	d := testdirectory.New(t)
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	end := m.run()
	m.becomes("enrolment", done)
	end()
	old := m.laterBy(d, 4)
	defer m.run()()
	m.renews(d, old)
}

// laterBy makes the device believe that the directory's clock is so many months
// further, and gives the certificate that it has.
func (m *machine) laterBy(d *testdirectory.Service, months int) (certificate []byte) {
	m.t.Helper()
	r, err := readRecord(m.Layout().Device(), d.At)
	if err != nil {
		m.t.Fatal(err)
	}
	r.Heard.Time = r.Heard.Time.AddDate(0, months, 0)
	if err := statefile.Write(m.Layout().Device(), r); err != nil {
		m.t.Fatal(err)
	}
	return r.Certificates[0]
}

func (m *machine) renews(d *testdirectory.Service, old []byte) (r *record) {
	m.t.Helper()
	eventually(m.t, "another certificate", func() (is bool) {
		var err error
		r, err = readRecord(m.Layout().Device(), d.At)
		return err == nil && !bytes.Equal(r.Certificates[0], old)
	})
	return r
}

func TestRecordsOfOtherDirectories(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device.json")
	here := api.Directory{URL: "https://a.example", Pin: "sha256:1"}
	if r, err := readRecord(path, here); r != nil || err != nil {
		t.Errorf("%v, %v", r, err)
	}
	if err := statefile.Write(path, &record{Schema: stateSchema, Directory: here}); err != nil {
		t.Fatal(err)
	}
	for d, same := range map[api.Directory]bool{
		here: true,
		{URL: "https://b.example", Pin: "sha256:1"}: true, // it moved
		{URL: "https://a.example", Pin: "sha256:2"}: false,
		{URL: "https://a.example"}:                  false,
	} {
		if r, err := readRecord(path, d); (r != nil) != same || err != nil {
			t.Errorf("%v: %v, %v", d, r, err)
		}
	}
	if err := statefile.Write(path, &record{Schema: stateSchema + 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := readRecord(path, here); err == nil {
		t.Error("a newer record was read")
	}
}

// The logo comes with news only, and is not lost by an answer without; an agent that
// starts anew, perhaps after one that knew no logos, is told.
func TestLogoIsKept(t *testing.T) {
	d := testdirectory.New(t)
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	var logo bytes.Buffer
	if err := png.Encode(&logo, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	d.Change(func(s *api.Settings) { s.Logo = logo.Bytes() })
	member := m.mustJoin()
	kept := func(when string) {
		t.Helper()
		r, err := readRecord(m.Layout().Device(), d.At)
		if err != nil || !bytes.Equal(r.Heard.Logo, logo.Bytes()) {
			t.Errorf("%s: %+v, %v", when, r, err)
		}
	}
	for _, when := range []string{"enrolled", "with facts", "without"} {
		if err := member.attempt(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		kept(when)
	}
	forgetful := *member.current()
	forgetful.Heard.Logo = nil
	if err := member.keep(&forgetful); err != nil {
		t.Fatal(err)
	}
	m.mustJoin().mustAttempt(t)
	kept("by another agent")
}
