package macho

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testtool"
)

// developer makes a chain like those of Apple's Developer ID.
func developer(t testing.TB, marked bool) []*x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var chain []*x509.Certificate
	for i, name := range []string{"Root", "Authority", "Developer"} {
		c := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), NotBefore: time.Now(), NotAfter: time.Now().AddDate(1, 0, 0),
			Subject: pkix.Name{CommonName: name, Organization: []string{"Test " + name}, OrganizationalUnit: []string{"9TEAM12345"}},
			IsCA:    i < 2, BasicConstraintsValid: true,
		}
		if marked && i > 0 {
			mark := map[int]asn1.ObjectIdentifier{1: oidDeveloperIDAuthority, 2: oidDeveloperIDApplication}[i]
			c.ExtraExtensions = []pkix.Extension{{Id: mark, Critical: true, Value: []byte{5, 0}}}
		}
		parent := c
		if i > 0 {
			parent = chain[0]
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		chain = append([]*x509.Certificate{c}, chain...)
	}
	return chain
}

const entitlements = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict><key>z.number</key><integer>5</integer><key>com.apple.security.cs.allow-jit</key><true/>
<key>keychain-access-groups</key><array><string>a</string><string>b</string></array></dict></plist>
`

// programs are real ones: thin for both architectures, and universal.
func programs(t testing.TB) map[string]Program {
	all := map[string]Program{"amd64": contents(t, build(t, "amd64")), "arm64": contents(t, build(t, "arm64"))}
	var fat bytes.Buffer
	if err := MakeFat(&fat, all["amd64"], all["arm64"]); err != nil {
		t.Fatal(err)
	}
	all["universal"] = Program{bytes.NewReader(fat.Bytes()), int64(fat.Len())}
	return all
}

func sign(t testing.TB, p Program, o SignOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Sign(t.Context(), &b, p, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func program(b []byte) Program { return Program{bytes.NewReader(b), int64(len(b))} }

// judgeAll lets the judge and LLVM look at every slice.
func judgeAll(t *testing.T, b []byte, identifier string) {
	t.Helper()
	slices, err := Slices(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slices {
		if got, err := judge(b[s.Offset : s.Offset+s.Size]); err != nil || got != identifier {
			t.Errorf("%v: %q, %v", s.CPU, got, err)
		}
	}
	path := filepath.Join(t.TempDir(), "signed")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	objdump := testtool.LLVM(t, "llvm-objdump")
	out, err := exec.Command(objdump, "--macho", "--arch=all", "--private-headers", path).CombinedOutput()
	if err != nil || strings.Count(string(out), "LC_CODE_SIGNATURE") != len(slices) {
		t.Errorf("llvm-objdump: %v\n%s", err, out)
	}
}

func TestSignRealPrograms(t *testing.T) {
	chain := developer(t, true)
	cms := func(_ context.Context, codeDirectory []byte) ([]byte, error) {
		return append([]byte("signature of "), codeDirectory[:20]...), nil
	}
	for name, p := range programs(t) {
		t.Run(name, func(t *testing.T) {
			o := SignOptions{
				Identifier: "com.example.agent", Runtime: true, Entitlements: []byte(entitlements),
				InfoPlist: []byte("info"), CodeResources: []byte("resources"),
				Signer: &Signer{Chain: chain, CMS: cms},
			}
			signed := sign(t, p, o)
			judgeAll(t, signed, "com.example.agent")
			signatures, err := Verify(t.Context(), program(signed))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range signatures {
				if s.Identifier != "com.example.agent" || s.TeamID != "9TEAM12345" || s.Flags != FlagRuntime || s.SDK != "12.0" ||
					string(s.Entitlements) != entitlements || !bytes.HasPrefix(s.CMS, []byte("signature of ")) ||
					!s.InfoPlist.Matches([]byte("info")) || s.InfoPlist.Matches([]byte("other")) || !s.CodeResources.Matches([]byte("resources")) {
					t.Errorf("got %+v", s)
				}
				const want = `identifier "com.example.agent" and anchor apple generic and certificate 1[field.1.2.840.113635.100.6.2.6] /* exists */ ` +
					`and certificate leaf[field.1.2.840.113635.100.6.1.13] /* exists */ and certificate leaf[subject.OU] = "9TEAM12345"`
				if got := s.Designated.String(); got != want {
					t.Errorf("requirement\n%s, want\n%s", got, want)
				}
			}
			// A new signature replaces the old one without a trace.
			again := sign(t, program(signed), o)
			if !bytes.Equal(again, signed) {
				t.Error("signed twice it is different")
			}
			adhoc := sign(t, p, SignOptions{Identifier: "x"})
			if back := sign(t, program(signed), SignOptions{Identifier: "x"}); name != "amd64" && len(back) != len(adhoc) {
				t.Errorf("%d bytes once signed anew, %d at first", len(back), len(adhoc))
			}
			judgeAll(t, adhoc, "x")
			if list, err := Verify(t.Context(), program(adhoc)); err != nil || list[0].CMS != nil || list[0].Flags != FlagAdhoc {
				t.Errorf("ad hoc: %+v, %v", list, err)
			}
		})
	}
}

// Go's linker signs programs for arm64 itself: somebody else's signature.
func TestVerifyReadsTheLinkersSignature(t *testing.T) {
	list, err := Verify(t.Context(), contents(t, build(t, "arm64")))
	if err != nil || list[0].Flags != FlagAdhoc|FlagLinkerSigned || list[0].Identifier != "a.out" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := Verify(t.Context(), contents(t, build(t, "amd64"))); !errors.Is(err, ErrUnsigned) {
		t.Errorf("unsigned: %v", err)
	}
}

func TestVerifyFindsEveryChange(t *testing.T) {
	signed := sign(t, contents(t, build(t, "arm64")), SignOptions{Identifier: "com.example.agent", Runtime: true, Entitlements: []byte(entitlements)})
	m, err := readImage(bytes.NewReader(signed), int64(len(signed)))
	if err != nil {
		t.Fatal(err)
	}
	at := int(m.signature.offset)
	steps := map[int]bool{}
	for i := 0; i < at; i += 4099 {
		steps[i] = true // code
	}
	for i := at; i < len(signed); i += 7 {
		steps[i] = true // signature
	}
	for i := range steps {
		damaged := bytes.Clone(signed)
		damaged[i] ^= 0x10
		if _, err := Verify(t.Context(), program(damaged)); err == nil {
			// The CodeDirectory itself is for the CMS signature to vouch for.
			slots, _ := m.slots()
			from := at + bytes.Index(signed[at:], slots[0].blob)
			if i < from || i >= from+len(slots[0].blob) {
				t.Errorf("a changed byte at %d, %d in the signature, is not found", i, i-at)
			}
		}
	}
	for _, cut := range []int{1, 16, len(signed) - at} {
		if _, err := Verify(t.Context(), program(signed[:len(signed)-cut])); err == nil {
			t.Errorf("%d bytes less are not missed", cut)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	arm := contents(t, build(t, "arm64"))
	long := &Signer{Chain: developer(t, false), Room: 10, CMS: func(context.Context, []byte) ([]byte, error) { return make([]byte, 11), nil }}
	for name, c := range map[string]struct {
		p    Program
		o    SignOptions
		want error
	}{
		"no name":       {arm, SignOptions{}, ErrSignature},
		"text":          {program([]byte("#!/bin/sh\nexit 0\n")), SignOptions{Identifier: "x"}, ErrFormat},
		"entitlements":  {arm, SignOptions{Identifier: "x", Entitlements: []byte("<plist>")}, ErrEntitlements},
		"a binary list": {arm, SignOptions{Identifier: "x", Entitlements: []byte("bplist00\xd1\x01\x02\x99\x99\x99\x99\x99")}, ErrEntitlements},
		"a date":        {arm, SignOptions{Identifier: "x", Entitlements: []byte(`<plist version="1.0"><dict><key>a</key><date>2026-01-01T00:00:00Z</date></dict></plist>`)}, ErrEntitlements},
		"room":          {arm, SignOptions{Identifier: "x", Signer: long}, ErrRoom},
	} {
		if err := Sign(t.Context(), new(bytes.Buffer), c.p, c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Sign(ctx, new(bytes.Buffer), arm, SignOptions{Identifier: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestDesignatedWithoutApple(t *testing.T) {
	chain := developer(t, false)
	if got := Designated("x", chain).String(); !strings.HasPrefix(got, `identifier "x" and certificate leaf = H"`) {
		t.Errorf("others vouch: %s", got)
	}
	if got := Designated("x", chain[2:]).String(); !strings.HasPrefix(got, `identifier "x" and certificate root = H"`) {
		t.Errorf("one alone: %s", got)
	}
}

func TestRequirementText(t *testing.T) {
	e := func() expression { return nil }
	for want, r := range map[string]expression{
		`! (anchor apple or identifier "a b") and info[CFBundleVersion] = *"5 6"`: e().number(opAnd).number(opNot).number(opOr).
			number(opAppleAnchor).number(opIdentifier).data([]byte("a b")).number(opInfoKeyField).data([]byte("CFBundleVersion")).number(matchEndsWith).data([]byte("5 6")),
		`cdhash H"01020304"`:                e().number(opCDHash).data([]byte{1, 2, 3, 4}),
		`certificate 2 trusted`:             e().number(opTrustedCert).number(2),
		`entitlement["a-b"] = yes*`:         e().number(opEntitlementField).data([]byte("a-b")).number(matchBeginsWith).data([]byte("yes")),
		`identifier 0xff`:                   e().number(opIdentifier).data([]byte{0xff}),
		"(requirement with operation 0x63)": e().number(99),
		"(damaged requirement)":             e().number(opAnd).number(opTrue),
	} {
		if got := r.requirement().String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	deep := e()
	for range 10000 {
		deep = deep.number(opNot)
	}
	if got := deep.number(opTrue).requirement().String(); got != "(damaged requirement)" {
		t.Errorf("a deep one: %.100s", got)
	}
}

// The bytes of a small dictionary, encoded by hand.
func TestEntitlementsDER(t *testing.T) {
	got, err := entitlementsDER([]byte(`<plist version="1.0"><dict><key>b</key><false/><key>a</key><string>x</string></dict></plist>`))
	want := []byte{0x70, 0x15, 2, 1, 1, 0xb0, 0x10, 0x30, 6, 0x0c, 1, 'a', 0x0c, 1, 'x', 0x30, 6, 0x0c, 1, 'b', 1, 1, 0}
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, want %x, %v", got, want, err)
	}
}

// TestVerifyReadsOldEntitlements as codesign wrote them in 2021: those of the
// program in dummy.pkg, a test file of github.com/sassoftware/relic.
func TestVerifyReadsOldEntitlements(t *testing.T) {
	xml := []byte(`<plist version="1.0"><dict><key>com.apple.security.app-sandbox</key><true/>` +
		`<key>com.apple.security.files.user-selected.read-only</key><true/></dict></plist>`)
	der := append([]byte("\xfa\xdeqr\x00\x00\x00f1\\\x30#\x0c\x1ecom.apple.security.app-sandbox\x01\x01\x01"),
		"\x305\x0c\x30com.apple.security.files.user-selected.read-only\x01\x01\x01"...)
	if err := checkEntitlements(xml, der); err != nil {
		t.Error(err)
	}
	der[len(der)-1] = 0
	if err := checkEntitlements(xml, der); !errors.Is(err, ErrSignature) {
		t.Errorf("with another value: %v", err)
	}
}

// small is a program without code, as short as one can be.
func small() []byte {
	le := binary.LittleEndian
	b := make([]byte, machHeaderSize+2*segmentCommandSize+64)
	for i, v := range []uint32{magicThin, AMD64.Type, AMD64.Subtype, fileTypeExecute, 2, 2 * segmentCommandSize} {
		le.PutUint32(b[4*i:], v)
	}
	for i, name := range []string{"__TEXT", "__LINKEDIT"} {
		s := b[machHeaderSize+i*segmentCommandSize:]
		le.PutUint32(s, commandSegment64)
		le.PutUint32(s[4:], segmentCommandSize)
		copy(s[8:], name)
		le.PutUint64(s[40:], uint64(i*len(b)))
		le.PutUint64(s[48:], uint64((1-i)*len(b)))
	}
	return b
}

// aligned is a program whose CodeDirectory lies as lld puts it.
func aligned(t testing.TB) []byte {
	t.Helper()
	signed := sign(t, program(small()), SignOptions{Identifier: "x"})
	m, err := readImage(bytes.NewReader(signed), int64(len(signed)))
	if err != nil {
		t.Fatal(err)
	}
	slots, err := m.slots()
	if err != nil {
		t.Fatal(err)
	}
	const first = 24
	directory := find(slots, slotCodeDirectory)
	whole := apart(first+len(directory), map[int]slot{first: {slotCodeDirectory, directory}}, first)
	signature := signed[m.signature.offset:]
	clear(signature)
	copy(signature, whole)
	return signed
}

func FuzzVerify(f *testing.F) {
	chain := developer(f, true)
	cms := func(context.Context, []byte) ([]byte, error) { return []byte("signature"), nil }
	f.Add(sign(f, program(small()), SignOptions{Identifier: "x"}))
	f.Add(aligned(f))
	f.Add(sign(f, program(small()), SignOptions{Identifier: "x", Runtime: true, Entitlements: []byte(entitlements), Signer: &Signer{Chain: chain, CMS: cms, Room: 16}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := Verify(t.Context(), program(b))
		if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrArch) && !errors.Is(err, ErrSignature) && !errors.Is(err, ErrUnsigned) {
			t.Fatal(err)
		}
		for _, s := range list {
			_ = s.Designated.String()
		}
		var out bytes.Buffer
		if err := Sign(t.Context(), &out, program(b), SignOptions{Identifier: "x"}); err != nil {
			return
		}
		if _, err := Verify(t.Context(), program(out.Bytes())); err != nil {
			t.Fatalf("what was signed does not verify: %v", err)
		}
	})
}
