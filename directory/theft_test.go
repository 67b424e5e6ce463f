package directory

import (
	"crypto/tls"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// Who copied a connect key off a stick brings hardware of their own: what the
// key allows and what an admin sees of it.
func TestStolenConnectKey(t *testing.T) {
	d := open(t, t.TempDir(), "")
	admin := client(t, serve(t, d), nil)
	admin.Token = token(t, d, api.Owner)
	try := func(key api.Secret, serial string) error {
		_, err := d.enrollStranger(t.Context(), newLaptop(t, serial).request(t, key), "203.0.113.66")
		return err
	}

	// A key for the laptops of an order is of no use elsewhere, and the attempt
	// stands in its ledger and in the audit log.
	ordered := mint(t, d, api.NewConnectKey{Serials: []string{"S1", "S2"}, Uses: 2})
	enroll(t, d, newLaptop(t, "S1"), ordered.Secret)
	if err := try(ordered.Secret, "THIEF"); !errors.Is(err, api.CodeKeySerial) {
		t.Errorf("another serial number: %v", err)
	}
	uses, err := admin.KeyUses(t.Context(), ordered.ID)
	if err != nil || len(uses) != 2 || uses[0].Refusal != api.CodeKeySerial || uses[0].Serial != "THIEF" || uses[0].Remote != "203.0.113.66" {
		t.Errorf("the ledger shows %+v, %v", uses, err)
	}
	keys, err := admin.Keys(t.Context())
	if err != nil || keys[0].Uses != 1 {
		t.Errorf("the refusal took a use: %+v, %v", keys, err)
	}
	entries, err := admin.Audit(t.Context(), 0)
	if err != nil || entries[len(entries)-1].Action != "device.refuse" {
		t.Errorf("the audit log ends with %+v, %v", entries[len(entries)-1], err)
	}

	// Nobody finds a good serial number by trying: the key is not looked at for
	// a while, and the ledger is not filled.
	for range 100 {
		err = try(ordered.Secret, uuid.NewString())
	}
	if !errors.Is(err, api.CodeTooMany) {
		t.Errorf("after a hundred serial numbers: %v", err)
	}
	if uses, err = admin.KeyUses(t.Context(), ordered.ID); err != nil || len(uses) > 30 {
		t.Errorf("the ledger has %d lines, %v", len(uses), err)
	}

	// Who knows a good one takes the place of nobody who has a user: an admin
	// sees two devices of one serial number, and decides.
	device := enroll(t, d, newLaptop(t, "S7"), mint(t, d, api.NewConnectKey{}).Secret)
	if err := signInFully(t, d, device.DeviceID, newUser(t, d, "ann").ID); err != nil {
		t.Fatal(err)
	}
	open := mint(t, d, api.NewConnectKey{})
	if err := try(open.Secret, "S7"); err != nil {
		t.Fatal(err)
	}
	list, err := admin.Devices(t.Context())
	states := make(map[api.DeviceState]int)
	for _, v := range list {
		if v.Facts.Serial == "S7" {
			states[v.State]++
		}
	}
	if err != nil || states[api.DeviceActive] != 1 || states[api.DevicePending] != 1 {
		t.Errorf("the list shows %v, %v", states, err)
	}

	// What a key without limits let in is found by the key, and removed.
	if err := try(open.Secret, "ANY"); err != nil {
		t.Fatal(err)
	}
	if err := admin.RevokeKey(t.Context(), open.ID); err != nil {
		t.Fatal(err)
	}
	if uses, err = admin.KeyUses(t.Context(), open.ID); err != nil || len(uses) != 2 {
		t.Fatalf("%d uses, %v", len(uses), err)
	}
	for _, u := range uses {
		if err := admin.RemoveDevice(t.Context(), u.Device); err != nil {
			t.Error(err)
		}
		if _, err := d.CheckIn(t.Context(), u.Device, new(api.CheckInRequest)); !errors.Is(err, api.CodeDeviceRemoved) {
			t.Errorf("removed: %v", err)
		}
	}
	if err := try(open.Secret, "LATER"); !errors.Is(err, api.CodeKeyRevoked) {
		t.Errorf("after the key was revoked: %v", err)
	}
}

// A device speaks for itself, whatever it writes: it is who its certificate says.
func TestAnotherDevicesIDChangesNothing(t *testing.T) {
	d := open(t, t.TempDir(), "")
	at := serve(t, d)
	key := mint(t, d, api.NewConnectKey{})
	victim := newDevice(t, d, "VICTIM")
	own := newLaptop(t, "S1")
	e := enroll(t, d, own, key.Secret)
	device := client(t, at, &tls.Certificate{Certificate: e.Certificates, PrivateKey: own.key})
	own.facts.Name = "CHANGED"
	for path, body := range map[string]map[string]any{
		api.PathCheckIn: {"deviceId": victim, "device": victim, "id": victim, "facts": own.facts},
		api.PathSignIn:  {"deviceId": victim, "device": victim},
		api.PathEscrow:  {"device": victim, "account": "rescue", "sealed": []byte("x"), "recoveryKey": "age1" + strings.Repeat("q", 58)},
	} {
		if err := device.Do(t.Context(), "POST", path, body, nil); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	v, err := d.Device(t.Context(), victim)
	if err != nil || v.Facts.Name != "ACME-VICTIM" {
		t.Errorf("the other device is %+v, %v", v, err)
	}
	if v, err = d.Device(t.Context(), e.DeviceID); err != nil || v.Facts.Name != "CHANGED" {
		t.Errorf("the device itself is %+v, %v", v, err)
	}
	for what, query := range map[string]string{"a sign-in": `SELECT COUNT(*) FROM sign_ins WHERE device = $1`, "an escrow": `SELECT COUNT(*) FROM escrows WHERE device = $1`} {
		var n int
		if err := d.store.read.QueryRowContext(t.Context(), query, victim.String()).Scan(&n); err != nil || n != 0 {
			t.Errorf("the other device has %s: %d, %v", what, n, err)
		}
	}
	// A device code or a ticket of another device opens nothing, either.
	others := start(t, d, victim)
	for _, err := range []error{
		func() error {
			_, err := device.WhoSignedIn(t.Context(), &api.TokenRequest{DeviceCode: others.DeviceCode})
			return err
		}(),
		device.CancelSignIn(t.Context(), &api.CancelRequest{DeviceCode: others.DeviceCode}),
	} {
		if err != nil && !errors.Is(err, api.CodeExpiredToken) {
			t.Error(err)
		}
	}
	s, err := d.findSignIn(t.Context(), api.ParseUserCode(others.UserCode))
	if err != nil || s.state != signInPending {
		t.Errorf("the other's sign-in is %+v, %v", s, err)
	}
}

// How many codes somebody may try while one holds, from an address and from
// many, and how likely it is that one is a code that some device shows. The
// figures stand in docs/security.md.
func TestGuessesPerCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimits()
		guesses := func(address string) (n float64) {
			key := addressKey(address)
			for end := time.Now().Add(api.SignInLife); time.Now().Before(end); time.Sleep(time.Second) {
				for {
					if _, ok := l.codes.left(key); !ok {
						break
					}
					l.codes.take(key)
					n++
				}
			}
			return n
		}
		codes := math.Pow(float64(len(api.UserCodeLetters)), api.UserCodeLength)
		if bits := math.Log2(codes); bits < 34.5 || bits > 34.6 {
			t.Errorf("a code has %.1f bits", bits)
		}
		one := guesses("192.0.2.1")
		if one > 110 {
			t.Errorf("an address has %v guesses", one)
		}
		// A network that a subscriber of IPv6 has is one address.
		if addressKey("2001:db8::1") != addressKey("2001:db8::ffff:ffff:ffff:ffff") || addressKey("2001:db8::1") == addressKey("2001:db8:0:1::1") {
			t.Error("IPv6 networks are not told apart by their first 64 bits")
		}
		if addressKey(netip.MustParseAddr("::ffff:192.0.2.1").String()) != addressKey("192.0.2.1") {
			t.Error("an IPv4 address has two buckets")
		}
		for _, test := range []struct{ addresses, shown, most float64 }{
			{1, 1, 1e-8}, {1, 100, 1e-6}, {10_000, 1, 1e-4}, {10_000, 100, 5e-3},
		} {
			p := 1 - math.Pow(1-test.shown/codes, one*test.addresses)
			if p > test.most {
				t.Errorf("%v addresses find one of %v codes with a probability of %g", test.addresses, test.shown, p)
			}
			t.Logf("%v guesses from %v addresses find one of %v codes with a probability of %.2g", one*test.addresses, test.addresses, test.shown, p)
		}
	})
}
