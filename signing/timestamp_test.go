package signing_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testpki"
	"firstday.dev/signing"
)

// Whatever an authority does wrong, nothing gets signed and the error says why.
func TestTimestampsAreChecked(t *testing.T) {
	pki := testpki.New(t)
	stranger, err := testpki.Issue(&x509.Certificate{NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	unrelated, err := testpki.Issue(&x509.Certificate{NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), Subject: pkix.Name{CommonName: "Other unit"}},
		&testpki.Entity{Chain: []*x509.Certificate{{Subject: pkix.Name{CommonName: "Other root"}}}, Key: stranger.Key}, false)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(status int, body string) func(*testpki.TSA) {
		return func(a *testpki.TSA) {
			a.Answer = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				w.Write([]byte(body))
			}
		}
	}
	for _, test := range []struct {
		name  string
		spoil func(*testpki.TSA)
		want  string // in the error; empty for success
	}{
		{"good", func(*testpki.TSA) {}, ""},
		{"granted with modifications", func(a *testpki.TSA) { a.Status = 1 }, ""},
		{"no nonce", func(a *testpki.TSA) { a.NoNonce = true }, "without the nonce"},
		{"wrong nonce", func(a *testpki.TSA) { a.WrongNonce = true }, "another nonce"},
		{"wrong imprint", func(a *testpki.TSA) { a.WrongImprint = true }, "another signature"},
		{"another certificate named", func(a *testpki.TSA) { a.WrongESS = true }, "another certificate"},
		{"no certificate named", func(a *testpki.TSA) { a.NoESS = true }, "does not name its certificate"},
		{"forged", func(a *testpki.TSA) { a.Forged = true }, "verification error"},
		{"no certificates", func(a *testpki.TSA) { a.NoCertificates = true }, "not embedded"},
		{"unsigned attribute", func(a *testpki.TSA) { a.UnsignedAttribute = true }, "nobody signed"},
		{"code-signing certificate", func(a *testpki.TSA) { a.Entity = pki.CodeRSA }, "not for timestamping"},
		{"certificate without usage", func(a *testpki.TSA) { a.Entity = pki.NoEKU }, "not for timestamping"},
		{"stranger embedded", func(a *testpki.TSA) {
			a.Entity = &testpki.Entity{Chain: append(slices.Clip(pki.TSA.Chain), unrelated.Certificate()), Key: pki.TSA.Key}
		}, "embedded certificate"},
		{"unknown root", func(a *testpki.TSA) { a.Entity = otherTSA(t) }, "trusted root"},
		{"stranger", func(a *testpki.TSA) { a.Entity = stranger }, "not for timestamping"},
		{"clock ahead", func(a *testpki.TSA) { a.Now = func() time.Time { return time.Now().Add(48 * time.Hour) } }, "off"},
		{"clock behind", func(a *testpki.TSA) { a.Now = func() time.Time { return time.Now().Add(-48 * time.Hour) } }, "off"},
		{"before the certificate", func(a *testpki.TSA) { a.Now = func() time.Time { return time.Now().AddDate(-3, 0, 0) } }, "not valid at"},
		{"refused", func(a *testpki.TSA) { a.Status = 2 }, "status 2"},
		{"HTTP error", answer(503, "later"), "503"},
		{"garbage", answer(200, "<html>hello</html>"), "not a timestamp"},
		{"empty", answer(200, ""), "not a timestamp"},
		{"status only", answer(200, "\x30\x05\x30\x03\x02\x01\x00"), "no timestamp"},
		{"refused with reason", answer(200, "\x30\x0c\x30\x0a\x02\x01\x02\x30\x05\x0c\x03bad"), `"bad"`},
		{"huge", answer(200, strings.Repeat("x", 1<<20)), "longer than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tsa := pki.NewTSA(t)
			test.spoil(tsa)
			_, err := signing.SignDetached(t.Context(), strings.NewReader("x"), identity(pki.CodeEC), stamped(pki, tsa))
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, signing.ErrTimestamp) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), tsa.URL) {
				t.Errorf("%v\nwant %q", err, test.want)
			}
			if tsa.Requests() != 1 {
				t.Errorf("%d requests", tsa.Requests())
			}
		})
	}
}

// otherTSA is in order but for its root: it is its own.
func otherTSA(t *testing.T) *testpki.Entity {
	t.Helper()
	real := testpki.New(t).TSA.Certificate()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "Other"}, NotBefore: real.NotBefore, NotAfter: real.NotAfter}
	for _, e := range real.Extensions {
		if e.Critical && e.Id.String() == "2.5.29.37" {
			template.ExtraExtensions = append(template.ExtraExtensions, e)
		}
	}
	tsa, err := testpki.Issue(template, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	return tsa
}

func TestAuthoritiesAreAskedInOrder(t *testing.T) {
	pki := testpki.New(t)
	bad, good, never := pki.NewTSA(t), pki.NewTSA(t), pki.NewTSA(t)
	bad.NoNonce = true
	opts := signing.Options{Timestamps: &signing.Authorities{URLs: []string{"http://127.0.0.1:1/", bad.URL, good.URL, never.URL}, Roots: pki.Roots()}}
	if _, err := signing.SignDetached(t.Context(), strings.NewReader("x"), identity(pki.CodeEC), opts); err != nil {
		t.Fatal(err)
	}
	if bad.Requests() != 1 || good.Requests() != 1 || never.Requests() != 0 {
		t.Errorf("requests: %d, %d, %d", bad.Requests(), good.Requests(), never.Requests())
	}
	opts.Timestamps.URLs = nil
	if _, err := signing.SignDetached(t.Context(), strings.NewReader("x"), identity(pki.CodeEC), opts); !errors.Is(err, signing.ErrTimestamp) {
		t.Error(err)
	}
}

func TestTimestampingStopsWithItsContext(t *testing.T) {
	pki := testpki.New(t)
	tsa := pki.NewTSA(t)
	ctx, cancel := context.WithCancel(t.Context())
	tsa.Answer = func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then the server watches for a hang-up
		cancel()
		<-r.Context().Done()
	}
	_, err := signing.SignDetached(ctx, strings.NewReader("x"), identity(pki.CodeEC), stamped(pki, tsa))
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A token cannot be moved from one signature to another.
func TestVerifyRefusesTheTimestampOfAnother(t *testing.T) {
	pki := testpki.New(t)
	tsa := pki.NewTSA(t)
	p7s := func(content string) []byte {
		out, err := signing.SignDetached(t.Context(), strings.NewReader(content), identity(pki.CodeRSA), stamped(pki, tsa))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	one, two := p7s("one"), p7s("two")
	for len(one) != len(two) { // numbers in them are random
		two = p7s("two")
	}
	token := bytes.LastIndex(one, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x0e"))
	if token < 0 {
		t.Fatal("no token")
	}
	moved := append(bytes.Clone(one[:token]), two[token:]...)
	if _, err := signing.VerifyDetached(t.Context(), strings.NewReader("one"), moved, trust(pki)); !errors.Is(err, signing.ErrBadSignature) {
		t.Error(err)
	}
}
