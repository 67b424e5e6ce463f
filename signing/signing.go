// Package signing signs what Firstday hands out and verifies it again:
// catalogs of provisioning packages, Windows programs and PowerShell scripts
// (Authenticode) and any other file beside a detached CMS signature.
//
// An Identity, a certificate chain and whatever holds the private key, signs;
// it comes from PEM or PKCS #12 files, from an external program or, to try
// things out, from thin air. Signatures are RSA or ECDSA over SHA-256, in
// strict DER, because Windows takes no other catalogs, and may carry an
// RFC 3161 timestamp, which lets them outlive the certificate.
//
// The package never asks anybody anything: passwords are arguments.
//
// # External signers
//
// An external signer is a program that holds a private key or knows who does:
// firstday-signer for PKCS #11 and cloud key services, or anybody's own. It
// reads requests from its standard input and writes an answer to each to its
// standard output, each one line of JSON in UTF-8, of at most 256 KiB:
//
//	→ {"version":1,"method":"open"}
//	← {"certificates":["MIIC…","MIID…"]}
//	→ {"version":1,"method":"sign","hash":"SHA-256","digest":"ungWv48B…"}
//	← {"signature":"MEUCIQ…"}
//
// Binary values are in standard base64. "open" comes once and first; the
// certificates are DER, the signer's own first, then each one's issuer. "sign"
// comes any number of times; digest is the 32-byte SHA-256 digest to sign; the
// signature is RSASSA-PKCS1-v1_5 or an ECDSA-Sig-Value in DER, as the
// certificate's key demands. In place of any answer may come
//
//	← {"error":"the token is not plugged in"}
//
// with one line for the user. Unknown members are to be ignored, by both
// sides. When its input ends the program exits. It has a minute to open and
// two to sign, time enough to touch a token. Whatever it writes to standard
// error is shown to the user if it dies.
package signing

import (
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"time"
)

// What can be wrong with an identity.
var (
	// ErrPassword: the password of a key or PKCS #12 file is missing or wrong.
	ErrPassword = errors.New("wrong or missing password")
	// ErrNotCodeSigning: the certificate is not one for code signing.
	ErrNotCodeSigning = errors.New("certificate is not for code signing")
	// ErrWeakKey: the key is too short to be trusted.
	ErrWeakKey = errors.New("key is too weak")
	// ErrExpired: the certificate is not valid at the time in question.
	ErrExpired = errors.New("certificate is outside its time of validity")
	// ErrKeyMismatch: the private key is not the certificate's.
	ErrKeyMismatch = errors.New("private key does not belong to the certificate")
)

// What can be wrong with a file or its signature.
var (
	// ErrFormat: the file is not of the kind that is to be signed or verified.
	ErrFormat = errors.New("malformed file")
	// ErrNoSignature: the file carries no signature.
	ErrNoSignature = errors.New("no signature")
	// ErrBadSignature: the signature is malformed or made for other content.
	ErrBadSignature = errors.New("bad signature")
	// ErrUntrusted: the signature is good, and its certificate does not lead
	// to a trusted root.
	ErrUntrusted = errors.New("certificate does not lead to a trusted root")
	// ErrTimestamp: no authority gave a timestamp that can be used.
	ErrTimestamp = errors.New("no usable timestamp")
)

// Options say how to sign. The zero value signs without description and
// timestamp.
type Options struct {
	// Description and URL tell people what is signed and where to learn more;
	// Windows shows them. Only Authenticode has room for them.
	Description, URL string
	// Time is when this happens; zero for now. A detached signature claims it,
	// and a timestamp must lie within a day of it.
	Time time.Time
	// Timestamps, unless nil, ask for a timestamp. Without one the signing fails.
	Timestamps *Authorities
}

func (o Options) now() time.Time { return orNow(o.Time) }

// Authorities are the timestamp authorities to ask.
type Authorities struct {
	// URLs are asked in this order until one gives a good answer.
	URLs []string
	// Roots are those a timestamp must lead to; nil for the system's.
	Roots *x509.CertPool
	// Client makes the requests; nil for one with a timeout of 30 seconds per
	// authority.
	Client *http.Client
}

// VerifyOptions say whom to trust. Nobody is asked whether a certificate was
// revoked: that takes a network, and stations may have none.
type VerifyOptions struct {
	// Roots and TimestampRoots are those the signer's and the timestamp's
	// certificates must lead to; nil for the system's.
	Roots, TimestampRoots *x509.CertPool
	// Time is when a signature without a trusted timestamp must be valid; zero
	// for now.
	Time time.Time
	// Foreign says that somebody else's tools may have made the signature. What
	// such tools are known to do, and we never would, is then a warning:
	// second signatures, old timestamps, a missing checksum, data that hides
	// beside the signature. Without it every byte of a file must be vouched for.
	Foreign bool
}

// tolerate makes a fault a warning if the signature may be foreign.
func (o VerifyOptions) tolerate(r *Report, fault error) error {
	if fault == nil || !o.Foreign {
		return fault
	}
	r.warn(strings.TrimPrefix(fault.Error(), ErrBadSignature.Error()+": "))
	return nil
}

func (o VerifyOptions) now() time.Time { return orNow(o.Time) }

func orNow(t time.Time) time.Time {
	if t.IsZero() {
		return time.Now()
	}
	return t
}

// Report is what verification found. It accompanies errors that concern the
// certificate, not the signature: ErrUntrusted, ErrExpired, ErrNotCodeSigning.
type Report struct {
	// Signer is the certificate that signed.
	Signer *x509.Certificate
	// Embedded are the certificates that came with the signature.
	Embedded []*x509.Certificate
	// Chain leads from Signer to a trusted root; nil if there is none.
	Chain []*x509.Certificate
	// Description and URL are what the signer says of the file.
	Description, URL string
	// SigningTime is what the signer claims; zero if it claims nothing, as in
	// our own Authenticode signatures.
	SigningTime time.Time
	// Timestamp is nil if there is none.
	Timestamp *Timestamp
	// Warnings are sentences for people, about things that do not make the
	// signature bad.
	Warnings []string
}

// Timestamp tells when an authority saw a signature.
type Timestamp struct {
	Time time.Time
	// Authority is the certificate that signed the timestamp.
	Authority *x509.Certificate
	// Trusted tells whether the authority's certificate leads to a trusted
	// root. The time of any other means nothing.
	Trusted bool

	embedded []*x509.Certificate
	warnings []string
}

func (r *Report) warn(sentence string) { r.Warnings = append(r.Warnings, sentence) }
