package logon

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// The bytes, as the structure's definition in ntsecapi.h has them.
func TestPackGolden(t *testing.T) {
	for _, test := range []struct{ name, domain, user, password, want string }{
		{
			"plain", "PC", "ann", "pw",
			"02000000 00000000" +
				"0400 0400 00000000 4000000000000000" +
				"0600 0600 00000000 4400000000000000" +
				"0400 0400 00000000 4a00000000000000" +
				"0000000000000000" +
				"5000 4300" + "6100 6e00 6e00" + "7000 7700",
		},
		{
			"an empty domain, and a password beyond ASCII and the first plane", "", "jörg", "ß€😀",
			"02000000 00000000" +
				"0000 0000 00000000 4000000000000000" +
				"0800 0800 00000000 4000000000000000" +
				"0800 0800 00000000 4800000000000000" +
				"0000000000000000" +
				"6a00 f600 7200 6700" + "df00 ac20 3dd8 00de",
		},
		{
			"no password", "", "a", "",
			"02000000 00000000" +
				"0000 0000 00000000 4000000000000000" +
				"0200 0200 00000000 4000000000000000" +
				"0000 0000 00000000 4200000000000000" +
				"0000000000000000" +
				"6100",
		},
	} {
		got, err := Pack(test.domain, test.user, []byte(test.password))
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(strings.ReplaceAll(test.want, " ", ""), hex.EncodeToString(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestPackHasBounds(t *testing.T) {
	domain, user, password := strings.Repeat("D", maxDomain), strings.Repeat("u", maxUser), strings.Repeat("😀", maxPassword/2)
	got, err := Pack(domain, user, []byte(password))
	if err != nil || len(got) != MaxSize {
		t.Fatalf("the longest: %d bytes, %v", len(got), err)
	}
	if diff := cmp.Diff([]string{domain, user, password}, unpack(t, got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, test := range map[string][3]string{
		"a long domain":     {domain + "D", "ann", "pw"},
		"a long user":       {"PC", user + "u", "pw"},
		"a long password":   {"PC", "ann", password + "hunter22"},
		"no user":           {"PC", "", "pw"},
		"NUL":               {"PC", "ann", "hunter22\x00"},
		"what is not UTF-8": {"PC", "ann", "hunter22\xff"},
	} {
		got, err := Pack(test[0], test[1], []byte(test[2]))
		if err == nil || got != nil {
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: the error quotes the password: %v", name, err)
		}
	}
}

// unpack reads the bytes as Windows does: by their pointers.
func unpack(t *testing.T, b []byte) (texts []string) {
	t.Helper()
	if binary.LittleEndian.Uint32(b) != 2 || binary.LittleEndian.Uint64(b[56:]) != 0 {
		t.Fatalf("the head is % x", b[:64])
	}
	for at := 8; at < 56; at += 16 {
		length, room, from := binary.LittleEndian.Uint16(b[at:]), binary.LittleEndian.Uint16(b[at+2:]), binary.LittleEndian.Uint64(b[at+8:])
		if length != room || length%2 != 0 || from < 64 || from+uint64(length) > uint64(len(b)) {
			t.Fatalf("a string of %d bytes, room for %d, at %d of %d", length, room, from, len(b))
		}
		var units []uint16
		for i := from; i < from+uint64(length); i += 2 {
			units = append(units, binary.LittleEndian.Uint16(b[i:]))
		}
		texts = append(texts, string(utf16.Decode(units)))
	}
	return texts
}

// Whatever is packed comes out again, or is refused.
func FuzzPack(f *testing.F) {
	f.Add("PC", "ann", "Grüße von 100 % Acme")
	f.Add("", "jörg", "😀")
	f.Add("PC", "ann", "\xf0\x9f")
	f.Fuzz(func(t *testing.T, domain, user, password string) {
		got, err := Pack(domain, user, []byte(password))
		if err != nil {
			return
		}
		if !utf8.ValidString(password) {
			t.Fatal("what is not text is taken")
		}
		if diff := cmp.Diff([]string{domain, user, password}, unpack(t, got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
