package directory

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testpostgres"
)

// postgres is started by the first test that needs it; no two run at once.
var postgres *testpostgres.Server

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimVariable); dir != "" {
		beVictim(dir)
	}
	if path := os.Getenv(lockerVariable); path != "" {
		if err := beLocker(path); err != nil {
			log.Fatal(err)
		}
		os.Exit(0)
	}
	code := m.Run()
	if postgres != nil {
		postgres.Stop()
	}
	os.Exit(code)
}

// onEachStore runs a test on SQLite, and on replicas over one PostgreSQL.
func onEachStore(t *testing.T, f func(t *testing.T, replicas []*Directory)) {
	t.Run("sqlite", func(t *testing.T) { f(t, []*Directory{open(t, t.TempDir(), "")}) })
	t.Run("postgres", func(t *testing.T) {
		if postgres == nil {
			postgres = testpostgres.Start(t)
		}
		dir, database := t.TempDir(), postgres.Database(t)
		f(t, []*Directory{open(t, dir, database), open(t, dir, database), open(t, dir, database)})
	})
}

func open(t testing.TB, dir, database string) *Directory {
	t.Helper()
	if database == "" {
		database = filepath.Join(dir, "directory.db")
	}
	d, err := Open(t.Context(), Options{Organisation: "Acme", Database: database, KeyFile: filepath.Join(dir, "directory.key"), Names: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// laptop is a device with a key of its own.
type laptop struct {
	key   *ecdsa.PrivateKey
	facts api.Facts
}

func newLaptop(t testing.TB, serial string) *laptop {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &laptop{key, api.Facts{
		Platform: api.Windows, Serial: serial, Name: "ACME-" + serial, OS: "Windows 11 Pro", OSVersion: "10.0.26100",
		Arch: "amd64", AgentVersion: "1.0.0", KeyStorage: api.KeyInFile,
	}}
}

func (l *laptop) request(t testing.TB, key api.Secret) *api.EnrollRequest {
	t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, new(x509.CertificateRequest), l.key)
	if err != nil {
		t.Fatal(err)
	}
	return &api.EnrollRequest{ConnectKey: key, Facts: l.facts, CertificateRequest: csr}
}

func mint(t testing.TB, d *Directory, n api.NewConnectKey) *api.MintedConnectKey {
	t.Helper()
	k, err := d.Mint(t.Context(), "token:ann", n)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func enroll(t testing.TB, d *Directory, l *laptop, key api.Secret) *api.EnrollResponse {
	t.Helper()
	e, err := d.Enroll(t.Context(), l.request(t, key), "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEnrolment(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		key := mint(t, first, api.NewConnectKey{Label: "spring", Batch: "PO-7", Tags: []string{"sales"}})
		l := newLaptop(t, "S1")
		e := enroll(t, last, l, key.Secret)
		if e.State != api.DeviceActive || e.CheckIn.Organisation != "Acme" || !e.CheckIn.Settings.SSAP || len(e.Certificates) != 2 {
			t.Errorf("%+v", e)
		}
		cert, err := x509.ParseCertificate(e.Certificates[0])
		if err != nil {
			t.Fatal(err)
		}
		if id, err := first.ca.device(cert); err != nil || id != e.DeviceID {
			t.Errorf("another replica takes the certificate for %v, %v", id, err)
		}
		v, err := first.Device(t.Context(), e.DeviceID)
		if err != nil || v.Batch != "PO-7" || v.KeyID != key.ID || v.Facts.Serial != "S1" || len(v.Tags) != 1 {
			t.Errorf("the list shows %+v, %v", v, err)
		}

		// The answer was lost: the device asks again, and takes no further use.
		again := enroll(t, first, l, key.Secret)
		if again.DeviceID != e.DeviceID {
			t.Errorf("the same device is %v, then %v", e.DeviceID, again.DeviceID)
		}
		keys, err := first.Keys(t.Context(), uuid.Nil)
		if err != nil || len(keys) != 1 || keys[0].Uses != 1 {
			t.Errorf("the keys are %+v, %v", keys, err)
		}
		uses, err := last.KeyUses(t.Context(), key.ID)
		if err != nil || len(uses) != 1 || uses[0].Device != e.DeviceID || uses[0].Remote != "192.0.2.7" {
			t.Errorf("the ledger is %+v, %v", uses, err)
		}
	})
}

func TestKeysAreRefused(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		revoked := mint(t, d, api.NewConnectKey{})
		if err := d.RevokeKey(t.Context(), "token:ann", revoked.ID); err != nil {
			t.Fatal(err)
		}
		if err := d.RevokeKey(t.Context(), "token:ann", revoked.ID); err != nil {
			t.Errorf("revoking again: %v", err)
		}
		if err := d.RevokeKey(t.Context(), "token:ann", uuid.New()); !errors.Is(err, api.CodeNotFound) {
			t.Errorf("revoking what is not there: %v", err)
		}
		expired := mint(t, d, api.NewConnectKey{Life: api.Duration(time.Nanosecond)})
		spent := mint(t, d, api.NewConnectKey{Uses: 1})
		enroll(t, d, newLaptop(t, "S0"), spent.Secret)
		good := mint(t, d, api.NewConnectKey{Serials: []string{"s1"}, Platforms: []api.Platform{api.Windows}, PackageID: uuid.New()})
		for name, test := range map[string]struct {
			key    api.Secret
			change func(*api.EnrollRequest)
			want   api.Code
		}{
			"good":         {good.Secret, func(*api.EnrollRequest) {}, ""},
			"unknown":      {"fdk_guess", func(*api.EnrollRequest) {}, api.CodeKeyUnknown},
			"revoked":      {revoked.Secret, func(*api.EnrollRequest) {}, api.CodeKeyRevoked},
			"expired":      {expired.Secret, func(*api.EnrollRequest) {}, api.CodeKeyExpired},
			"spent":        {spent.Secret, func(*api.EnrollRequest) {}, api.CodeKeySpent},
			"serial":       {good.Secret, func(r *api.EnrollRequest) { r.Facts.Serial = "S2" }, api.CodeKeySerial},
			"no serial":    {good.Secret, func(r *api.EnrollRequest) { r.Facts.Serial = "" }, api.CodeKeySerial},
			"platform":     {good.Secret, func(r *api.EnrollRequest) { r.Facts.Platform = api.MacOS }, api.CodeKeyPlatform},
			"package":      {good.Secret, func(r *api.EnrollRequest) { r.PackageID = uuid.New() }, api.CodeKeyPackage},
			"no facts":     {good.Secret, func(r *api.EnrollRequest) { r.Facts = api.Facts{} }, api.CodeBadRequest},
			"no request":   {good.Secret, func(r *api.EnrollRequest) { r.CertificateRequest = []byte("x") }, api.CodeBadRequest},
			"not its key":  {good.Secret, func(r *api.EnrollRequest) { r.CertificateRequest[len(r.CertificateRequest)-9] ^= 1 }, api.CodeBadRequest},
			"no key":       {"", func(*api.EnrollRequest) {}, api.CodeBadRequest},
			"a nameless p": {good.Secret, func(r *api.EnrollRequest) { r.Facts.Platform = "beos" }, api.CodeBadRequest},
		} {
			t.Run(name, func(t *testing.T) {
				r := newLaptop(t, "S1").request(t, test.key)
				r.PackageID = good.PackageID
				test.change(r)
				if _, err := d.Enroll(t.Context(), r, "192.0.2.7"); api.CodeOf(err) != test.want || test.want == "" && err != nil {
					t.Errorf("%v, want %q", err, test.want)
				}
			})
		}
		uses, err := d.KeyUses(t.Context(), good.ID)
		if err != nil || len(uses) != 5 {
			t.Errorf("the ledger has %d lines, %v: %+v", len(uses), err, uses)
		}
	})
}

func TestKeysThatMakeNoSense(t *testing.T) {
	d := open(t, t.TempDir(), "")
	for name, n := range map[string]api.NewConnectKey{
		"dead":     {Life: -1},
		"eternal":  {Life: api.Duration(maxKeyLife + 1)},
		"no uses":  {Uses: -1},
		"too many": {Uses: MaxKeyUses + 1},
		"platform": {Platforms: []api.Platform{"beos"}},
		"label":    {Label: "a\nb"},
		"serials":  {Serials: make([]string, maxSerials+1)},
	} {
		if _, err := d.Mint(t.Context(), "token:ann", n); !errors.Is(err, api.CodeBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The same device may ask several replicas at once.
func TestOneDeviceAsksManyTimesAtOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		key := mint(t, replicas[0], api.NewConnectKey{Uses: 10})
		l := newLaptop(t, "S1")
		ids := make([]uuid.UUID, 30)
		var wg sync.WaitGroup
		for i := range ids {
			r := l.request(t, key.Secret)
			wg.Go(func() {
				e, err := replicas[i%len(replicas)].Enroll(t.Context(), r, "192.0.2.7")
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = e.DeviceID
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("the device is %v and %v", ids[0], id)
			}
		}
		if keys, err := replicas[0].Keys(t.Context(), uuid.Nil); err != nil || keys[0].Uses != 1 {
			t.Errorf("%d uses are taken, %v", keys[0].Uses, err)
		}
	})
}

func TestSameHardwareAgain(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		key := mint(t, d, api.NewConnectKey{})
		before := enroll(t, d, newLaptop(t, "S1"), key.Secret)
		reset := newLaptop(t, "S1")
		after := enroll(t, d, reset, key.Secret)
		if v, err := d.Device(t.Context(), after.DeviceID); err != nil || v.Replaces != before.DeviceID || v.State != api.DeviceActive {
			t.Errorf("%+v, %v", v, err)
		}
		if _, err := d.CheckIn(t.Context(), before.DeviceID, new(api.CheckInRequest)); !errors.Is(err, api.CodeDeviceReplaced) {
			t.Errorf("what it was before: %v", err)
		}
		if list, err := d.Devices(t.Context(), "", uuid.Nil); err != nil || len(list) != 1 {
			t.Errorf("the list has %d devices, %v", len(list), err)
		}

		// Somebody uses it now: who says to be it waits until an admin looked.
		if err := d.Bind(t.Context(), "token:ann", after.DeviceID, newUser(t, d, "ann").Name); err != nil {
			t.Fatal(err)
		}
		thief := enroll(t, d, newLaptop(t, "S1"), key.Secret)
		if thief.State != api.DevicePending {
			t.Errorf("who took the serial number is %s", thief.State)
		}
		if _, err := d.CheckIn(t.Context(), after.DeviceID, new(api.CheckInRequest)); err != nil {
			t.Errorf("the device in use: %v", err)
		}
		if err := d.ApproveDevice(t.Context(), "token:ann", thief.DeviceID); err != nil {
			t.Fatal(err)
		}
		if _, err := d.CheckIn(t.Context(), after.DeviceID, new(api.CheckInRequest)); !errors.Is(err, api.CodeDeviceReplaced) {
			t.Errorf("after an admin approved the other: %v", err)
		}
	})
}

func TestApprovalAndRemoval(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		key := mint(t, first, api.NewConnectKey{Approval: true})
		l := newLaptop(t, "S1")
		e := enroll(t, last, l, key.Secret)
		if e.State != api.DevicePending {
			t.Fatalf("it is %s", e.State)
		}
		// The device hears of it while it waits, also from another replica.
		heard := make(chan *api.CheckInResponse, 1)
		go func() {
			answer, err := last.CheckIn(t.Context(), e.DeviceID, &api.CheckInRequest{Version: e.CheckIn.Version, Wait: 60})
			if err != nil {
				t.Error(err)
			}
			heard <- answer
		}()
		time.Sleep(50 * time.Millisecond)
		if err := first.ApproveDevice(t.Context(), "token:ann", e.DeviceID); err != nil {
			t.Fatal(err)
		}
		if answer := <-heard; answer == nil || answer.State != api.DeviceActive || answer.Version <= e.CheckIn.Version {
			t.Errorf("it hears %+v", answer)
		}
		if err := first.RemoveDevice(t.Context(), "token:ann", e.DeviceID); err != nil {
			t.Fatal(err)
		}
		if err := first.ApproveDevice(t.Context(), "token:ann", e.DeviceID); !errors.Is(err, api.CodeConflict) {
			t.Errorf("approving a removed device: %v", err)
		}
		if err := first.ApproveDevice(t.Context(), "token:ann", uuid.New()); !errors.Is(err, api.CodeNotFound) {
			t.Errorf("approving what is not there: %v", err)
		}
		eventually(t, func() bool {
			_, err := last.CheckIn(t.Context(), e.DeviceID, new(api.CheckInRequest))
			return errors.Is(err, api.CodeDeviceRemoved)
		})
		if _, err := last.Enroll(t.Context(), l.request(t, key.Secret), ""); !errors.Is(err, api.CodeDeviceRemoved) {
			t.Errorf("a removed device enrols again by the same key: %v", err)
		}
	})
}

// eventually waits until other replicas have heard.
func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to that")
		}
	}
}

func TestSettingsReachDevices(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		e := enroll(t, first, newLaptop(t, "S1"), mint(t, first, api.NewConnectKey{}).Secret)
		old, err := first.Settings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan *api.CheckInResponse, 1)
		go func() {
			answer, err := last.CheckIn(t.Context(), e.DeviceID, &api.CheckInRequest{Version: e.CheckIn.Version, Wait: 60})
			if err != nil {
				t.Error(err)
			}
			heard <- answer
		}()
		time.Sleep(50 * time.Millisecond)
		changed := *old
		changed.Windows.SSAP, changed.Logo = false, logo(t)
		now, err := first.SetSettings(t.Context(), "token:ann", &changed)
		if err != nil {
			t.Fatal(err)
		}
		if answer := <-heard; answer == nil || answer.Settings.SSAP || answer.Version != now.Revision || !bytes.Equal(answer.Logo, changed.Logo) {
			t.Errorf("it hears %+v", answer)
		}
		if answer, err := last.CheckIn(t.Context(), e.DeviceID, &api.CheckInRequest{Version: now.Revision}); err != nil || answer.Version != now.Revision || answer.Logo != nil {
			t.Errorf("without news it hears %+v, %v", answer, err)
		}
		if _, err := first.SetSettings(t.Context(), "token:bob", old); !errors.Is(err, api.CodeConflict) {
			t.Errorf("changing what is old: %v", err)
		}
		changed.Windows.Users = -1
		if _, err := first.SetSettings(t.Context(), "token:bob", &changed); !errors.Is(err, api.CodeBadRequest) {
			t.Errorf("settings that make no sense: %v", err)
		}
	})
}

func logo(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCheckInWaitsAndEnds(t *testing.T) {
	d := open(t, t.TempDir(), "")
	e := enroll(t, d, newLaptop(t, "S1"), mint(t, d, api.NewConnectKey{}).Secret)
	begin := time.Now()
	answer, err := d.CheckIn(t.Context(), e.DeviceID, &api.CheckInRequest{Version: e.CheckIn.Version, Wait: 1})
	if err != nil || answer.Version != e.CheckIn.Version || time.Since(begin) < time.Second {
		t.Errorf("after %v: %+v, %v", time.Since(begin), answer, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := d.CheckIn(ctx, e.DeviceID, &api.CheckInRequest{Version: e.CheckIn.Version, Wait: 60}); !errors.Is(err, context.Canceled) {
		t.Errorf("who hung up: %v", err)
	}
	if _, err := d.CheckIn(t.Context(), uuid.New(), new(api.CheckInRequest)); !errors.Is(err, api.CodeDeviceRemoved) {
		t.Errorf("a device that is not there: %v", err)
	}
	if _, err := d.CheckIn(t.Context(), e.DeviceID, &api.CheckInRequest{Wait: -1}); !errors.Is(err, api.CodeBadRequest) {
		t.Errorf("nonsense: %v", err)
	}
}

func TestRenewal(t *testing.T) {
	d := open(t, t.TempDir(), "")
	l := newLaptop(t, "S1")
	e := enroll(t, d, l, mint(t, d, api.NewConnectKey{}).Secret)
	own := l.request(t, "").CertificateRequest
	answer, err := d.CheckIn(t.Context(), e.DeviceID, &api.CheckInRequest{CertificateRequest: own})
	if err != nil || len(answer.Certificates) != 2 || bytes.Equal(answer.Certificates[0], e.Certificates[0]) {
		t.Errorf("%+v, %v", answer, err)
	}
	other := newLaptop(t, "S1").request(t, "").CertificateRequest
	for name, request := range map[string][]byte{"another key": other, "nonsense": []byte("x")} {
		if _, err := d.CheckIn(t.Context(), e.DeviceID, &api.CheckInRequest{CertificateRequest: request}); !errors.Is(err, api.CodeBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCertificates(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	d := open(t, dir, "")
	d.ca.now = func() time.Time { return now }
	l := newLaptop(t, "S1")
	id := uuid.New()
	der, err := d.ca.deviceCertificates(id, &l.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		at   time.Duration
		good bool
	}{
		"now":             {0, true},
		"before":          {-backdate - time.Hour, false},
		"in a drawer":     {deviceLife + grace/2, true},
		"in a drawer too": {deviceLife + grace + time.Hour, false},
	} {
		now = time.Now().Add(test.at)
		if got, err := d.ca.device(cert); (err == nil) != test.good || err == nil && got != id {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	now = time.Now()
	other := open(t, t.TempDir(), "")
	if _, err := other.ca.device(cert); err == nil {
		t.Error("another directory takes the certificate")
	}
	server, err := d.ca.serverCertificate(d.Names)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.ca.device(server.Leaf); err == nil {
		t.Error("the directory's own certificate passes for a device's")
	}
	same := func() bool {
		next, err := d.ca.serverCertificate(d.Names)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Equal(next.Certificate[0], server.Certificate[0])
	}
	if !same() {
		t.Error("each connection gets another certificate")
	}
	if now = now.Add(serverLife); same() {
		t.Error("the certificate is not renewed")
	}
}

// The CA is that of the database: its pin stays, and only the key file opens it.
func TestPinStays(t *testing.T) {
	dir := t.TempDir()
	pin := open(t, dir, "").Pin()
	if again := open(t, dir, "").Pin(); again != pin {
		t.Errorf("the pin was %s, and is %s", pin, again)
	}
	if err := os.Remove(filepath.Join(dir, "directory.key")); err != nil {
		t.Fatal(err)
	}
	o := Options{Organisation: "Acme", Database: filepath.Join(dir, "directory.db"), KeyFile: filepath.Join(dir, "directory.key")}
	if _, err := Open(t.Context(), o); !errors.Is(err, errSealed) {
		t.Errorf("with another key: %v", err)
	}
	if err := os.WriteFile(o.KeyFile, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); err == nil {
		t.Error("with a short key it opens")
	}
	if info, err := os.Stat(o.Database); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the database has mode %v, %v", info.Mode(), err)
	}
}

// checkAudit makes sure that nothing of the log is missing, and gives it.
func checkAudit(t *testing.T, d *Directory) (log []byte, entries int64) {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for e, err := range d.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if err := enc.Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	proof, err := api.VerifyAudit(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Error(err)
	}
	return out.Bytes(), proof.Entries
}

func TestAuditShowsWhatWasChanged(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		for i := range 3 {
			mint(t, d, api.NewConnectKey{Label: fmt.Sprintf("<key %d> & ü", i)})
		}
		whole, entries := checkAudit(t, d)
		if entries != 3 {
			t.Errorf("%d entries", entries)
		}
		log := string(whole)
		lines := strings.SplitAfter(log, "\n")
		for name, changed := range map[string]string{
			"a word":        strings.Replace(log, "key.create", "key.revoke", 1),
			"a detail":      strings.Replace(log, "key 1", "key 7", 1),
			"a time":        strings.Replace(log, `"time":"2`, `"time":"3`, 1),
			"one left out":  lines[0] + lines[2],
			"another order": lines[1] + lines[0] + lines[2],
			"the first":     lines[1] + lines[2],
			"nonsense":      lines[0] + "{",
		} {
			if changed == log {
				t.Fatalf("%s: nothing was changed", name)
			}
			if _, err := api.VerifyAudit(strings.NewReader(changed)); !errors.Is(err, api.ErrAudit) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A device's certificate is one that crypto/tls takes, too.
func TestDeviceCertificateServesTLS(t *testing.T) {
	d := open(t, t.TempDir(), "")
	l := newLaptop(t, "S1")
	e := enroll(t, d, l, mint(t, d, api.NewConnectKey{}).Secret)
	chain := tls.Certificate{Certificate: e.Certificates, PrivateKey: l.key}
	leaf, err := x509.ParseCertificate(chain.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(d.ca.cert)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
}
