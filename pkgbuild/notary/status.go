package notary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Submission is what the service says of a submission.
type Submission struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Status  string    `json:"status"` // In Progress, Accepted, Invalid or Rejected
	Created time.Time `json:"createdDate"`
}

// The words of the service.
const (
	StatusInProgress = "In Progress"
	StatusAccepted   = "Accepted"
)

type submissionData struct {
	ID         string     `json:"id"`
	Attributes Submission `json:"attributes"`
}

func (d submissionData) submission() Submission {
	s := d.Attributes
	s.ID = d.ID
	return s
}

// Status asks how a submission is doing.
func (c *Client) Status(ctx context.Context, id string) (*Submission, error) {
	if !isID.MatchString(id) {
		return nil, fmt.Errorf("%w: %q is no id of a submission", ErrService, id)
	}
	var answer struct {
		Data submissionData `json:"data"`
	}
	if err := c.call(ctx, http.MethodGet, "/submissions/"+id, nil, &answer); err != nil {
		return nil, fmt.Errorf("asking for submission %s: %w", id, err)
	}
	s := answer.Data.submission()
	return &s, nil
}

// List asks for the submissions of late.
func (c *Client) List(ctx context.Context) ([]Submission, error) {
	var answer struct {
		Data []submissionData `json:"data"`
	}
	if err := c.call(ctx, http.MethodGet, "/submissions", nil, &answer); err != nil {
		return nil, fmt.Errorf("asking for submissions: %w", err)
	}
	var list []Submission
	for _, d := range answer.Data {
		list = append(list, d.submission())
	}
	return list, nil
}

// Pauses between two looks at a submission: most take some minutes.
const (
	firstLook = 5 * time.Second
	lastLook  = time.Minute
)

// Wait waits until Apple has decided. Anything but acceptance is a
// [RejectedError] with Apple's reasons. The context ends the wait, not the
// submission.
func (c *Client) Wait(ctx context.Context, id string) (*Submission, error) {
	for pause := firstLook; ; pause = min(pause*3/2, lastLook) {
		s, err := c.Status(ctx, id)
		switch {
		case err != nil:
			return nil, err
		case s.Status == StatusAccepted:
			return s, nil
		case s.Status != StatusInProgress:
			return s, c.rejection(ctx, s)
		}
		if err := c.sleep(ctx, pause); err != nil {
			return s, fmt.Errorf("waiting for submission %s: %w", id, err)
		}
	}
}

// RejectedError says that Apple does not notarise a package, and why.
type RejectedError struct {
	Submission Submission
	Log        *Log // nil if it could not be had
}

// Error names every issue that is an error, each on a line of its own.
func (e *RejectedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: submission %s is %s", ErrRejected, e.Submission.ID, e.Submission.Status)
	if e.Log == nil {
		return b.String()
	}
	if len(e.Log.Issues) == 0 && e.Log.Summary != "" {
		fmt.Fprintf(&b, ": %s", e.Log.Summary)
	}
	for _, i := range e.Log.Issues {
		if i.Severity != "warning" {
			fmt.Fprintf(&b, "\n%s: %s", i.Path, i.Message)
		}
	}
	return b.String()
}

func (e *RejectedError) Unwrap() error { return ErrRejected }

func (c *Client) rejection(ctx context.Context, s *Submission) error {
	log, err := c.Log(ctx, s.ID)
	rejected := &RejectedError{Submission: *s, Log: log}
	if err != nil {
		return errors.Join(rejected, err)
	}
	return rejected
}

// Log is what Apple found in a package.
type Log struct {
	Status  string          `json:"status"`
	Summary string          `json:"statusSummary"`
	SHA256  string          `json:"sha256"`
	Issues  []Issue         `json:"issues"`
	Raw     json.RawMessage `json:"-"` // all of it
}

// Issue is one thing that Apple found.
type Issue struct {
	Severity     string `json:"severity"` // error or warning
	Path         string `json:"path"`
	Message      string `json:"message"`
	DocURL       string `json:"docUrl"`
	Architecture string `json:"architecture"`
}

// Log fetches the log of a submission, once Apple has decided.
func (c *Client) Log(ctx context.Context, id string) (*Log, error) {
	if !isID.MatchString(id) {
		return nil, fmt.Errorf("%w: %q is no id of a submission", ErrService, id)
	}
	var answer struct {
		Data struct {
			Attributes struct {
				URL string `json:"developerLogUrl"`
			} `json:"attributes"`
		} `json:"data"`
	}
	if err := c.call(ctx, http.MethodGet, "/submissions/"+id+"/logs", nil, &answer); err != nil {
		return nil, fmt.Errorf("asking for the log of %s: %w", id, err)
	}
	text, err := c.fetch(ctx, answer.Data.Attributes.URL)
	if err != nil {
		return nil, fmt.Errorf("fetching the log of %s: %w", id, err)
	}
	log := new(Log)
	if err := json.Unmarshal(text, log); err != nil {
		return nil, fmt.Errorf("fetching the log of %s: %w: it is not JSON", id, ErrService)
	}
	log.Raw = text
	return log, nil
}

// fetch gets what anybody may get who knows the address: without our token.
func (c *Client) fetch(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && (u.Scheme != "http" || c.URL == "") || u.Host == "" {
		return nil, fmt.Errorf("%w: its address makes no sense", ErrService)
	}
	var text []byte
	err = c.try(ctx, func() error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		response, err := c.http().Do(request)
		if err != nil {
			return transient(ctx, err)
		}
		text, err = readAnswer(ctx, response)
		return err
	})
	return text, err
}
