package directory

import (
	"net/http"
	"time"

	"firstday.dev/api"
)

// times are how long the directory has patience.
type times struct {
	header   time.Duration // for a handshake, and for a request's header
	request  time.Duration // for a request's body to arrive, and an answer to be read
	idle     time.Duration // for a connection's next request
	provider time.Duration // for an answer of an identity provider
}

var patience = times{headerTimeout, requestTimeout, idleTimeout, providerTimeout}

// attend bounds how long each request may take, whatever it is for, and counts
// it: a client that sends or reads a byte a minute holds a connection, no more.
func (d *Directory) attend(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		control := http.NewResponseController(w)
		_ = control.SetWriteDeadline(begin.Add(api.MaxWait + d.times.request))
		if r.Body != http.NoBody {
			// Once it is there net/http listens, without an end, whether the
			// client hangs up.
			_ = control.SetReadDeadline(begin.Add(d.times.request))
		}
		answer := &answer{ResponseWriter: w, status: http.StatusOK}
		defer func() { d.metrics.answered(r.Pattern, answer.status, time.Since(begin)) }()
		next.ServeHTTP(answer, r)
	})
}

// answer remembers the status for those who count.
type answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
