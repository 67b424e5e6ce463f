package testpki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	encoding_asn1 "encoding/asn1"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// TSA is an RFC 3161 timestamp authority on this machine. Its fields, set
// before the first request, make it misbehave.
type TSA struct {
	URL string
	// Entity signs; the default is the PKI's TSA.
	Entity *Entity
	// Now is the time it stamps; the default is the real one.
	Now func() time.Time
	// NoNonce, WrongNonce and WrongImprint spoil what is signed; WrongESS
	// names another certificate in the signed attributes, NoESS none.
	NoNonce, WrongNonce, WrongImprint, WrongESS, NoESS bool
	// Forged signs with a key that is not the certificate's.
	Forged bool
	// NoCertificates leaves the certificates out.
	NoCertificates bool
	// UnsignedAttribute adds an attribute that nobody signed.
	UnsignedAttribute bool
	// Status is the PKIStatus, 0 for granted.
	Status int64
	// Answer replaces the whole answer.
	Answer http.HandlerFunc

	requests atomic.Int64
}

// Requests is how many requests have arrived.
func (a *TSA) Requests() int { return int(a.requests.Load()) }

// NewTSA starts an authority that works; it ends with the test.
func (pki *PKI) NewTSA(tb testing.TB) *TSA {
	tb.Helper()
	a := &TSA{Entity: pki.TSA, Now: time.Now}
	server := httptest.NewServer(a)
	tb.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

func (a *TSA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.requests.Add(1)
	if a.Answer != nil {
		a.Answer(w, r)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "not a timestamp query", http.StatusBadRequest)
		return
	}
	answer, err := a.Reply(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	_, _ = w.Write(answer) // whoever asked has gone
}

var (
	oidSHA256       = encoding_asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA256RSA    = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidSHA256ECDSA  = encoding_asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidSignedData   = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo      = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidContentType  = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidDigest       = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningCert2 = encoding_asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	context0        = asn1.Tag(0).ContextSpecific().Constructed()
	context1        = asn1.Tag(1).ContextSpecific().Constructed()
)

// Reply answers one TimeStampReq.
func (a *TSA) Reply(request []byte) ([]byte, error) {
	var body, imprint, algorithm, digest cryptobyte.String
	var version int64
	nonce := new(big.Int)
	in := cryptobyte.String(request)
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadASN1Integer(&version) || !body.ReadASN1(&imprint, asn1.SEQUENCE) ||
		!imprint.ReadASN1Element(&algorithm, asn1.SEQUENCE) || !imprint.ReadASN1(&digest, asn1.OCTET_STRING) ||
		!body.ReadASN1Integer(nonce) {
		return nil, encoding_asn1.SyntaxError{Msg: "bad TimeStampReq"}
	}
	digest = slices.Clone(digest)
	if a.WrongImprint {
		digest[0] ^= 1
	}
	if a.WrongNonce {
		nonce.Add(nonce, big.NewInt(1))
	}
	info := build(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddASN1ObjectIdentifier(encoding_asn1.ObjectIdentifier{1, 2, 3, 4})
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(algorithm)
				b.AddASN1OctetString(digest)
			})
			b.AddASN1Int64(42)
			b.AddASN1GeneralizedTime(a.Now().UTC())
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(1) }) // accuracy: one second
			if !a.NoNonce {
				b.AddASN1BigInt(nonce)
			}
		})
	})
	token, err := a.sign(info)
	if err != nil {
		return nil, err
	}
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(a.Status) })
			if a.Status <= 1 {
				b.AddBytes(token)
			}
		})
	}), nil
}

// sign wraps a TSTInfo into its SignedData.
func (a *TSA) sign(info []byte) ([]byte, error) {
	digest, certificate := sha256.Sum256(info), a.Entity.Certificate()
	attributes := [][]byte{
		attribute(oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidTSTInfo) }),
		attribute(oidDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest[:]) }),
	}
	if !a.NoESS {
		id := sha256.Sum256(certificate.Raw)
		if a.WrongESS {
			id[0] ^= 1
		}
		attributes = append(attributes, attribute(oidSigningCert2, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1OctetString(id[:]) })
				})
			})
		}))
	}
	slices.SortFunc(attributes, bytes.Compare)
	signed := slices.Concat(attributes...)
	set := sha256.Sum256(build(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(signed) })
	}))
	key := a.Entity.Key
	if a.Forged {
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		key = other
	}
	signature, err := key.Sign(rand.Reader, set[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	algorithm := oidSHA256ECDSA
	if _, ok := key.(*rsa.PrivateKey); ok {
		algorithm = oidSHA256RSA
	}
	certificates := make([][]byte, len(a.Entity.Chain))
	for i, c := range a.Entity.Chain {
		certificates[i] = c.Raw
	}
	slices.SortFunc(certificates, bytes.Compare)
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidSignedData)
			b.AddASN1(context0, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1Int64(3)
					b.AddASN1(asn1.SET, addSHA256)
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(oidTSTInfo)
						b.AddASN1(context0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(info) })
					})
					if !a.NoCertificates {
						b.AddASN1(context0, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(certificates...)) })
					}
					b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
						b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1Int64(1)
							b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
								b.AddBytes(certificate.RawIssuer)
								b.AddASN1BigInt(certificate.SerialNumber)
							})
							addSHA256(b)
							b.AddASN1(context0, func(b *cryptobyte.Builder) { b.AddBytes(signed) })
							b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
								b.AddASN1ObjectIdentifier(algorithm)
								if algorithm.Equal(oidSHA256RSA) {
									b.AddASN1NULL()
								}
							})
							b.AddASN1OctetString(signature)
							if a.UnsignedAttribute {
								b.AddASN1(context1, func(b *cryptobyte.Builder) {
									b.AddBytes(attribute(encoding_asn1.ObjectIdentifier{1, 2, 3, 4}, func(b *cryptobyte.Builder) { b.AddASN1NULL() }))
								})
							}
						})
					})
				})
			})
		})
	}), nil
}

func addSHA256(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSHA256)
		b.AddASN1NULL()
	})
}

func attribute(oid encoding_asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) []byte {
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			b.AddASN1(asn1.SET, value)
		})
	})
}

func build(add func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	add(&b)
	return b.BytesOrPanic()
}
