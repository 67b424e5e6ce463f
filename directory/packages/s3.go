package packages

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// s3 is a bucket of an S3-compatible store.
type s3 struct {
	client         *minio.Client
	bucket, prefix string // the prefix ends with a slash
}

// partSize is how much of a file is in memory while it is uploaded, in bytes.
const partSize = 8 << 20

// s3Retries is how often a request is sent again that came to nothing.
const s3Retries = 5

// ErrStoreAddress: what is to be the store cannot be one.
var ErrStoreAddress = errors.New("a store is a folder, or https://host/bucket or https://host/bucket/prefix")

// openS3 opens the store of an address. Who we are to it stand in the environment
// (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN) or in the file that
// AWS_SHARED_CREDENTIALS_FILE names, or the machine's role says it.
func openS3(at, directory string) (*s3, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, ErrStoreAddress // it may hold a secret
	}
	bucket, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if bucket == "" {
		return nil, ErrStoreAddress
	}
	transport, err := minio.DefaultTransport(true)
	if err != nil {
		return nil, err
	}
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12} // the roots are the system's
	transport.ResponseHeaderTimeout = time.Minute
	client, err := minio.New(u.Host, &minio.Options{
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: &http.Client{Timeout: 10 * time.Second}},
		}),
		Secure: true, Transport: transport, MaxRetries: s3Retries, Region: os.Getenv("AWS_REGION"),
	})
	if err != nil {
		return nil, err
	}
	if prefix != "" {
		prefix += "/"
	}
	return &s3{client, bucket, prefix + directory + "/"}, nil
}

func (s *s3) String() string {
	return s.client.EndpointURL().JoinPath(s.bucket, s.prefix).String()
}

func (s *s3) close() error { return nil }

// put uploads in parts, with the SHA-256 of each, which the store compares.
func (s *s3) put(ctx context.Context, name string, r io.Reader, size int64) error {
	// It must not know that it could read the file twice: then it sends no
	// checksums of parts.
	hidden := struct{ io.Reader }{&counted{r, size}}
	info, err := s.client.PutObject(ctx, s.bucket, s.prefix+name, hidden, -1, minio.PutObjectOptions{
		ContentType: "application/octet-stream", PartSize: partSize, AutoChecksum: minio.ChecksumSHA256, SendContentMd5: true,
	})
	if err == nil && info.Size != size {
		err = fmt.Errorf("%d of %d bytes arrived", info.Size, size)
	}
	return s3Error(err)
}

// s3Error makes errors of ours of those of S3.
func s3Error(err error) error {
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) {
		return err
	}
	switch {
	case answer.Code == minio.NoSuchKey || answer.StatusCode == http.StatusNotFound && answer.Code != minio.NoSuchBucket:
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case answer.StatusCode == http.StatusInsufficientStorage, strings.Contains(answer.Code, "StorageFull"), strings.Contains(answer.Code, "QuotaExceeded"):
		return fmt.Errorf("%w: %w", errStoreFull, err)
	}
	return err
}

func (s *s3) open(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	object, err := s.client.GetObject(ctx, s.bucket, s.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, s3Error(err)
	}
	if _, err := object.Stat(); err != nil {
		return nil, errors.Join(s3Error(err), object.Close())
	}
	return object, nil
}

func (s *s3) remove(ctx context.Context, prefix string) error {
	names, err := s.list(ctx, prefix)
	if err != nil {
		return err
	}
	for _, name := range names {
		// Removing what is not there is no error.
		if err := s.client.RemoveObject(ctx, s.bucket, s.prefix+name, minio.RemoveObjectOptions{}); err != nil {
			return s3Error(err)
		}
		if err := s.client.RemoveIncompleteUpload(ctx, s.bucket, s.prefix+name); err != nil && !errors.Is(s3Error(err), fs.ErrNotExist) {
			return s3Error(err)
		}
	}
	return nil
}

func (s *s3) list(ctx context.Context, prefix string) (names []string, err error) {
	belongs := func(key string) {
		name := strings.TrimPrefix(key, s.prefix)
		if name == prefix || strings.HasPrefix(name, prefix+"/") {
			names = append(names, name)
		}
	}
	for object := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true}) {
		if object.Err != nil {
			return nil, s3Error(object.Err)
		}
		belongs(object.Key)
	}
	ctx, cancel := context.WithCancel(ctx) // who stops reading leaves a goroutine
	defer cancel()
	for upload := range s.client.ListIncompleteUploads(ctx, s.bucket, s.prefix+prefix, true) {
		if err := s3Error(upload.Err); errors.Is(err, fs.ErrNotExist) {
			break // some stores say so where there are none
		} else if err != nil {
			return nil, err
		}
		belongs(upload.Key)
	}
	return names, nil
}
