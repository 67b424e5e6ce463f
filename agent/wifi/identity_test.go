package wifi

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testpki"
)

func TestIdentities(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		certificate x509.Certificate
		label       string // empty: it is none
	}{
		"of a profile":    {x509.Certificate{Subject: pkix.Name{CommonName: "ACME-1"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, "ACME-1"},
		"for anything":    {x509.Certificate{Subject: pkix.Name{CommonName: "ACME-1"}}, "ACME-1"},
		"of a server":     {x509.Certificate{Subject: pkix.Name{CommonName: "ACME-1"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, ""},
		"macOS' own":      {x509.Certificate{Subject: pkix.Name{CommonName: "com.apple.kerberos.kdc"}}, ""},
		"expired":         {x509.Certificate{Subject: pkix.Name{CommonName: "ACME-1"}, NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}, ""},
		"not yet":         {x509.Certificate{Subject: pkix.Name{CommonName: "ACME-1"}, NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}, "ACME-1"},
		"of a mailbox":    {x509.Certificate{EmailAddresses: []string{"ann@acme.example"}}, "ann@acme.example"},
		"of a host":       {x509.Certificate{DNSNames: []string{"acme-1.example"}}, "acme-1.example"},
		"two lines":       {x509.Certificate{Subject: pkix.Name{CommonName: " A\nB\u202e"}}, "AB"},
		"endless":         {x509.Certificate{Subject: pkix.Name{CommonName: strings.Repeat("ü", 200)}}, strings.Repeat("ü", 48) + "…"},
		"nobody's":        {x509.Certificate{}, "(its ID)"},
		"of an authority": {x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			template := test.certificate
			if template.NotAfter.IsZero() {
				template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
			}
			e, err := testpki.Issue(&template, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			id, ok := identityOf(e.Certificate().Raw, now)
			want := test.label
			if want == "(its ID)" && len(id.ID) > 8 {
				want = id.ID[:8]
			}
			if ok != (test.label != "") || id.Label != want {
				t.Errorf("%+v, %v", id, ok)
			}
			if again, _ := identityOf(e.Certificate().Raw, now); again != id || ok && len(id.ID) != 32 {
				t.Errorf("%+v, then %+v", id, again)
			}
		})
	}
}
