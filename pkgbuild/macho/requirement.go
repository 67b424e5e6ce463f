package macho

import (
	"crypto/sha1" //nolint:gosec // how requirements name certificates
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"strings"
)

// Requirement says which code is meant: it is an expression in Apple's
// requirement language, compiled. Privacy and login-item settings of device
// management name programs by it, as text.
type Requirement []byte // a blob

// The operations of the language ("Code Signing Requirement Language" of
// Apple's archive; libsecurity_codesigning's requirement.h).
const (
	opFalse = iota
	opTrue
	opIdentifier
	opAppleAnchor
	opAnchorHash
	opInfoKeyValue // of old; not written any more
	opAnd
	opOr
	opCDHash
	opNot
	opInfoKeyField
	opCertField
	opTrustedCert
	opTrustedCerts
	opCertGeneric
	opAppleGenericAnchor
	opEntitlementField
)

const (
	matchExists = iota
	matchEqual
	matchContains
	matchBeginsWith
	matchEndsWith
)

// requirementKind is that of a single expression, and designated the slot of
// the requirement that tells a program's later versions from others.
const (
	requirementKind = 1
	designated      = 3
)

// The certificates in a chain are counted from the leaf; the root is the last.
const (
	leafCert   = 0
	anchorCert = -1
)

// Marks of Apple's certificates (formats/macos-pkg.md §4).
var (
	oidDeveloperIDApplication = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 1, 13}
	oidDeveloperIDAuthority   = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 2, 6}
)

// expression is a requirement on its way, in prefix form.
type expression []byte

func (e expression) number(v int32) expression {
	return binary.BigEndian.AppendUint32(e, uint32(v))
}

// data appends bytes with their length, padded to four.
func (e expression) data(b []byte) expression {
	e = append(e.number(int32(len(b))), b...)
	return append(e, make([]byte, -len(b)&3)...)
}

func (e expression) requirement() Requirement {
	return blob(magicRequirement, append(expression{}.number(requirementKind), e...))
}

// Designated gives the requirement that codesign derives from a signer's
// certificates, leaf first: the identifier, and Apple's word for the developer
// team where it is a Developer ID; else the certificate of who vouches for the
// leaf's organisation.
func Designated(identifier string, chain []*x509.Certificate) Requirement {
	e := expression{}.number(opAnd).number(opIdentifier).data([]byte(identifier))
	leaf := chain[0]
	if hasExtension(leaf, oidDeveloperIDApplication) {
		return e.number(opAnd).number(opAppleGenericAnchor).
			number(opAnd).number(opCertGeneric).number(1).data(oidContents(oidDeveloperIDAuthority)).number(matchExists).
			number(opAnd).number(opCertGeneric).number(leafCert).data(oidContents(oidDeveloperIDApplication)).number(matchExists).
			number(opCertField).number(leafCert).data([]byte("subject.OU")).number(matchEqual).data([]byte(TeamID(leaf))).
			requirement()
	}
	at := organisationsLast(chain)
	hash := sha1.Sum(chain[at].Raw) //nolint:gosec // how requirements name certificates
	if at == len(chain)-1 {
		at = anchorCert
	}
	return e.number(opAnchorHash).number(int32(at)).data(hash[:]).requirement()
}

// organisationsLast finds the last certificate in a row, from the leaf on, that
// is of the leaf's organisation.
func organisationsLast(chain []*x509.Certificate) int {
	organisation := strings.Join(chain[0].Subject.Organization, "\x00")
	last := 0
	for i, c := range chain {
		if organisation == "" || strings.Join(c.Subject.Organization, "\x00") != organisation {
			break
		}
		last = i
	}
	return last
}

// TeamID is that of the developer team in Apple's certificates, empty in others.
func TeamID(c *x509.Certificate) string {
	if !hasExtension(c, oidDeveloperIDApplication) || len(c.Subject.OrganizationalUnit) == 0 {
		return ""
	}
	return c.Subject.OrganizationalUnit[0]
}

func hasExtension(c *x509.Certificate, oid asn1.ObjectIdentifier) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(oid) {
			return true
		}
	}
	return false
}

// oidContents is an object identifier as DER has it, without tag and length.
func oidContents(oid asn1.ObjectIdentifier) []byte {
	b, err := asn1.Marshal(oid)
	if err != nil {
		panic(err) // of a constant
	}
	return b[2:]
}

// requirementSet is what a signature carries: the designated requirement,
// unless there is none.
func requirementSet(r Requirement) []byte {
	if r == nil {
		return superBlob(magicRequirements, nil)
	}
	return superBlob(magicRequirements, []slot{{designated, r}})
}

// String gives the expression as codesign and csreq show it. What is damaged or
// of a newer language is told as such.
func (r Requirement) String() string {
	contents, err := openBlob(r, magicRequirement)
	if err != nil || len(contents) < 4 || binary.BigEndian.Uint32(contents) != requirementKind {
		return "(not a requirement)"
	}
	p := printer{rest: contents[4:]}
	text := p.expression(0, lowest)
	switch {
	case p.damaged || len(p.rest) > 0:
		return "(damaged requirement)"
	case p.unknown != 0:
		return fmt.Sprintf("(requirement with operation %#x)", p.unknown)
	}
	return text
}
