package directory

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"time"

	"firstday.dev/api"
)

// unavailableWait is how long a caller should wait for the database, in seconds.
const unavailableWait = 5

// statusHungUp is for those who count: nobody listens any more.
const statusHungUp = 499

// call makes a handler of a function that answers or refuses requests of at most
// so many bytes. Answers are JSON; refusals are, too, whatever it is that went
// wrong.
func (d *Directory) call(most int64, f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		request := rand.Text()[:12]
		r.Body = http.MaxBytesReader(w, r.Body, most)
		out, err := guarded(f, r)
		if r.Context().Err() != nil && err != nil && api.CodeOf(err) == "" {
			w.WriteHeader(statusHungUp)
			return
		}
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		status := http.StatusOK
		if err != nil {
			refused := d.refusal(r, request, err)
			status = api.Explain(refused.Code).Status
			if refused.RetryAfter > 0 {
				header.Set("Retry-After", strconv.Itoa(refused.RetryAfter))
			}
			out = map[string]*api.Error{"error": refused}
		}
		body, err := json.Marshal(out)
		if err != nil {
			d.Log.ErrorContext(r.Context(), "an answer cannot be written", "request", request, "error", err)
			status, body = http.StatusInternalServerError, nil
		}
		w.WriteHeader(status)
		_, _ = w.Write(body) // who does not read it asks again
		d.Log.LogAttrs(r.Context(), slog.LevelDebug, "answered", slog.String("request", request), slog.String("method", r.Method),
			slog.String("path", r.URL.Path), slog.Int("status", status), slog.String("remote", remote(r)), slog.Duration("took", time.Since(begin)))
	}
}

var errPanic = errors.New("panic")

// guarded lets a mistake of ours end one request, not the service.
func guarded[T any](f func(*http.Request) (T, error), r *http.Request) (out T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(errPanic, asError(p))
		}
	}()
	return f(r)
}

func asError(p any) error {
	if err, ok := p.(error); ok {
		return err
	}
	b, _ := json.Marshal(p)
	return errors.New(string(b))
}

// refusal says what went wrong in the words of the API. What the caller can do
// nothing about is for the log.
func (d *Directory) refusal(r *http.Request, request string, err error) *api.Error {
	var refused *api.Error
	switch {
	case errors.As(err, &refused):
		copied := *refused
		refused = &copied
		d.Log.InfoContext(r.Context(), "refused", "request", request, "path", r.URL.Path, "code", refused.Code, "detail", refused.Detail, "remote", remote(r))
	case d.Unavailable(err):
		refused = &api.Error{Code: api.CodeUnavailable, RetryAfter: unavailableWait}
		d.Log.ErrorContext(r.Context(), "the database does not answer", "request", request, "path", r.URL.Path, "error", err)
	default:
		refused = &api.Error{Code: api.CodeInternal}
		d.Log.ErrorContext(r.Context(), "a mistake", "request", request, "path", r.URL.Path, "error", err)
	}
	refused.Request, refused.Time = request, d.now()
	return refused
}

// read decodes the one JSON document that a request holds. Fields of newer
// versions are ignored.
func read[T any](r *http.Request) (*T, error) {
	v := new(T)
	dec := json.NewDecoder(r.Body)
	err := dec.Decode(v)
	if err == nil {
		if _, end := dec.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("something follows the message")
		}
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, api.Refuse(api.CodeTooLarge, "at most %d bytes", large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, api.Refuse(api.CodeBadRequest, "the message did not arrive in time")
	case err != nil:
		// Its text may quote a secret.
		return nil, api.Refuse(api.CodeBadRequest, "the message is not the JSON that this call takes")
	}
	return v, nil
}

// Unavailable tells errors of the database, after which who asked may ask again,
// from mistakes, and counts them.
func (d *Directory) Unavailable(err error) bool {
	if !unavailable(err) && !errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	d.metrics.databaseErrors.Inc()
	return true
}
