package notary

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Credentials are what the service hands out for one upload. They are secret.
type Credentials struct {
	AccessKeyID     string `json:"awsAccessKeyId"`
	SecretAccessKey string `json:"awsSecretAccessKey"`
	SessionToken    string `json:"awsSessionToken"`
}

// The region of the buckets, and the service, as signatures name them.
const (
	region  = "us-west-2"
	service = "s3"
)

// put sends a request to the bucket of an upload, with tries, and gives the
// answer's body and headers.
func (c *Client) put(ctx context.Context, u *Upload, method string, query url.Values, body io.ReaderAt, size int64, digest []byte) (answer []byte, header http.Header, err error) {
	err = c.try(ctx, func() error {
		request, err := http.NewRequestWithContext(ctx, method, c.objectURL(u, query), io.NewSectionReader(body, 0, size))
		if err != nil {
			return err
		}
		request.ContentLength = size
		if size == 0 {
			request.Body = http.NoBody
		}
		sign(request, &u.Credentials, hex.EncodeToString(digest), c.now())
		response, err := c.http().Do(request)
		if err != nil {
			return transient(ctx, err)
		}
		header = response.Header
		answer, err = readAnswer(ctx, response)
		return err
	})
	return answer, header, err
}

func (c *Client) objectURL(u *Upload, query url.Values) string {
	base := c.S3URL
	if base == "" {
		base = fmt.Sprintf("https://%s.s3.%s.amazonaws.com", u.Bucket, region)
	}
	address := base + "/" + escapePath(u.Object)
	if len(query) > 0 {
		address += "?" + canonicalQuery(query)
	}
	return address
}

func bytesAt(b []byte) (io.ReaderAt, int64, []byte) {
	sum := sha256.Sum256(b)
	return bytes.NewReader(b), int64(len(b)), sum[:]
}

// sign signs a request with AWS Signature Version 4
// (docs.aws.amazon.com, "Authenticating Requests: Using the Authorization
// Header").
func sign(r *http.Request, c *Credentials, payload string, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	scope := strings.Join([]string{stamp[:8], region, service, "aws4_request"}, "/")
	r.Header.Set("X-Amz-Date", stamp)
	r.Header.Set("X-Amz-Content-Sha256", payload)
	if c.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", c.SessionToken)
	}
	names := []string{"host"}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			names = append(names, lower)
		}
	}
	slices.Sort(names)
	var headers strings.Builder
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.URL.Host
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, strings.TrimSpace(value))
	}
	signed := strings.Join(names, ";")
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), canonicalQuery(r.URL.Query()), headers.String(), signed, payload}, "\n")
	digest := sha256.Sum256([]byte(canonical))
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, scope, hex.EncodeToString(digest[:])}, "\n")
	key := []byte("AWS4" + c.SecretAccessKey)
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		c.AccessKeyID, scope, signed, hex.EncodeToString(mac(key, toSign))))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// canonicalQuery is url.Values.Encode with what Amazon escapes: spaces as %20.
func canonicalQuery(v url.Values) string { return strings.ReplaceAll(v.Encode(), "+", "%20") }

// escapePath escapes all but what RFC 3986 calls unreserved, and slashes.
func escapePath(path string) string {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"
	var b strings.Builder
	for _, c := range []byte(path) {
		if strings.IndexByte(unreserved, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
