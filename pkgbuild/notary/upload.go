package notary

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"firstday.dev/internal/contextio"
)

// Upload is a submission whose file is on its way. Who keeps it, as JSON, can go
// on after an interruption; it holds secrets, which expire within a day.
type Upload struct {
	ID          string      `json:"id"` // of the submission
	SHA256      string      `json:"sha256"`
	Size        int64       `json:"size"` // bytes
	Bucket      string      `json:"bucket"`
	Object      string      `json:"object"`
	Credentials Credentials `json:"credentials"`
	PartSize    int64       `json:"partSize"`           // bytes
	UploadID    string      `json:"uploadId,omitempty"` // of an upload in parts
	ETags       []string    `json:"etags,omitempty"`    // of the parts that have arrived
	Done        bool        `json:"done"`
}

// File is what is submitted.
type File struct {
	io.ReaderAt
	Size int64 // bytes
}

// digest is the SHA-256 of a part of the file.
func (f File) digest(ctx context.Context, offset, size int64) ([]byte, error) {
	h := sha256.New()
	n, err := io.Copy(h, contextio.Reader(ctx, io.NewSectionReader(f, offset, size)))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return h.Sum(nil), err
}

// Begin announces a file to the service under a name, which is only for people.
func (c *Client) Begin(ctx context.Context, f File, name string) (*Upload, error) {
	sum, err := f.digest(ctx, 0, f.Size)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	u := &Upload{SHA256: hex.EncodeToString(sum), Size: f.Size, PartSize: c.PartSize}
	if u.PartSize == 0 {
		u.PartSize = defaultPartSize
	}
	request := struct {
		SHA256 string `json:"sha256"`
		Name   string `json:"submissionName"`
	}{u.SHA256, name}
	var answer struct {
		Data struct {
			ID         string `json:"id"`
			Attributes struct {
				Credentials
				Bucket string `json:"bucket"`
				Object string `json:"object"`
			} `json:"attributes"`
		} `json:"data"`
	}
	if err := c.call(ctx, http.MethodPost, "/submissions", request, &answer); err != nil {
		return nil, fmt.Errorf("submitting %s: %w", name, err)
	}
	a := answer.Data.Attributes
	u.ID, u.Bucket, u.Object, u.Credentials = answer.Data.ID, a.Bucket, a.Object, a.Credentials
	if !isID.MatchString(u.ID) || !isBucket.MatchString(u.Bucket) || u.Object == "" || len(u.Object) > 1024 {
		return nil, fmt.Errorf("submitting %s: %w: it does not say where to upload to", name, ErrService)
	}
	return u, nil
}

// What becomes part of an address must look like it.
var (
	isID     = regexp.MustCompile(`^[A-Za-z0-9-]{1,100}$`)
	isBucket = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,62}$`)
)

// maxParts is how many parts Amazon takes.
const maxParts = 10_000

// Continue uploads what has not arrived yet. It calls save after each part, and
// before the first; save may be nil. Errors wrap [ErrCredentials] where the
// upload took too long and must begin anew, [ErrChanged] where the file is
// another one.
func (c *Client) Continue(ctx context.Context, u *Upload, f File, save func(*Upload) error) error {
	if save == nil {
		save = func(*Upload) error { return nil }
	}
	if u.Done {
		return nil
	}
	sum, err := f.digest(ctx, 0, f.Size)
	if err != nil {
		return err
	}
	if f.Size != u.Size || hex.EncodeToString(sum) != u.SHA256 {
		return fmt.Errorf("%w since its upload began", ErrChanged)
	}
	if u.Size <= u.PartSize {
		c.progress(0, u.Size)
		_, _, err = c.put(ctx, u, http.MethodPut, nil, f, f.Size, sum)
	} else {
		err = c.uploadParts(ctx, u, f, save)
	}
	if err != nil {
		return fmt.Errorf("uploading: %w", err)
	}
	c.progress(u.Size, u.Size)
	u.Done = true
	return save(u)
}

// Submit is Begin and Continue without a memory.
func (c *Client) Submit(ctx context.Context, f File, name string) (id string, err error) {
	u, err := c.Begin(ctx, f, name)
	if err != nil {
		return "", err
	}
	return u.ID, c.Continue(ctx, u, f, nil)
}

func (c *Client) uploadParts(ctx context.Context, u *Upload, f File, save func(*Upload) error) error {
	for (u.Size+u.PartSize-1)/u.PartSize > maxParts {
		u.PartSize *= 2
	}
	if u.UploadID == "" {
		if err := c.beginParts(ctx, u); err != nil {
			return err
		}
		if err := save(u); err != nil {
			return err
		}
	}
	for at := int64(len(u.ETags)) * u.PartSize; at < u.Size; at += u.PartSize {
		c.progress(at, u.Size)
		if err := c.uploadPart(ctx, u, f, at); err != nil {
			return err
		}
		if err := save(u); err != nil {
			return err
		}
	}
	return c.endParts(ctx, u)
}

func (c *Client) beginParts(ctx context.Context, u *Upload) error {
	body, size, digest := bytesAt(nil)
	answer, _, err := c.put(ctx, u, http.MethodPost, url.Values{"uploads": {""}}, body, size, digest)
	if err != nil {
		return err
	}
	var begun struct{ UploadId string } //nolint:revive // Amazon's word
	if err := xml.Unmarshal(answer, &begun); err != nil || begun.UploadId == "" || len(begun.UploadId) > 1024 {
		return fmt.Errorf("%w: the upload has no id", ErrService)
	}
	u.UploadID = begun.UploadId
	return nil
}

func (c *Client) uploadPart(ctx context.Context, u *Upload, f File, at int64) error {
	size := min(u.PartSize, u.Size-at)
	digest, err := f.digest(ctx, at, size)
	if err != nil {
		return err
	}
	query := url.Values{"partNumber": {strconv.Itoa(len(u.ETags) + 1)}, "uploadId": {u.UploadID}}
	_, header, err := c.put(ctx, u, http.MethodPut, query, io.NewSectionReader(f, at, size), size, digest)
	if err != nil {
		return err
	}
	tag := header.Get("Etag")
	if tag == "" || len(tag) > 200 {
		return fmt.Errorf("%w: a part has no ETag", ErrService)
	}
	u.ETags = append(u.ETags, tag)
	return nil
}

func (c *Client) endParts(ctx context.Context, u *Upload) error {
	type part struct {
		PartNumber int
		ETag       string
	}
	list := struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Parts   []part   `xml:"Part"`
	}{}
	for i, tag := range u.ETags {
		list.Parts = append(list.Parts, part{i + 1, tag})
	}
	text, err := xml.Marshal(list)
	if err != nil {
		return err
	}
	body, size, digest := bytesAt(text)
	answer, _, err := c.put(ctx, u, http.MethodPost, url.Values{"uploadId": {u.UploadID}}, body, size, digest)
	if err != nil {
		return err
	}
	// It may say 200 and fail all the same.
	var outcome struct{ XMLName xml.Name }
	if err := xml.Unmarshal(answer, &outcome); err != nil || outcome.XMLName.Local != "CompleteMultipartUploadResult" {
		return fmt.Errorf("%w: the parts were not put together%s", ErrService, excerpt(answer))
	}
	return nil
}

func (c *Client) progress(done, total int64) {
	if c.Progress != nil {
		c.Progress(done, total)
	}
}
