package notary

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxAnswer bounds what the services may say, in bytes.
const maxAnswer = 8 << 20

// call makes a request of the notary service and reads its answer into out.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	base := c.URL
	if base == "" {
		base = DefaultURL
	}
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	fresh := false
	return c.try(ctx, func() error {
		status, err := c.exchange(ctx, method, base+path, body, fresh, out)
		if status == http.StatusUnauthorized && !fresh {
			// The clock of this machine, or of theirs, may be off; once.
			fresh = true
			_, err = c.exchange(ctx, method, base+path, body, fresh, out)
		}
		return err
	})
}

func (c *Client) exchange(ctx context.Context, method, url string, body []byte, fresh bool, out any) (status int, err error) {
	bearer, err := c.bearer(fresh)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+bearer)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http().Do(request)
	if err != nil {
		return 0, transient(ctx, err)
	}
	answer, err := readAnswer(ctx, response)
	if err != nil {
		return response.StatusCode, err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return response.StatusCode, fmt.Errorf("%w: its answer is not the JSON that was expected", ErrService)
	}
	return response.StatusCode, nil
}

// readAnswer reads a successful answer, or tells what the failure means.
func readAnswer(ctx context.Context, r *http.Response) ([]byte, error) {
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	if err != nil {
		return nil, transient(ctx, err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("%w: an answer of more than %d bytes", ErrService, maxAnswer)
	}
	switch s := r.StatusCode; {
	case s >= 200 && s < 300:
		return body, nil
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return nil, fmt.Errorf("%w: %s%s", ErrCredentials, r.Status, excerpt(body))
	case s == http.StatusTooManyRequests:
		return nil, &laterError{fmt.Errorf("%w: %s", ErrThrottled, r.Status), retryAfter(r)}
	case s >= 500:
		return nil, &laterError{fmt.Errorf("%w: %s", ErrService, r.Status), retryAfter(r)}
	default:
		return nil, fmt.Errorf("%w: %s%s", ErrService, r.Status, excerpt(body))
	}
}

// retryAfter reads the seconds that a server asks to wait.
func retryAfter(r *http.Response) time.Duration {
	seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 3600)) * time.Second
}

// excerpt is the beginning of what a server says, on one line. Of Amazon's XML
// it is the code alone: the rest may repeat the credentials.
func excerpt(body []byte) string {
	const longest = 300
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) {
		var failure struct{ Code string }
		if xml.Unmarshal(body, &failure) != nil {
			return ""
		}
		body = []byte(failure.Code)
	}
	text := strings.Join(strings.FieldsFunc(string(body[:min(len(body), longest)]), func(c rune) bool {
		return unicode.IsSpace(c) || !unicode.IsPrint(c)
	}), " ")
	if text == "" {
		return ""
	}
	return ": " + text
}
