package agent

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"firstday.dev/api"
)

// redactor takes secrets out of what leaves the device: those that lie in the
// agent's data folder, however they are encoded, and what looks like one. None
// is expected anywhere it looks: it is the second lock.
type redactor struct{ known *strings.Replacer }

const redacted = "[secret]"

// Bounds on what is searched for secrets.
const (
	maxSearchedFiles = 200
	maxSearchedSize  = 1 << 20 // bytes of a file
	// minSecret is the length from which on a text is looked for, in bytes. A
	// shorter one would be found everywhere.
	minSecret = 6
)

var (
	literal = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	// secretField is a field of JSON whose value is nobody's business.
	secretField = regexp.MustCompile(`(?i)("(?:connect_?key|ticket|device_?code|(?:[a-z]*_?)password|arguments|secret|token)"\s*:\s*)"((?:[^"\\]|\\.)*)"`)
	// secretShapes are those of our own secrets: connect keys and tokens,
	// passwords of break-glass accounts, identities of age; of keys in PEM; of
	// what goes with a name into an address or a header.
	secretShapes = []*regexp.Regexp{
		regexp.MustCompile(`\bfd[a-z]_[A-Za-z0-9_-]{6,}`),
		regexp.MustCompile(`\bFd1(?:-[a-z2-7]{5}){4}\b`),
		regexp.MustCompile(`(?i)\bAGE-SECRET-KEY-1[0-9a-z]+`),
		regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z0-9 ]*PRIVATE KEY-----)?`),
		regexp.MustCompile(`(?i)\bbearer\s+[a-z0-9._~+/=-]{6,}`),
	}
	secretPair    = regexp.MustCompile(`(?i)\b((?:password|passwd|ticket|token|secret|connect_?key|device_?code)=)("(?:[^"\\]|\\.)*"|[^\s"&,;]+)`)
	addressSecret = regexp.MustCompile(`(://)[^/\s"@]*@`)
)

// newRedactor reads the secrets in the data folder.
func newRedactor(layout Layout) *redactor {
	var texts []string
	for _, s := range secretsIn(layout.Data) {
		texts = append(texts, encodings(s)...)
	}
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }) // the longest of those that begin alike
	var pairs []string
	for _, text := range slices.Compact(texts) {
		pairs = append(pairs, text, redacted)
	}
	return &redactor{strings.NewReplacer(pairs...)}
}

// json gives JSON without secrets.
func (r *redactor) json(text string) string {
	text = literal.ReplaceAllStringFunc(text, func(quoted string) string {
		var plain string
		if json.Unmarshal([]byte(quoted), &plain) == nil {
			clean := r.redact(plain)
			if clean == plain {
				return quoted
			}
			if b, err := json.Marshal(clean); err == nil {
				return string(b)
			}
		}
		return `"` + redacted + `"`
	})
	return hideFields(text)
}

// lines gives a log without secrets, of which a line may be cut or no JSON.
func (r *redactor) lines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if json.Valid([]byte(line)) {
			b.WriteString(r.json(line))
		} else {
			b.WriteString(r.redact(line))
		}
	}
	return b.String()
}

func hideFields(text string) string {
	return secretField.ReplaceAllStringFunc(text, func(field string) string {
		m := secretField.FindStringSubmatch(field)
		if isMode(m[2]) {
			return field
		}
		return m[1] + `"` + redacted + `"`
	})
}

// isMode: the settings have a field password, which is how one is got.
func isMode(value string) bool {
	return value == string(api.VerifyPassword) || value == string(api.ChoosePassword)
}

// redact gives text without secrets.
func (r *redactor) redact(text string) string {
	text = hideFields(r.known.Replace(text))
	text = secretPair.ReplaceAllString(text, "${1}"+redacted)
	text = addressSecret.ReplaceAllString(text, "${1}"+redacted+"@")
	for _, shape := range secretShapes {
		text = shape.ReplaceAllString(text, redacted)
	}
	return text
}

// secretsIn finds the secrets in a folder's files, whatever state they are in.
func secretsIn(folder string) [][]byte {
	entries, _ := os.ReadDir(folder) // none if it does not exist
	var secrets [][]byte
	for _, e := range entries[:min(len(entries), maxSearchedFiles)] {
		if !e.Type().IsRegular() {
			continue
		}
		data, err := readSome(filepath.Join(folder, e.Name()))
		if err != nil {
			continue // it can hardly be shown either
		}
		for _, m := range secretField.FindAllSubmatch(data, -1) {
			secrets = append(secrets, m[2])
			var value string
			if json.Unmarshal(slices.Concat([]byte{'"'}, m[2], []byte{'"'}), &value) == nil {
				secrets = append(secrets, []byte(value))
				for _, word := range strings.Fields(value) { // of arguments
					_, setting, _ := strings.Cut(word, "=")
					secrets = append(secrets, []byte(strings.Trim(setting, `"'`)))
				}
			}
		}
		secrets = append(secrets, keysIn(data)...)
	}
	return slices.DeleteFunc(secrets, func(s []byte) bool { return len(s) < minSecret || isMode(string(s)) })
}

func readSome(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSearchedSize))
}

// keysIn gives private keys in PEM: as text, as bytes, and the number that is the
// secret.
func keysIn(data []byte) (secrets [][]byte) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return secrets
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		secrets = append(secrets, block.Bytes)
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if key, ok := key.(*ecdsa.PrivateKey); ok {
				if number, err := key.Bytes(); err == nil {
					secrets = append(secrets, number)
				}
			}
		}
		text := pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})
		for line := range bytes.Lines(text) {
			if line = bytes.TrimSpace(line); !bytes.HasPrefix(line, []byte("-----")) {
				secrets = append(secrets, line)
			}
		}
	}
}

// encodings are the ways in which a secret may stand in a text.
func encodings(secret []byte) []string {
	plain := string(secret)
	all := []string{
		plain, url.QueryEscape(plain), url.PathEscape(plain),
		hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
	}
	if quoted, err := json.Marshal(plain); err == nil {
		all = append(all, string(quoted[1:len(quoted)-1]))
	}
	quoted := strconv.Quote(plain)
	all = append(all, quoted[1:len(quoted)-1])
	// In base64 it depends on what stands before it: 0, 1 or 2 bytes of a group.
	for before, first := range []int{0, 2, 3} {
		padded := append(make([]byte, before), secret...)
		last := len(padded) * 8 / 6
		all = append(all, base64.RawStdEncoding.EncodeToString(padded)[first:last], base64.RawURLEncoding.EncodeToString(padded)[first:last])
	}
	return all
}
