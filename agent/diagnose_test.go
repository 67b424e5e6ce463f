package agent

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/statefile"
	"firstday.dev/internal/testdirectory"
)

// diagnose gives the bundle's files by name.
func (m *machine) diagnose() (*Diagnosis, map[string]string) {
	m.t.Helper()
	var out bytes.Buffer
	d, err := m.program("1.2.3", false).Diagnose(m.t.Context(), &out)
	if err != nil {
		m.t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		m.t.Fatal(err)
	}
	files := make(map[string]string)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			m.t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			m.t.Fatal(err)
		}
		files[f.Name] = string(content)
		if strings.HasSuffix(f.Name, ".json") && !json.Valid(content) {
			m.t.Errorf("%s is no JSON:\n%s", f.Name, content)
		}
	}
	for _, f := range d.Files {
		content, there := files[f.Name]
		if there != (f.Missing == "") || len(content) != f.Size || !strings.Contains(files["INDEX.txt"], f.Name) {
			m.t.Errorf("%+v, in the bundle: %v, %d bytes", f, there, len(content))
		}
	}
	if len(files) > len(parts)+2 {
		m.t.Errorf("there are files that nobody meant: %d", len(files))
	}
	return d, files
}

// write puts a file into the machine's data folder.
func (m *machine) write(name, content string) {
	m.t.Helper()
	path := filepath.Join(m.Layout().Data, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		m.t.Fatal(err)
	}
}

// holds tells whether a text has a secret in it, in any form. It decodes the
// text, where the redactor encodes the secret.
func holds(text string, secret []byte) bool {
	found := func(b []byte) bool { return bytes.Contains(bytes.ToLower(b), bytes.ToLower(secret)) }
	runs := func(among string) []string {
		return strings.FieldsFunc(text, func(r rune) bool { return !strings.ContainsRune(among, r) })
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for _, run := range strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == '"' }) {
		for _, unescape := range []func(string) (string, error){url.QueryUnescape, url.PathUnescape} {
			if b, err := unescape(run); err == nil && found([]byte(b)) {
				return true
			}
		}
	}
	plain := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\/`, `/`, `\u0026`, `&`, `\u003c`, `<`, `\u003e`, `>`, `\n`, "\n").Replace(text)
	if found([]byte(text)) || found([]byte(plain)) || found([]byte(strings.NewReplacer("\r", "", "\n", "").Replace(plain))) {
		return true
	}
	for _, run := range runs("0123456789abcdefABCDEF") {
		for _, part := range []string{run, run[1:]} {
			if b, err := hex.DecodeString(part[:len(part)/2*2]); err == nil && found(b) {
				return true
			}
		}
	}
	for alphabet, encoding := range map[string]*base64.Encoding{"+/": base64.RawStdEncoding, "-_": base64.RawURLEncoding} {
		for _, run := range runs(letters + alphabet) {
			for skip := range min(4, len(run)) {
				part := run[skip:]
				if b, err := encoding.DecodeString(part[:len(part)/4*4]); err == nil && found(b) {
					return true
				}
			}
		}
	}
	return false
}

// Secrets that lie in every place where the agent keeps some, and in logs and
// errors, where it never puts any, leave the device in no form.
func TestBundleHoldsNoSecret(t *testing.T) {
	d := testdirectory.New(t)
	key := d.MustMint(api.NewConnectKey{})
	m := joining(t, d.At, key)
	m.mustJoin().mustAttempt(t) // the connect key is still there
	secrets := map[string][]byte{
		"connect key":           []byte(key.Reveal()),
		"previous connect key":  []byte("fdk_PREVIOUS7XKQ2"),
		"connect key of others": []byte("prod-key/with+signs=&<7>"),
		"ticket":                []byte("TICKETQ7M2ZKX4PLD3WABCDEF"),
		"device code":           []byte("DEVICECODE5KQ2M7ZNPAS3DFG"),
		"ticket in two":         []byte("DAMAGEDTICKET7ZQXK"),
		"installer's password":  []byte("hunter2-of-the-vpn"),
		"installer's token":     []byte("tok en&<of> \"MDM\"\\"),
		"installer's number":    []byte("8472910563"),
		"break-glass password":  []byte("Fd1-abcde-fghij-klmno-p2q3r"),
		"password in a log":     []byte("correct horse battery"),
		"proxy's password":      []byte("proxyuser:proxypass"),
	}
	previous := sample("1.0.0")
	previous.ConnectKey = api.Secret(secrets["previous connect key"])
	previous.Payloads[0].Arguments = fmt.Sprintf(`/S --password=%s PORT=%s`, secrets["installer's password"], secrets["installer's number"])
	previous.Payloads[1].Arguments = string(secrets["installer's token"])
	raw, err := json.Marshal(previous)
	if err != nil {
		t.Fatal(err)
	}
	m.write("enrollment.previous.json", string(raw))
	m.write("old.json", fmt.Sprintf(`{"connectKey": %q}`, secrets["connect key of others"]))
	m.write("signin.json", fmt.Sprintf(`{"schema":1,"stage":"made","name":"ann","ticket":%q,"deviceCode":%q}`, secrets["ticket"], secrets["device code"]))
	m.write("signin.json.damaged", fmt.Sprintf(`{"schema":1,"ticket":%q,"deviceC`, secrets["ticket in two"]))
	pemKey, err := os.ReadFile(m.Layout().DeviceKey())
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(pemKey)
	secrets["device key"] = block.Bytes
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if secrets["device key's number"], err = parsed.(interface{ Bytes() ([]byte, error) }).Bytes(); err != nil {
		t.Fatal(err)
	}

	// Where none belongs: what errors say, and logs, in many forms.
	var log strings.Builder
	record := func(fields map[string]any) {
		b, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(append(b, '\n'))
	}
	for name, s := range secrets {
		record(map[string]any{"msg": "plain " + string(s), "error": fmt.Sprintf("tried %q", s)})
		for before := range 3 {
			padded := strings.Repeat("x", before) + string(s)
			record(map[string]any{"msg": "base64", "a": base64.StdEncoding.EncodeToString([]byte(padded + "y")), "b": base64.RawURLEncoding.EncodeToString([]byte(padded))})
		}
		record(map[string]any{"msg": "hex", "a": hex.EncodeToString(s), "b": fmt.Sprintf("%X", s), "c": fmt.Sprintf("%x", "ab"+string(s))})
		record(map[string]any{"msg": "address", "a": "https://x.example/?q=" + url.QueryEscape(string(s)), "b": url.PathEscape(string(s))})
		inner, err := json.Marshal(map[string]string{"password": string(s)})
		if err != nil {
			t.Fatal(err)
		}
		record(map[string]any{"msg": "nested", "body": string(inner)})
		fmt.Fprintf(&log, "a line that is cut %s", inner[:len(inner)-2])
		log.WriteString("\n")
		if !holds(log.String(), s) {
			t.Fatalf("the %s is not planted", name)
		}
	}
	record(map[string]any{"msg": "settings", "password": "correct horse battery", "note": `password="correct horse battery" and token=abcdefgh`})
	record(map[string]any{"msg": "proxy http://proxyuser:proxypass@proxy.example:3128"})
	record(map[string]any{"msg": string(pemKey)})
	// Of these the agent keeps no copy to compare with: only their shapes or
	// names give them away, in these ways.
	shaped := fmt.Sprintf("{\"msg\":\"account rescue has %s now\"}\n{\"password\":\"correct horse battery\"}\n{\"msg\":\"http://proxyuser:proxypass@proxy.example\"}\n{\"msg\":\"fdk_ANOTHER7KEY22 and Bearer abcdef.ghijkl\"}\n", secrets["break-glass password"])
	var kept strings.Builder
	for line := range strings.Lines(log.String()) {
		if !slices.ContainsFunc([]string{"break-glass password", "password in a log", "proxy's password"}, func(name string) bool { return holds(line, secrets[name]) }) {
			kept.WriteString(line)
		}
	}
	m.write("log/service.jsonl", kept.String()+shaped)
	m.write("log/install.jsonl.1", shaped+kept.String())
	r, err := readReport(m.Layout().Report())
	if errors.Is(err, fs.ErrNotExist) {
		r, err = &report{Schema: stateSchema}, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Enrolment.LastError = fmt.Sprintf("%s %s %x", key.Reveal(), secrets["ticket"], secrets["device key's number"])
	r.Error = "reading: " + string(secrets["installer's password"])
	s := &state{PackageID: previous.PackageID, AgentVersion: "1.2.3", Phase: PhasePayloads, Error: string(secrets["installer's token"]), Payloads: []PayloadResult{{File: "one.exe", Error: string(secrets["installer's number"])}}}
	if err := errors.Join(statefile.Write(m.Layout().Report(), r), s.write(m.Layout().State())); err != nil {
		t.Fatal(err)
	}

	summary, files := m.diagnose()
	printed, err := json.Marshal(summary)
	if err != nil {
		t.Fatal(err)
	}
	files["what is printed"] = string(printed)
	for name, content := range files {
		for what, s := range secrets {
			if holds(content, s) {
				t.Errorf("%s holds the %s:\n%.4000s", name, what, content)
			}
		}
		for _, other := range []string{"ANOTHER7KEY22", "ghijkl", "abcdefgh", "PRIVATE KEY"} {
			if strings.Contains(content, other) {
				t.Errorf("%s holds %s", name, other)
			}
		}
	}
	for line := range strings.Lines(files["log/service.jsonl"]) {
		if !json.Valid([]byte(line)) && !strings.HasPrefix(line, "a line that is cut") {
			t.Errorf("no JSON any more: %s", line)
		}
	}
	for name, want := range map[string]string{
		"log/service.jsonl": `"msg":"account rescue has [secret] now"`,
		"membership.json":   `"password": "choose"`,
		"enrollment.json":   `"connectKey": "[secret]"`,
		"report.json":       `"lastError": "[secret] [secret] [secret]"`,
		"files.json":        `"path": "device.key"`,
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s does not hold %s:\n%.2000s", name, want, files[name])
		}
	}
}

// overheard is a directory whose secrets for the device are noted.
type overheard struct {
	directory
	note func(...api.Secret)
}

func (o overheard) SignIn(ctx context.Context, r *api.SignInRequest) (*api.SignInResponse, error) {
	answer, err := o.directory.SignIn(ctx, r)
	if err == nil {
		o.note(answer.DeviceCode, api.Secret(answer.UserCode))
	}
	return answer, err
}

func (o overheard) WhoSignedIn(ctx context.Context, r *api.TokenRequest) (*api.TokenResponse, error) {
	answer, err := o.directory.WhoSignedIn(ctx, r)
	if err == nil {
		o.note(answer.Ticket)
	}
	return answer, err
}

// What the agent writes itself on a first day needs no redaction: enrolment,
// break-glass password, somebody who signs in, and somebody who may not.
func TestLogsOfAFirstDayHoldNoSecret(t *testing.T) {
	d := testdirectory.New(t)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	d.Change(func(s *api.Settings) { s.RecoveryKey = identity.Recipient().String() })
	key := d.MustMint(api.NewConnectKey{})
	m := joining(t, d.At, key)
	m.mustHaveRescue()
	var mu sync.Mutex
	secrets := []api.Secret{key, "of this device", "correct horse battery"}
	m.limits.dial = func(at api.Directory, certificate func() (*tls.Certificate, error)) (directory, error) {
		dir, err := dialDirectory(at, certificate)
		return overheard{dir, func(s ...api.Secret) {
			mu.Lock()
			defer mu.Unlock()
			secrets = append(secrets, s...)
		}}, err
	}
	offered := make(chan *signin.Machine, 1)
	m.limits.SignIn = func(s *signin.Machine) { offered <- s }
	end := m.run()
	desk := &desk{m, d, <-offered}
	desk.sees(signin.Ready, "")
	desk.identify("ann")
	desk.choosePassword()
	desk.sees(signin.Done, "")
	desk.press(signin.Close, nil)
	m.mustEscrow(d)
	end()
	list, err := d.Reveal(t.Context(), "token:ann", d.OnlyDevice().ID, &api.RevealRequest{Reason: "test"})
	if err != nil || len(list) == 0 {
		t.Fatalf("%v, %v", list, err)
	}
	secrets = append(secrets, api.Secret(mustOpen(t, list[0].Sealed, identity)))
	if len(secrets) < 7 {
		t.Errorf("only %d secrets were there", len(secrets))
	}
	_, files := m.diagnose()
	for _, name := range []string{m.Layout().ServiceLog(), m.Layout().Report(), m.Layout().Device()} {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(content)
	}
	for name, content := range files {
		for _, s := range secrets {
			if holds(content, []byte(s.Reveal())) {
				t.Errorf("%s holds %q", name, s.Reveal())
			}
		}
	}
	if log := files["log/service.jsonl"]; log != files[m.Layout().ServiceLog()] || !strings.Contains(log, "break-glass password changed") {
		t.Errorf("the log was changed, or is short:\n%s", log)
	}
}

func TestBundleOfAMember(t *testing.T) {
	d := testdirectory.New(t)
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	end := m.run()
	m.becomes("enrolment", done)
	end()
	summary, files := m.diagnose()
	if !summary.Installed || summary.Organisation != "Acme" || summary.DeviceID != d.OnlyDevice().ID {
		t.Errorf("%+v", summary)
	}
	if k := summary.Key; k.Storage != api.KeyInFile || !k.Works || k.Error != "" || k.TPMError != "there is no TPM" {
		t.Errorf("%+v", k)
	}
	n := summary.Network
	if n == nil || n.ServerTime == nil || *n.Ahead < -60 || *n.Ahead > 60 || len(n.problems()) != 0 {
		t.Fatalf("%+v", n)
	}
	var steps []string
	for _, s := range n.Steps {
		steps = append(steps, s.Name)
	}
	if strings.Join(steps, " ") != "name connection tls directory" {
		t.Errorf("%+v", n.Steps)
	}
	if !slices.ContainsFunc(n.Certificates, func(c ServerCertificate) bool { return c.Pin == d.At.Pin }) {
		t.Errorf("%+v", n.Certificates)
	}
	for name, wants := range map[string][]string{
		"status.json":       {`"organisation": "Acme"`},
		"report.json":       {`"state": "enrolled"`, `"storage": "file"`},
		"membership.json":   {`"ssap": true`, `"free": true`, `"ofPackage": true`, `"notAfter": "`},
		"network.json":      {d.At.URL, `TLS 1.3, known by the pinned CA, protocol`},
		"system.json":       {`"serial": "SN-1"`, `"keyStorage": "file"`},
		"files.json":        {`"path": "device.key"`, `"mode": "-rw-------"`, `"path": "log/service.jsonl"`},
		"log/service.jsonl": {`"msg":"enrolled"`},
		"INDEX.txt":         {"the help desk", "problem: the service is missing"},
	} {
		for _, want := range wants {
			if !strings.Contains(files[name], want) {
				t.Errorf("%s does not hold %s:\n%s", name, want, files[name])
			}
		}
	}
}

func TestBundleTellsWhatIsBetweenDeviceAndDirectory(t *testing.T) {
	d := testdirectory.New(t)
	m := joining(t, d.At, "fdk_nothing")
	failed := func(step string) string {
		t.Helper()
		summary, _ := m.diagnose()
		for _, s := range summary.Network.Steps {
			if s.Name == step && !s.OK {
				return strings.Join(summary.Problems, "\n")
			}
		}
		t.Errorf("%s: %+v", step, summary.Network.Steps)
		return ""
	}
	// Another directory, or somebody between.
	m.bring(api.Directory{URL: d.At.URL, Pin: "sha256:" + strings.Repeat("ab", 32)}, "")
	if p := failed("tls"); !strings.Contains(p, "no CA certificate with the pinned key") {
		t.Errorf("it says %s", p)
	}
	if summary, _ := m.diagnose(); !slices.ContainsFunc(summary.Network.Certificates, func(c ServerCertificate) bool { return c.Pin == d.At.Pin }) {
		t.Errorf("what it presents is %+v", summary.Network.Certificates)
	}
	m.bring(api.Directory{URL: d.At.URL}, "")
	if p := failed("tls"); !strings.Contains(p, "unknown authority") {
		t.Errorf("it says %s", p)
	}
	m.bring(d.At, "")
	d.Stop()
	if p := failed("connection"); !strings.Contains(p, "refused") {
		t.Errorf("it says %s", p)
	}
	d.Serve()
	m.bring(api.Directory{URL: "https://directory.invalid"}, "")
	failed("name")

	ahead := int64(-86400)
	if p := (&Network{Ahead: &ahead}).problems(); len(p) != 1 || !strings.Contains(p[0], "differs from the directory's by -24h") {
		t.Errorf("of a wrong clock it says %q", p)
	}
}

// However little is there, and however damaged, there is a bundle.
func TestBundleOfHalfAnInstallation(t *testing.T) {
	m := newMachine(t)
	summary, files := m.diagnose()
	if summary.Installed || !slices.Contains(summary.Problems, ErrNotInstalled.Error()) || files["system.json"] == "" {
		t.Errorf("without an agent: %+v", summary)
	}
	if err := os.MkdirAll(m.Layout().Data, 0o700); err != nil {
		t.Fatal(err)
	}
	if summary, _ = m.diagnose(); !summary.Installed || len(summary.Problems) == 0 {
		t.Errorf("with a folder: %+v", summary)
	}
	m.write("enrollment.json", "{")
	m.write("install.json", strings.Repeat("[", 2<<20))
	m.write("device.json", `{"schema": 1, "certificates": ["AA=="]}`)
	m.write("device.key", "no key")
	m.write("report.json/folder", "")
	m.write("log/install.jsonl", strings.Repeat(`{"msg":"a line"}`+"\n", 100_000))
	m.write("secret", "of somebody else")
	if err := os.Symlink(filepath.Join(m.Layout().Data, "secret"), m.Layout().ServiceLog()); err != nil {
		t.Fatal(err)
	}
	for i := range maxFiles {
		m.write(fmt.Sprintf("payloads/%d", i), "")
	}
	summary, files = m.diagnose()
	for name, want := range map[string]string{
		"status.json": "", "membership.json": "", "key.json": "", "files.json": "", "log/install.jsonl": "",
		"enrollment.json": "no enrollment", "installation.json": "larger than", "report.json": "directory", "log/service.jsonl": "not a regular file", "network.json": "no enrollment",
	} {
		i := slices.IndexFunc(summary.Files, func(f BundledFile) bool { return f.Name == name })
		if missing := summary.Files[i].Missing; (missing == "") != (want == "") || !strings.Contains(missing, want) {
			t.Errorf("%s is missing: %q, want %q", name, missing, want)
		}
	}
	if k := summary.Key; k.Works || !strings.Contains(k.Error, "damaged") {
		t.Errorf("%+v", k)
	}
	if tail := files["log/install.jsonl"]; len(tail) > maxTail || len(tail) < maxTail/2 || !strings.HasPrefix(tail, `{"msg":"a line"}`+"\n") {
		t.Errorf("the log has %d bytes: %.40q", len(tail), tail)
	}
	if !strings.Contains(files["files.json"], `"truncated": true`) || strings.Contains(files["INDEX.txt"], "of somebody else") {
		t.Errorf("%.2000s", files["files.json"])
	}
}

// What a redactor leaves has no secret in it, and JSON stays JSON.
func FuzzRedact(f *testing.F) {
	const secret = "Sup3r/secret+key=&\"7"
	dir := f.TempDir()
	content, err := json.Marshal(map[string]string{"connectKey": secret})
	if err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "enrollment.json"), content, 0o600); err != nil {
		f.Fatal(err)
	}
	r := newRedactor(Layout{Data: dir})
	f.Add(`{"msg":"x","password":"a\"b"}`, `token="x y"`)
	f.Add("[1,2", "https://a:b@c")
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, text := range []string{before + secret + after, before + string(content) + after, before + base64.StdEncoding.EncodeToString([]byte(after+secret+before)) + after} {
			if clean := r.redact(text); strings.Contains(clean, secret) || strings.Contains(clean, string(content)) {
				t.Errorf("%q became %q", text, clean)
			}
		}
		b, err := json.Marshal(map[string]any{"a": before + secret + after, before: []string{after, secret}})
		if err != nil {
			t.Fatal(err)
		}
		clean := r.json(string(b))
		if !json.Valid([]byte(clean)) || holds(clean, []byte(secret)) {
			t.Errorf("%s became %s", b, clean)
		}
	})
}
