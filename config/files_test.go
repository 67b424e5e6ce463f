package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const wlanProfile = `<?xml version="1.0"?>
<WLANProfile xmlns="http://www.microsoft.com/networking/WLAN/profile/v1">
	<name>Enterprise</name>
	<SSIDConfig><SSID><name>Enterprise</name></SSID></SSIDConfig>
	<MSM><security><sharedKey><keyType>passPhrase</keyType><protected>false</protected><keyMaterial>hunter22</keyMaterial></sharedKey></security></MSM>
</WLANProfile>
`

const msiMagic = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// TestLoadReadsTheFilesItNames loads a configuration from a folder other than
// the working directory.
func TestLoadReadsTheFilesItNames(t *testing.T) {
	dir := t.TempDir()
	ca := certificate(t, "Acme Root", func(*x509.Certificate) {})
	write(t, dir, "ca.pem", string(toPEM(ca, ca)))
	write(t, dir, "one.der", string(ca.Raw))
	write(t, dir, "key", "hunter2")
	write(t, dir, "profile.xml", "\ufeff"+wlanProfile)
	write(t, dir, "setup.msi", msiMagic+"…")
	write(t, dir, "cert.pem", "read by signing")
	write(t, dir, "cert.key", "read by signing")
	name := write(t, dir, "firstday.yaml", `version: 1
organisation: {name: Acme}
directory: {url: "https://d.example", ca: one.der}
connectKey: {file: key}
windows:
  wifi: [{profile: profile.xml}]
  rootCertificates: [ca.pem, one.der]
  payloads: [{file: setup.msi}]
signing: {certificate: cert.pem, key: cert.key, signer: }
`)
	// A key without a value is a mistake like any other.
	if _, err := Load(string(name)); err == nil || !strings.Contains(err.Error(), ":9:56: signer has no value") {
		t.Errorf("got %v", err)
	}
	replace(t, name, ", signer: ", "")
	c, err := Load(string(name))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(ca.RawSubjectPublicKeyInfo)
	if want := "sha256:" + hex.EncodeToString(sum[:]); c.Directory.Pin != want {
		t.Errorf("pin is %s, want %s", c.Directory.Pin, want)
	}
	if roots := c.Windows.RootCertificates; len(roots) != 2 || len(roots[0].Certificates) != 2 || len(roots[1].Certificates) != 1 {
		t.Errorf("root certificates are %v", roots)
	}
	if w := c.Windows.WiFi[0]; w.SSID != "Enterprise" || w.ProfileXML != wlanProfile || !w.ProfileHasKey {
		t.Errorf("Wi-Fi is %+v", w)
	}
	if got, err := c.ConnectKey.Resolve(nil); err != nil || got.Reveal() != "hunter2" {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
	if len(c.Warnings) > 0 {
		t.Error(c.Warnings)
	}
	if runtime.GOOS != "windows" {
		for _, open := range []string{"key", "cert.key"} {
			if err := os.Chmod(filepath.Join(dir, open), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		c, err := Load(string(name))
		if err != nil || len(c.Warnings) != 2 || c.Warnings[0].Line != 4 || c.Warnings[1].Path != "signing.key" {
			t.Errorf("got %v, %v", c.Warnings, err)
		}
	}
}

// TestLoadRefusesBadFiles changes one file after the other in a good folder.
func TestLoadRefusesBadFiles(t *testing.T) {
	ca := certificate(t, "Acme Root", func(*x509.Certificate) {})
	now := time.Now()
	for name, c := range map[string]struct{ yaml, file, text, want string }{
		"missing secret": {"connectKey: {file: key}", "", "", "does not exist"},
		"empty secret":   {"connectKey: {file: key}", "key", "", "is empty"},
		"large secret":   {"connectKey: {file: key}", "key", strings.Repeat("x", 5000), "5000 bytes"},
		"folder secret":  {"connectKey: {file: .}", "", "", "is not a file"},

		"missing CA":       {"windows: {rootCertificates: [ca.pem]}", "", "", "does not exist"},
		"not a CA":         {"windows: {rootCertificates: [ca.pem]}", "ca.pem", leaf(t), `certificate of "leaf" is not a CA's`},
		"expired CA":       {"windows: {rootCertificates: [ca.pem]}", "ca.pem", aged(t, now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0)), "expired on"},
		"future CA":        {"windows: {rootCertificates: [ca.pem]}", "ca.pem", aged(t, now.AddDate(1, 0, 0), now.AddDate(2, 0, 0)), "is valid from"},
		"CA with key":      {"windows: {rootCertificates: [ca.pem]}", "ca.pem", string(toPEM(ca)) + keyPEM, "holds a private key"},
		"request":          {"windows: {rootCertificates: [ca.pem]}", "ca.pem", strings.ReplaceAll(keyPEM, "EC PRIVATE KEY", "CERTIFICATE REQUEST"), "not only certificates"},
		"no certificate":   {"windows: {rootCertificates: [ca.pem]}", "ca.pem", "hello", "neither a PEM nor a DER"},
		"cut certificate":  {"windows: {rootCertificates: [ca.pem]}", "ca.pem", string(toPEM(ca)[:100]), "no complete certificate"},
		"bad certificate":  {"windows: {rootCertificates: [ca.pem]}", "ca.pem", strings.ReplaceAll(keyPEM, "EC PRIVATE KEY", "CERTIFICATE"), "certificate 1 cannot be read"},
		"large file":       {"windows: {rootCertificates: [ca.pem]}", "ca.pem", strings.Repeat("x", maxCertificateFile+1), "more than 1048576 bytes"},
		"two pins":         {"directory: {url: 'https://d.example', ca: ca.pem}", "ca.pem", string(toPEM(ca, ca)), "holds 2 certificates"},
		"directory's leaf": {"directory: {url: 'https://d.example', ca: ca.pem}", "ca.pem", leaf(t), "is not a CA's"},

		"missing payload": {"windows: {payloads: [{file: a.msi}]}", "", "", "does not exist"},
		"empty payload":   {"windows: {payloads: [{file: a.msi}]}", "a.msi", "", "is empty"},
		"web page":        {"windows: {payloads: [{file: a.exe, arguments: /S}]}", "a.exe", "<html>", "is not a Windows program"},
		"renamed exe":     {"windows: {payloads: [{file: a.msi}]}", "a.msi", "MZ\x90\x00\x03\x00\x00\x00", "is not a Windows Installer package"},
		"folder payload":  {"windows: {payloads: [{file: a.msi}]}", "a.msi/x", "x", "is not a file"},

		"missing profile":   {"windows: {wifi: [{profile: p.xml}]}", "", "", "does not exist"},
		"broken profile":    {"windows: {wifi: [{profile: p.xml}]}", "p.xml", "<WLANProfile", "not well-formed"},
		"other XML":         {"windows: {wifi: [{profile: p.xml}]}", "p.xml", "<a/>", "not a WLAN profile"},
		"trailing data":     {"windows: {wifi: [{profile: p.xml}]}", "p.xml", wlanProfile + "<x/>", "something follows"},
		"protected profile": {"windows: {wifi: [{profile: p.xml}]}", "p.xml", strings.Replace(wlanProfile, "false", "true", 1), "encrypted for the machine"},
		"nameless profile":  {"windows: {wifi: [{profile: p.xml}]}", "p.xml", strings.ReplaceAll(wlanProfile, "Enterprise", ""), "has no name"},
		"spaced profile":    {"windows: {wifi: [{profile: p.xml}]}", "p.xml", strings.ReplaceAll(wlanProfile, "Enterprise", " Acme\n"), "control character"},
		"profile twice":     {"windows: {wifi: [{profile: p.xml}, {ssid: Enterprise, security: open}]}", "p.xml", wlanProfile, `"Enterprise" is listed twice`},
		"large profile":     {"windows: {wifi: [{profile: p.xml}]}", "p.xml", wlanProfile + strings.Repeat(" ", maxProfileSize), "more than 65536 bytes"},

		"missing certificate": {"signing: {certificate: c.pem, key: c.pem}", "", "", "does not exist"},
		"missing PKCS #12":    {"signing: {pkcs12: c.p12}", "", "", "does not exist"},
		"missing TSA":         {"signing: {throwaway: true, timestamp: ['http://tsa.example'], timestampRoots: [tsa.pem]}", "", "", "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.file != "" {
				write(t, dir, c.file, c.text)
			}
			key, _, _ := strings.Cut(c.yaml, ":")
			var lines []string
			for _, line := range strings.Split(strings.TrimSuffix(minimal, "  hideOobe: true\n"), "\n") {
				if line != "" && line != "windows:" && !strings.HasPrefix(line, key+":") {
					lines = append(lines, line)
				}
			}
			lines = append(lines, c.yaml)
			_, err := Load(string(write(t, dir, "firstday.yaml", strings.Join(lines, "\n"))))
			var all Errors
			if !errors.As(err, &all) {
				t.Fatalf("got %v", err)
			}
			if len(all) > 2 || !strings.Contains(all[0].Message, c.want) || all[0].Line != len(lines) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if strings.Contains(show(all), "hunter2") {
				t.Errorf("a secret is shown: %s", show(all))
			}
		})
	}
}

func TestSignerByPathIsRelativeToTheFile(t *testing.T) {
	folder, err := filepath.Abs("conf")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"firstday-signer": "firstday-signer",
		"./bin/signer":    filepath.Join(folder, "bin", "signer"),
		"./signer":        filepath.Join(folder, "signer"),
		"../signer":       filepath.Join(filepath.Dir(folder), "signer"),
		"/usr/bin/signer": filepath.FromSlash("/usr/bin/signer"),
	} {
		if runtime.GOOS == "windows" && in[0] == '/' {
			continue
		}
		c, err := Parse("conf/firstday.yaml", []byte(minimal+"signing: {signer: [\""+in+"\", --slot, \"1\"]}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if c.Signing.Folder != folder || len(c.Signing.Hidden) != 1 {
			t.Errorf("folder %s, hidden %q", c.Signing.Folder, c.Signing.Hidden)
		}
		if got := c.Signing.Signer; got[0] != want || len(got) != 3 {
			t.Errorf("%s became %q", in, got)
		}
	}
}

// certificate makes a self-signed CA certificate, changed by change.
func certificate(t *testing.T, name string, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true,
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func leaf(t *testing.T) string {
	return string(toPEM(certificate(t, "leaf", func(c *x509.Certificate) { c.IsCA = false })))
}

func aged(t *testing.T, from, to time.Time) string {
	return string(toPEM(certificate(t, "aged", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to })))
}

func toPEM(certs ...*x509.Certificate) (out []byte) {
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// keyPEM looks like a private key; there is none in it.
const keyPEM = "-----BEGIN EC PRIVATE KEY-----\naHVudGVyMg==\n-----END EC PRIVATE KEY-----\n"

func replace(t *testing.T, name Path, from, to string) {
	t.Helper()
	data, err := os.ReadFile(string(name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(string(name), []byte(strings.Replace(string(data), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}
