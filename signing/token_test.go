package signing

import (
	"errors"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"firstday.dev/internal/testpki"
)

// Only a certificate for timestamping makes timestamps, whoever signed; what is
// excused in foreign ones is that the usage is not critical.
func TestOnlyAuthoritiesStamp(t *testing.T) {
	pki := testpki.New(t)
	for name, entity := range map[string]*testpki.Entity{"no usage": pki.NoEKU, "code signing": pki.CodeRSA} {
		if err := checkTimestamping(entity.Certificate()); !errors.Is(err, errNoAuthority) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := checkTimestamping(pki.TSA.Certificate()); err != nil {
		t.Error(err)
	}
	lax := *pki.TSA.Certificate()
	lax.Extensions = nil
	if err := checkTimestamping(&lax); err == nil || errors.Is(err, errNoAuthority) {
		t.Errorf("a usage that is not critical: %v", err)
	}
}

func TestUnknownCriticalExtensionsAreRefused(t *testing.T) {
	for extension, want := range map[string]bool{
		"":         true,
		"\xa1\x00": true,
		"\xa1\x09\x30\x07\x06\x03\x2a\x03\x04\x04\x00":             true,
		"\xa1\x0c\x30\x0a\x06\x03\x2a\x03\x04\x01\x01\xff\x04\x00": false,
		"\xa1\x0c\x30\x0a\x06\x03\x2a\x03\x04\x01\x01\x00\x04\x00": true,
		"\xa1\x02\x30\x00": false,
	} {
		in := cryptobyte.String(extension)
		if got := readExtensions(&in) && in.Empty(); got != want {
			t.Errorf("%x: %v", extension, got)
		}
	}
}
