package notary

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testapple"
	"firstday.dev/pkgbuild/xar"
)

// client is one that speaks to the fake and never really sleeps; it notes how
// long it would have.
func client(t *testing.T, a *testapple.Apple, slept *[]time.Duration) *Client {
	t.Helper()
	key, err := ReadKey(testapple.Issuer, testapple.KeyID, a.KeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	return &Client{
		Key: key, URL: a.URL + "/notary/v2", TicketURL: a.URL + "/tickets", S3URL: a.URL + "/s3", PartSize: 1000, Now: a.Now,
		Sleep: func(ctx context.Context, d time.Duration) error {
			if slept != nil {
				*slept = append(*slept, d)
			}
			a.Pass(d)
			return ctx.Err()
		},
	}
}

func file(size int) (File, []byte) {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i * 7 / 3)
	}
	return File{bytes.NewReader(b), int64(size)}, b
}

func TestSubmitUploadsTheFile(t *testing.T) {
	for _, size := range []int{1, 999, 1000, 1001, 3000, 4500} {
		a := testapple.New(t)
		f, want := file(size)
		var done, total int64
		c := client(t, a, nil)
		c.Progress = func(d, of int64) { done, total = d, of }
		id, err := c.Submit(t.Context(), f, "Acme.pkg")
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(want)
		if a.Begun[id] != hex.EncodeToString(sum[:]) || !bytes.Equal(a.Objects["prod/team "+id], want) {
			t.Errorf("%d bytes: another file has arrived", size)
		}
		if done != int64(size) || total != int64(size) {
			t.Errorf("%d bytes: progress ends at %d of %d", size, done, total)
		}
		if parts := a.Count("PUT "); parts != max(1, (size+999)/1000) {
			t.Errorf("%d bytes went in %d parts", size, parts)
		}
	}
}

// A connection that breaks in the middle of a part costs that part, no more.
func TestUploadSurvivesACutConnection(t *testing.T) {
	a := testapple.New(t)
	var slept []time.Duration
	cuts := 0
	a.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || r.URL.Query().Get("partNumber") != "2" || cuts == 2 {
			return false
		}
		cuts++
		if _, err := r.Body.Read(make([]byte, 10)); err != nil {
			t.Error(err)
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return true
		}
		conn.Close()
		return true
	}
	f, want := file(2500)
	id, err := client(t, a, &slept).Submit(t.Context(), f, "Acme.pkg")
	if err != nil || !bytes.Equal(a.Objects["prod/team "+id], want) {
		t.Fatalf("%v", err)
	}
	if n := a.Count("PUT "); n != 5 {
		t.Errorf("%d parts were sent, 3 and 2 again were needed", n)
	}
	if len(slept) != 2 {
		t.Errorf("pauses: %v", slept)
	}
}

// A process that dies is continued by another one, which sends only the rest.
func TestUploadGoesOnInAnotherProcess(t *testing.T) {
	a := testapple.New(t)
	f, want := file(3500)
	u, err := client(t, a, nil).Begin(t.Context(), f, "Acme.pkg")
	if err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(t.Context())
	var kept []byte
	err = client(t, a, nil).Continue(ctx, u, f, func(u *Upload) error {
		if kept, err = json.Marshal(u); err == nil && len(u.ETags) == 2 {
			kill()
		}
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("killed: %v", err)
	}
	again := new(Upload)
	if err := json.Unmarshal(kept, again); err != nil {
		t.Fatal(err)
	}
	other, _ := file(3499)
	if err := client(t, a, nil).Continue(t.Context(), again, other, nil); !errors.Is(err, ErrChanged) {
		t.Errorf("another file: %v", err)
	}
	sent := a.Count("PUT ")
	if err := client(t, a, nil).Continue(t.Context(), again, f, nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Objects["prod/team "+u.ID], want) || a.Count("PUT ")-sent != 2 || a.Count("POST /notary") != 1 {
		t.Errorf("%d more parts, calls %q", a.Count("PUT ")-sent, a.Calls)
	}
	if err := client(t, a, nil).Continue(t.Context(), again, f, nil); err != nil || a.Count("PUT ")-sent != 2 {
		t.Errorf("once done it is done: %v", err)
	}
}

// Credentials for an upload expire; what Amazon says then repeats them.
func TestExpiredUploadIsToldWithoutSecrets(t *testing.T) {
	a := testapple.New(t)
	a.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			w.WriteHeader(http.StatusForbidden)
			w.Write([]byte(`<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Token-0>session</Token-0></Error>`))
			return true
		}
		return false
	}
	f, _ := file(10)
	_, err := client(t, a, nil).Submit(t.Context(), f, "Acme.pkg")
	if !errors.Is(err, ErrCredentials) || !strings.Contains(err.Error(), "ExpiredToken") || strings.Contains(err.Error(), "session") {
		t.Errorf("got %v", err)
	}
}

func TestWaitUntilApple(t *testing.T) {
	a := testapple.New(t)
	a.Statuses = []string{"In Progress", "In Progress", "In Progress", "Accepted"}
	var slept []time.Duration
	s, err := client(t, a, &slept).Wait(t.Context(), "id-1")
	if err != nil || s.Status != StatusAccepted || s.Name != "Acme.pkg" || len(slept) != 3 {
		t.Errorf("%+v, %v, pauses %v", s, err, slept)
	}
	a.Statuses = []string{"In Progress"}
	ctx, stop := context.WithCancel(t.Context())
	c := client(t, a, nil)
	c.Sleep = func(ctx context.Context, _ time.Duration) error { stop(); return ctx.Err() }
	if s, err := c.Wait(ctx, "id-1"); !errors.Is(err, context.Canceled) || s == nil || s.ID != "id-1" {
		t.Errorf("who stops waiting: %+v, %v", s, err)
	}
}

func TestRejectionHasApplesReasons(t *testing.T) {
	a := testapple.New(t)
	a.Statuses = []string{"Invalid"}
	a.Log = `{"status":"Invalid","statusSummary":"Archive contains critical validation errors","issues":[
		{"severity":"error","path":"Acme.pkg/agent","message":"The signature does not include a secure timestamp.","architecture":"arm64"},
		{"severity":"warning","path":"Acme.pkg","message":"old"}]}`
	_, err := client(t, a, nil).Wait(t.Context(), "id-1")
	var rejected *RejectedError
	if !errors.Is(err, ErrRejected) || !errors.As(err, &rejected) || len(rejected.Log.Issues) != 2 {
		t.Fatalf("got %v", err)
	}
	const want = "notary: rejected: submission id-1 is Invalid\nAcme.pkg/agent: The signature does not include a secure timestamp."
	if err.Error() != want {
		t.Errorf("got %s", err)
	}
	a.Log = "no JSON"
	if _, err := client(t, a, nil).Wait(t.Context(), "id-1"); !errors.Is(err, ErrRejected) || !errors.Is(err, ErrService) {
		t.Errorf("without a log: %v", err)
	}
}

// A token that the service takes for expired is renewed, once.
func TestExpiredTokenIsRenewed(t *testing.T) {
	a := testapple.New(t)
	c := client(t, a, nil)
	if _, err := c.Status(t.Context(), "id-1"); err != nil {
		t.Fatal(err)
	}
	a.Pass(tokenLife) // beyond it
	if _, err := c.Status(t.Context(), "id-1"); err != nil {
		t.Errorf("after its life: %v", err)
	}
	refused := 0
	a.Before = func(w http.ResponseWriter, _ *http.Request) bool {
		if refused++; refused > 1 {
			return false
		}
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	if _, err := c.Status(t.Context(), "id-1"); err != nil || refused != 2 {
		t.Errorf("refused early: %v", err)
	}
	a.Before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusUnauthorized)
		w.Write([]byte(`{"errors":[{"code":"NOT_AUTHORIZED"}]}`))
		return true
	}
	calls := len(a.Calls)
	if _, err := c.Status(t.Context(), "id-1"); !errors.Is(err, ErrCredentials) || len(a.Calls)-calls != 2 {
		t.Errorf("a key that nobody knows: %v after %d calls", err, len(a.Calls)-calls)
	}
}

func TestThrottlingIsWaitedFor(t *testing.T) {
	a := testapple.New(t)
	answers := []int{http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInternalServerError}
	a.Before = func(w http.ResponseWriter, _ *http.Request) bool {
		if len(answers) == 0 {
			return false
		}
		w.Header().Set("Retry-After", "17")
		w.WriteHeader(answers[0])
		answers = answers[1:]
		return true
	}
	var slept []time.Duration
	if _, err := client(t, a, &slept).Status(t.Context(), "id-1"); err != nil {
		t.Fatal(err)
	}
	for _, d := range slept {
		if d < 17*time.Second || d > time.Minute {
			t.Errorf("waited for %v", d)
		}
	}
	slept = nil
	a.Before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	if _, err := client(t, a, &slept).Status(t.Context(), "id-1"); !errors.Is(err, ErrThrottled) || len(slept) != maxTries-1 {
		t.Errorf("for ever: %v after %d pauses", err, len(slept))
	}
}

func TestOtherAnswersAreRefused(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"not JSON":    func(w http.ResponseWriter) { w.Write([]byte("<html>")) },
		"bad request": func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadRequest); w.Write([]byte("no\n\x1b[31m way")) },
		"redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(http.StatusFound)
		},
		"endless answer": func(w http.ResponseWriter) { w.Write(make([]byte, maxAnswer+10)) },
		"no address": func(w http.ResponseWriter) {
			w.Write([]byte(`{"data":{"id":"../x","attributes":{"bucket":"b","object":"o"}}}`))
		},
	} {
		a := testapple.New(t)
		a.Before = func(w http.ResponseWriter, _ *http.Request) bool { answer(w); return true }
		f, _ := file(10)
		_, err := client(t, a, nil).Submit(t.Context(), f, "Acme.pkg")
		if !errors.Is(err, ErrService) || strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client(t, testapple.New(t), nil).Status(t.Context(), "../../x"); !errors.Is(err, ErrService) {
		t.Errorf("an id that is a path: %v", err)
	}
}

func TestReadKeyTakesOnlyApples(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]any{"RSA": rsaKey, "P-384": p384} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKey("i", "k", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadKey("i", "k", []byte("no key")); !errors.Is(err, ErrKey) {
		t.Errorf("text: %v", err)
	}
	if _, err := (&Client{}).Status(t.Context(), "id-1"); !errors.Is(err, ErrKey) {
		t.Errorf("no key: %v", err)
	}
}

// The example of Amazon's documentation ("Authenticating Requests: Using the
// Authorization Header", GET with a query), moved to our region by nothing but
// its own secret: the signing steps are the same for all.
func TestSignatureOfTheDocumentation(t *testing.T) {
	key := []byte("AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
	for _, part := range []string{"20120215", "us-east-1", "iam", "aws4_request"} {
		key = mac(key, part)
	}
	if got := hex.EncodeToString(key); got != "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d" {
		t.Errorf("signing key %s", got)
	}
}

func archive(checksum crypto.Hash) *xar.Archive {
	sum := sha256.Sum256([]byte("table of contents"))
	return &xar.Archive{Checksum: checksum, Digest: sum[:], CMS: &xar.Signature{}}
}

func TestTickets(t *testing.T) {
	a, pkg := testapple.New(t), archive(crypto.SHA256)
	c := client(t, a, nil)
	c.Key = nil // tickets are for everybody
	if _, err := c.Ticket(t.Context(), pkg); !errors.Is(err, ErrNoTicket) {
		t.Errorf("not notarised: %v", err)
	}
	name := "2/2/" + hex.EncodeToString(pkg.Digest[:20])
	ticket := append([]byte("s8ch...."), pkg.Digest[:20]...)
	a.Tickets[name] = base64.StdEncoding.EncodeToString(ticket)
	if got, err := c.Ticket(t.Context(), pkg); err != nil || !bytes.Equal(got, ticket) {
		t.Errorf("%x, %v", got, err)
	}
	a.Tickets[name] = base64.StdEncoding.EncodeToString([]byte("s8ch, of another package"))
	if _, err := c.Ticket(t.Context(), pkg); !errors.Is(err, ErrNoTicket) {
		t.Errorf("another's: %v", err)
	}
	a.Tickets[name] = "%%%"
	if _, err := c.Ticket(t.Context(), pkg); !errors.Is(err, ErrService) {
		t.Errorf("no base64: %v", err)
	}
	unsigned := archive(crypto.SHA256)
	unsigned.CMS = nil
	if _, err := c.Ticket(t.Context(), unsigned); !errors.Is(err, ErrNoTicket) {
		t.Errorf("unsigned: %v", err)
	}
}

func TestList(t *testing.T) {
	list, err := client(t, testapple.New(t), nil).List(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != "id-1" || list[0].Created.Year() != 2026 {
		t.Errorf("%+v, %v", list, err)
	}
}
