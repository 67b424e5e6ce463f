package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"
)

// throwawayLife is how long a throw-away identity lasts: long enough to try
// things out, too short to get used to.
const throwawayLife = 14 * 24 * time.Hour

// Throwaway makes an identity that nobody trusts, for demonstrations and
// tests: a fresh key below a fresh root whose own key is forgotten at once.
// Both subjects say DO NOT TRUST. The chain is the signer's certificate and
// the root.
func Throwaway(organisation string, now time.Time) (*Identity, error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	from, to := now.Add(-time.Hour), now.Add(throwawayLife)
	rootTemplate := &x509.Certificate{
		Subject:   throwawayName(organisation, "root"),
		NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	root, err := certify(rootTemplate, rootTemplate, rootKey.Public(), rootKey)
	if err != nil {
		return nil, fmt.Errorf("making the throw-away root: %w", err)
	}
	// RSA, since that is what every Windows verifies everywhere.
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		return nil, err
	}
	leaf, err := certify(&x509.Certificate{
		Subject:   throwawayName(organisation, "signer"),
		NotBefore: from, NotAfter: to,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}, root, key.Public(), rootKey)
	if err != nil {
		return nil, fmt.Errorf("making the throw-away certificate: %w", err)
	}
	return &Identity{
		Chain: []*x509.Certificate{leaf, root}, Signer: key,
		Warnings: []string{"signed by a throw-away identity that nobody trusts"},
	}, nil
}

// IsThrowaway tells whether the certificate is one that Throwaway made, or
// says so.
func IsThrowaway(c *x509.Certificate) bool {
	for _, unit := range c.Subject.OrganizationalUnit {
		if unit == doNotTrust {
			return true
		}
	}
	return false
}

const doNotTrust = "DO NOT TRUST"

// throwawayName keeps to the 64 characters X.520 gives each part.
func throwawayName(organisation, role string) pkix.Name {
	if runes := []rune(organisation); len(runes) > 64 {
		organisation = string(runes[:64])
	}
	name := pkix.Name{CommonName: doNotTrust + " Firstday test " + role, OrganizationalUnit: []string{doNotTrust}}
	if organisation != "" {
		name.Organization = []string{organisation}
	}
	return name
}

func certify(template, issuer *x509.Certificate, key crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
