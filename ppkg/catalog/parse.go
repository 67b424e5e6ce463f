package catalog

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	encoding_asn1 "encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Parse reads a catalog, signed or not. It takes DER only, as Windows does
// since October 2020, and only the list that Create makes: every byte of it is
// checked, so that no two lists say the same. All errors wrap ErrFormat. The
// result keeps no reference to der.
func Parse(der []byte) (*Catalog, error) {
	if len(der) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes long, at most %d are expected", ErrFormat, len(der), MaxSize)
	}
	ctl, signed, err := parseSignedData(der)
	if err != nil {
		return nil, err
	}
	c := &Catalog{Signed: signed, CTL: bytes.Clone(ctl)}
	if err := c.parseCTL(); err != nil {
		return nil, err
	}
	// What parseCTL passed over is fixed: the list written anew must not differ.
	again, err := marshalCTL(c.Digests, c.ListIdentifier, c.ThisUpdate)
	if err != nil || !bytes.Equal(again, ctl) {
		return nil, malformed("trust list")
	}
	return c, nil
}

func malformed(what string) error {
	return fmt.Errorf("%w: malformed %s", ErrFormat, what)
}

// parseSignedData peels the CTL out of its SignedData and tells whether a
// signature surrounds it.
func parseSignedData(der []byte) (ctl []byte, signed bool, err error) {
	var info, content, data, encap, algorithms, explicit, list, signers cryptobyte.String
	var oid, contentType encoding_asn1.ObjectIdentifier
	var version int64
	in := cryptobyte.String(der)
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidSignedData) ||
		!info.ReadASN1(&content, explicit0) || !info.Empty() || !content.ReadASN1(&data, asn1.SEQUENCE) || !content.Empty() {
		return nil, false, malformed("PKCS #7 envelope")
	}
	if !in.Empty() {
		return nil, false, fmt.Errorf("%w: %d bytes follow its end", ErrFormat, len(in))
	}
	if !data.ReadASN1Integer(&version) || version != 1 || !data.ReadASN1(&algorithms, asn1.SET) || !data.ReadASN1(&encap, asn1.SEQUENCE) {
		return nil, false, malformed("SignedData")
	}
	if !encap.ReadASN1ObjectIdentifier(&contentType) || !contentType.Equal(oidCTL) {
		return nil, false, fmt.Errorf("%w: it holds no certificate trust list", ErrFormat)
	}
	if !encap.ReadASN1(&explicit, explicit0) || !encap.Empty() || !explicit.ReadASN1(&list, asn1.SEQUENCE) || !explicit.Empty() {
		return nil, false, malformed("trust list")
	}
	hasCertificates := data.PeekASN1Tag(explicit0)
	if !data.SkipOptionalASN1(explicit0) || !data.ReadASN1(&signers, asn1.SET) || !data.Empty() {
		return nil, false, malformed("SignedData")
	}
	signed = !signers.Empty()
	if signed == algorithms.Empty() || hasCertificates && !signed {
		return nil, false, malformed("SignedData")
	}
	return list, signed, nil
}

// parseCTL reads the four things in which lists differ.
func (c *Catalog) parseCTL() error {
	var usage, id, algorithm, subjects cryptobyte.String
	list := cryptobyte.String(c.CTL)
	if !list.ReadASN1(&usage, asn1.SEQUENCE) || !list.ReadASN1(&id, asn1.OCTET_STRING) || !id.CopyBytes(c.ListIdentifier[:]) || !id.Empty() ||
		!list.ReadASN1UTCTime(&c.ThisUpdate) || !list.ReadASN1(&algorithm, asn1.SEQUENCE) ||
		!list.ReadASN1(&subjects, asn1.SEQUENCE) || !list.Empty() {
		return malformed("trust list")
	}
	members := 0
	for ; !subjects.Empty() && members < 2; members++ {
		var member, digest cryptobyte.String
		if !subjects.ReadASN1(&member, asn1.SEQUENCE) || !member.ReadASN1(&digest, asn1.OCTET_STRING) {
			return malformed("member of the trust list")
		}
		switch len(digest) {
		case sha1.Size:
			copy(c.Digests.SHA1[:], digest)
		case sha256.Size:
			copy(c.Digests.SHA256[:], digest)
		default:
			return fmt.Errorf("%w: a digest of %d bytes is neither SHA-1 nor SHA-256", ErrFormat, len(digest))
		}
	}
	if members != 2 || !subjects.Empty() {
		return fmt.Errorf("%w: it must list one SHA-1 and one SHA-256 digest", ErrFormat)
	}
	return nil
}
