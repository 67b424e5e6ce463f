package wifi

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"
	"time"
	"unicode"
)

// maxLabel is how long an identity's label or ID may be, in bytes.
const maxLabel = 100

// identityOf tells whether a certificate whose key is in the System keychain is one
// to join a network with, and what to call it. The ID is of the certificate's bytes.
func identityOf(der []byte, now time.Time) (Identity, bool) {
	c, err := x509.ParseCertificate(der)
	if err != nil || now.After(c.NotAfter) || c.IsCA { // a clock that is behind proves nothing
		return Identity{}, false
	}
	name := c.Subject.CommonName
	// macOS' own, which are in every System keychain: com.apple.kerberos.kdc and
	// com.apple.systemdefault.
	if strings.HasPrefix(name, "com.apple.") {
		return Identity{}, false
	}
	// Those of profiles say what they are for, or nothing (RFC 5216, 5.3).
	forClients := len(c.ExtKeyUsage) == 0 && len(c.UnknownExtKeyUsage) == 0 ||
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
	if !forClients {
		return Identity{}, false
	}
	sum := sha256.Sum256(der)
	id := Identity{ID: hex.EncodeToString(sum[:16]), Label: label(name)}
	if id.Label == "" && len(c.EmailAddresses) > 0 {
		id.Label = label(c.EmailAddresses[0])
	}
	if id.Label == "" && len(c.DNSNames) > 0 {
		id.Label = label(c.DNSNames[0])
	}
	if id.Label == "" {
		id.Label = id.ID[:8]
	}
	return id, true
}

// label makes a line of a name.
func label(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	name = strings.TrimSpace(name)
	if len(name) > maxLabel {
		name = strings.ToValidUTF8(name[:maxLabel-len("…")], "") + "…"
	}
	return name
}
