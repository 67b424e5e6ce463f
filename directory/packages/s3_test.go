package packages

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

const bucket = "firstday"

// judge is an S3-compatible store that compares checksums, as S3 itself does.
type judge struct {
	*httptest.Server
	s3      http.Handler
	parts   atomic.Int64 // that came with a checksum
	bare    atomic.Int64 // that came without
	corrupt atomic.Bool  // something on the way changes what is sent
	full    atomic.Bool
	down    atomic.Bool
}

func newJudge(t testing.TB) *judge {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	j := &judge{s3: gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()}
	j.Server = httptest.NewUnstartedServer(j)
	j.Config.ErrorLog = log.New(io.Discard, "", 0)
	j.StartTLS()
	t.Cleanup(j.Close)
	return j
}

// address is that of a store in it.
func (j *judge) address() string { return j.URL + "/" + bucket + "/kits of acme" }

func (j *judge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case j.down.Load():
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case r.Method == http.MethodPut && j.full.Load():
		w.WriteHeader(http.StatusInsufficientStorage)
		return
	case r.Method != http.MethodPut:
		j.s3.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if j.corrupt.Load() && len(body) > 0 {
		body[len(body)/2] ^= 1
	}
	if want := r.Header.Get("X-Amz-Checksum-Sha256"); want != "" {
		j.parts.Add(1)
		if sum := sha256.Sum256(body); base64.StdEncoding.EncodeToString(sum[:]) != want {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `<Error><Code>BadDigest</Code><Message>the checksum is another one</Message></Error>`)
			return
		}
	} else {
		j.bare.Add(1)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	j.s3.ServeHTTP(w, r)
}

// trustJudges lets this process, and those that it starts, trust the certificate of
// the test servers, and gives them credentials. Call it before anything uses TLS.
func trustJudges(dir string) error {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	file := filepath.Join(dir, "judges.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"SSL_CERT_FILE": file, "AWS_ACCESS_KEY_ID": "acme", "AWS_SECRET_ACCESS_KEY": "not-to-be-shown", "AWS_REGION": "us-east-1",
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}
