// Package testapple is a fake of the services of Apple's and Amazon's that
// notarisation takes, for tests. It checks the signature of every request by
// code of its own.
package testapple

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

// Apple is all of them at one address.
type Apple struct {
	URL string            // of the server
	Key *ecdsa.PrivateKey // of the team, with the issuer and the id below

	Clock     time.Time         // what requests may be signed at
	Calls     []string          // method and address of each request
	Objects   map[string][]byte // what was uploaded, by name
	Begun     map[string]string // SHA-256 that was announced, by id
	Statuses  []string          // of the next looks; the last one stays
	Log       string            // of every submission
	AnyTicket bool              // there is a ticket for every package
	Tickets   map[string]string // base64, by record name
	// Before sees each request first; true means it has answered it.
	Before func(w http.ResponseWriter, r *http.Request) bool

	tb    testing.TB
	mu    sync.Mutex
	parts map[string]map[string][]byte // by upload and number
}

// Issuer and KeyID name the key.
const (
	Issuer = "issuer-1"
	KeyID  = "KEY1"
)

const secretKey = "secret/of+the=upload"

// New starts a fake that accepts every package. It ends with the test.
func New(tb testing.TB) *Apple {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	a := &Apple{
		tb: tb, Key: key, Clock: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Statuses: []string{"Accepted"},
		Objects: map[string][]byte{}, parts: map[string]map[string][]byte{}, Begun: map[string]string{}, Tickets: map[string]string{},
	}
	server := httptest.NewServer(a)
	tb.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

// KeyPEM is the team's key as Apple hands it out.
func (a *Apple) KeyPEM() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(a.Key)
	if err != nil {
		a.tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Now is the time by the fake's clock.
func (a *Apple) Now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.Clock
}

// Pass lets time pass.
func (a *Apple) Pass(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Clock = a.Clock.Add(d)
}

func (a *Apple) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.Calls = append(a.Calls, r.Method+" "+r.URL.RequestURI())
	before := a.Before
	a.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the connection was cut
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case strings.HasPrefix(r.URL.Path, "/notary/v2/"):
		if err := a.checkToken(r.Header.Get("Authorization")); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		a.serveNotary(w, r, body)
	case strings.HasPrefix(r.URL.Path, "/s3/"):
		if err := checkSignature(r, body); err != nil {
			http.Error(w, "<Error><Code>SignatureDoesNotMatch</Code></Error>", http.StatusForbidden)
			a.tb.Errorf("%s %s: %v", r.Method, r.URL, err)
			return
		}
		a.serveS3(w, r, body)
	case r.URL.Path == "/tickets":
		a.serveTicket(w, body)
	case r.URL.Path == "/log":
		if r.Header.Get("Authorization") != "" {
			a.tb.Error("the token was sent with the request for the log")
		}
		fmt.Fprint(w, a.Log)
	default:
		http.NotFound(w, r)
	}
}

// checkToken takes a JSON web token apart.
func (a *Apple) checkToken(header string) error {
	parts := strings.Split(strings.TrimPrefix(header, "Bearer "), ".")
	if len(parts) != 3 {
		return fmt.Errorf("no token")
	}
	var raw [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return err
		}
		raw[i] = b
	}
	var head struct{ Alg, Kid, Typ string }
	var claims struct {
		Iss, Aud string
		Iat, Exp int64
	}
	if json.Unmarshal(raw[0], &head) != nil || json.Unmarshal(raw[1], &claims) != nil || len(raw[2]) != 64 {
		return fmt.Errorf("malformed token")
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:])
	switch {
	case !ecdsa.Verify(&a.Key.PublicKey, digest[:], r, s):
		return fmt.Errorf("bad signature")
	case head.Alg != "ES256" || head.Kid != KeyID || head.Typ != "JWT" || claims.Iss != Issuer || claims.Aud != "appstoreconnect-v1":
		return fmt.Errorf("claims %+v %+v", head, claims)
	case claims.Exp-claims.Iat > 20*60 || claims.Exp <= a.Clock.Unix() || claims.Iat > a.Clock.Unix():
		return fmt.Errorf("expired")
	}
	return nil
}

// checkSignature recomputes an AWS signature of version 4, as its documentation
// describes it.
func checkSignature(r *http.Request, body []byte) error {
	sum := sha256.Sum256(body)
	if got := r.Header.Get("x-amz-content-sha256"); got != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("the body has another hash than %s", got)
	}
	if r.Header.Get("x-amz-security-token") != "session" {
		return fmt.Errorf("no session token")
	}
	date := r.Header.Get("x-amz-date")
	var query []string
	for name, values := range r.URL.Query() {
		query = append(query, url.QueryEscape(name)+"="+url.QueryEscape(values[0]))
	}
	sort.Strings(query)
	canonical := r.Method + "\n" + r.URL.EscapedPath() + "\n" + strings.Join(query, "&") + "\n" +
		"host:" + r.Host + "\nx-amz-content-sha256:" + r.Header.Get("x-amz-content-sha256") +
		"\nx-amz-date:" + date + "\nx-amz-security-token:session\n\n" +
		"host;x-amz-content-sha256;x-amz-date;x-amz-security-token\n" + hex.EncodeToString(sum[:])
	digest := sha256.Sum256([]byte(canonical))
	hash := func(key []byte, data string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(data))
		return m.Sum(nil)
	}
	signingKey := hash(hash(hash(hash([]byte("AWS4"+secretKey), date[:8]), "us-west-2"), "s3"), "aws4_request")
	want := hex.EncodeToString(hash(signingKey, "AWS4-HMAC-SHA256\n"+date+"\n"+date[:8]+"/us-west-2/s3/aws4_request\n"+hex.EncodeToString(digest[:])))
	if got := r.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature="+want) || !strings.Contains(got, "Credential=access/"+date[:8]+"/") {
		return fmt.Errorf("signature %s, want %s", got, want)
	}
	return nil
}

func (a *Apple) serveNotary(w http.ResponseWriter, r *http.Request, body []byte) {
	path := strings.TrimPrefix(r.URL.Path, "/notary/v2/submissions")
	switch {
	case r.Method == http.MethodPost && path == "":
		var ask struct{ SHA256, SubmissionName string }
		if err := json.Unmarshal(body, &ask); err != nil || len(ask.SHA256) != 64 || ask.SubmissionName == "" {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		id := fmt.Sprintf("id-%d", len(a.Begun)+1)
		a.Begun[id] = ask.SHA256
		fmt.Fprintf(w, `{"data":{"id":%q,"type":"newSubmissions","attributes":{"awsAccessKeyId":"access","awsSecretAccessKey":%q,"awsSessionToken":"session","bucket":"notary-submissions-prod","object":"prod/team %s"}}}`, id, secretKey, id)
	case path == "":
		fmt.Fprint(w, `{"data":[{"id":"id-1","attributes":{"name":"Acme.pkg","status":"Accepted","createdDate":"2026-11-23T12:00:00.000Z"}}]}`)
	case strings.HasSuffix(path, "/logs"):
		fmt.Fprintf(w, `{"data":{"attributes":{"developerLogUrl":%q}}}`, a.URL+"/log")
	default:
		status := a.Statuses[0]
		if len(a.Statuses) > 1 {
			a.Statuses = a.Statuses[1:]
		}
		fmt.Fprintf(w, `{"data":{"id":%q,"attributes":{"name":"Acme.pkg","status":%q,"createdDate":"2026-11-23T12:00:00.000Z"}}}`, path[1:], status)
	}
}

func (a *Apple) serveS3(w http.ResponseWriter, r *http.Request, body []byte) {
	object, query := strings.TrimPrefix(r.URL.Path, "/s3/"), r.URL.Query()
	switch {
	case r.Method == http.MethodPost && query.Has("uploads"):
		id := fmt.Sprintf("upload+%d", len(a.parts)+1)
		a.parts[id] = map[string][]byte{}
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	case r.Method == http.MethodPut && query.Has("partNumber"):
		a.parts[query.Get("uploadId")][query.Get("partNumber")] = body
		w.Header().Set("ETag", `"etag-`+query.Get("partNumber")+`"`)
	case r.Method == http.MethodPost:
		var whole []byte
		for i := 1; i <= len(a.parts[query.Get("uploadId")]); i++ {
			if !strings.Contains(string(body), fmt.Sprintf("<PartNumber>%d</PartNumber><ETag>&#34;etag-%d&#34;</ETag>", i, i)) {
				a.tb.Errorf("part %d is not listed in %s", i, body)
			}
			whole = append(whole, a.parts[query.Get("uploadId")][fmt.Sprint(i)]...)
		}
		a.Objects[object] = whole
		fmt.Fprint(w, "<CompleteMultipartUploadResult/>")
	case r.Method == http.MethodPut:
		a.Objects[object] = body
	}
}

func (a *Apple) serveTicket(w http.ResponseWriter, body []byte) {
	var ask struct{ Records []struct{ RecordName string } }
	if err := json.Unmarshal(body, &ask); err != nil || len(ask.Records) != 1 {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	name := ask.Records[0].RecordName
	if digest, err := hex.DecodeString(name[strings.LastIndexByte(name, '/')+1:]); err == nil && a.AnyTicket {
		a.Tickets[name] = base64.StdEncoding.EncodeToString(append([]byte("s8ch"), digest...))
	}
	if a.Tickets[name] == "" {
		fmt.Fprintf(w, `{"records":[{"recordName":%q,"reason":"Record not found","serverErrorCode":"NOT_FOUND"}]}`, name)
		return
	}
	fmt.Fprintf(w, `{"records":[{"recordName":%q,"fields":{"signedTicket":{"value":%q,"type":"BYTES"}}}]}`, name, a.Tickets[name])
}

// Count is how many requests begin so.
func (a *Apple) Count(prefix string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, c := range a.Calls {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}
