package desktop

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

// Made by hand from [MS-DTYP] 2.4.2.2, 2.4.4 and 2.4.5.
var (
	system = fromHex("01 01 0000 00000005 12000000")                   // S-1-5-18
	admins = fromHex("01 02 0000 00000005 20000000 20020000")          // S-1-5-32-544
	logon  = fromHex("01 03 0000 00000005 05000000 00000000 39300000") // S-1-5-5-0-12345

	allowSystem     = fromHex("00 00 1400 ff010f00 01 01 0000 00000005 12000000")
	denyAdmins      = fromHex("01 00 1800 40000000 01 02 0000 00000005 20000000 20020000")
	inheritedSystem = fromHex("00 10 1400 ff010f00 01 01 0000 00000005 12000000")
	inheritedDeny   = fromHex("01 10 1400 ff010f00 01 01 0000 00000005 12000000")
	object          = fromHex("05 00 0c00 01020304 05060708") // a kind that is not looked into
	allowLogon      = fromHex("00 00 1c00 23000000 01 03 0000 00000005 05000000 00000000 39300000")
)

const someMask = 0x23

func fromHex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func list(parts ...[]byte) []byte {
	acl, err := assemble(2, parts)
	if err != nil {
		panic(err)
	}
	return acl
}

func TestGrant(t *testing.T) {
	for name, test := range map[string]struct{ before, after []byte }{
		"empty":                  {list(), list(allowLogon)},
		"before what allows":     {list(allowSystem), list(allowLogon, allowSystem)},
		"after what denies":      {list(denyAdmins, allowSystem), list(denyAdmins, allowLogon, allowSystem)},
		"before what is below":   {list(denyAdmins, inheritedDeny, inheritedSystem), list(denyAdmins, allowLogon, inheritedDeny, inheritedSystem)},
		"only what denies":       {list(denyAdmins), list(denyAdmins, allowLogon)},
		"beside what is unknown": {list(object, allowSystem), list(allowLogon, object, allowSystem)},
		"again":                  {list(allowSystem, allowLogon), list(allowSystem, allowLogon)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := grant(test.before, logon, someMask)
			if err != nil || !bytes.Equal(got, test.after) {
				t.Fatalf("got %x, %v, want %x", got, err, test.after)
			}
			if bytes.Equal(test.before, test.after) {
				return
			}
			if back, err := revoke(got, logon, someMask); err != nil || !bytes.Equal(back, test.before) {
				t.Errorf("taken back: %x, %v, want %x", back, err, test.before)
			}
		})
	}
}

// Entries of others stay, even for the same SID or with the same mask.
func TestRevokeTakesOursOnly(t *testing.T) {
	more := allowing(logon, someMask|0x100)
	others := list(denyAdmins, more, allowing(admins, someMask), allowing(system, someMask))
	if got, err := revoke(others, logon, someMask); err != nil || !bytes.Equal(got, others) {
		t.Errorf("got %x, %v, want %x", got, err, others)
	}
}

func TestWhatIsNoAccessList(t *testing.T) {
	good := list(denyAdmins, allowSystem)
	with := func(at int, b ...byte) []byte { c := bytes.Clone(good); copy(c[at:], b); return c }
	for name, acl := range map[string][]byte{
		"nothing":           nil,
		"short":             good[:7],
		"cut off":           good[:len(good)-1],
		"smaller than head": with(2, 7, 0),
		"one entry more":    with(4, 3, 0),
		"entry of nothing":  with(8+2, 0, 0),
		"entry too long":    with(8+2, 0xff, 0xff),
	} {
		if _, err := grant(acl, logon, someMask); !errors.Is(err, errACL) {
			t.Errorf("grant, %s: %v", name, err)
		}
		if _, err := revoke(acl, logon, someMask); !errors.Is(err, errACL) {
			t.Errorf("revoke, %s: %v", name, err)
		}
	}
}

// Windows counts the bytes of a list with 16 bits.
func TestFullAccessList(t *testing.T) {
	full := list(slices.Repeat([][]byte{allowSystem}, (maxACL-aclHeader)/len(allowSystem))...)
	if _, err := grant(full, logon, someMask); err == nil {
		t.Error("no error")
	}
}

func FuzzGrant(f *testing.F) {
	f.Add(list(), logon, uint32(someMask))
	f.Add(list(denyAdmins, allowSystem, inheritedSystem), logon, uint32(0xffffffff))
	f.Add(list(object, allowLogon), system, uint32(0))
	f.Add([]byte{2, 0, 9, 0, 1, 0, 0, 0, 0}, admins, uint32(1))
	f.Fuzz(func(t *testing.T, acl, sid []byte, mask uint32) {
		if len(sid) > 68 { // SECURITY_MAX_SID_SIZE
			return
		}
		before, err := entries(acl)
		if err != nil {
			return
		}
		kept := bytes.Clone(acl)
		with, err := grant(acl, sid, mask)
		if err != nil {
			return
		}
		if !bytes.Equal(acl, kept) {
			t.Fatal("the list it was given was changed")
		}
		after, err := entries(with)
		if err != nil || int(binary.LittleEndian.Uint16(with[2:])) != len(with) {
			t.Fatalf("%x: %v", with, err)
		}
		e := allowing(sid, mask)
		had := slices.ContainsFunc(before, func(o []byte) bool { return bytes.Equal(o, e) })
		if want := len(before) + 1; !had && len(after) != want || had && len(after) != len(before) {
			t.Fatalf("%d entries, before %d", len(after), len(before))
		}
		without, err := revoke(with, sid, mask)
		if err != nil {
			t.Fatal(err)
		}
		rest, err := entries(without)
		if err != nil {
			t.Fatal(err)
		}
		before = slices.DeleteFunc(before, func(o []byte) bool { return bytes.Equal(o, e) })
		if !slices.EqualFunc(rest, before, bytes.Equal) {
			t.Fatalf("%x is left of %x", rest, before)
		}
	})
}
