package console

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// listen opens a stream of events, and gives its lines.
func (d *desk) listen(ctx context.Context, topics string) (*http.Response, *bufio.Scanner) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.At.URL+Path+"events?topics="+topics, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	if cookie := d.cookies[d.role]; cookie != nil {
		r.AddCookie(cookie)
	}
	response, err := d.client.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	return response, bufio.NewScanner(response.Body)
}

// next is the next event, without its end.
func next(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	var event []string
	for lines.Scan() {
		if lines.Text() == "" && len(event) > 0 {
			return strings.Join(event, "|")
		}
		event = append(event, lines.Text())
	}
	return ""
}

// A stream tells of the topics that were asked for, and of no others; it ends when
// the directory stops.
func TestEvents(t *testing.T) {
	d := newDesk(t)
	response, lines := d.listen(t.Context(), "keys+nonsense")
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("it is %s", kind)
	}
	if got := next(t, lines); got != "retry: 2000" {
		t.Errorf("it begins with %q", got)
	}
	d.MustHire("ann") // of another topic
	d.mint(api.NewConnectKey{})
	if got := next(t, lines); got != "event: changed|data: keys" {
		t.Errorf("after a new key: %q", got)
	}
	d.Stop()
	if got := next(t, lines); got != "" {
		t.Errorf("after the end: %q", got)
	}
}

// Strangers hear nothing, and do not come again by themselves.
func TestEventsAreForAdministrators(t *testing.T) {
	d := newDesk(t)
	d.role = ""
	response, _ := d.listen(t.Context(), "keys")
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		t.Errorf("a stranger gets %d", response.StatusCode)
	}
}

// A stream ends as soon as something about administrators ends its session, and not
// because of anything else about them.
func TestEventsEndWithTheSession(t *testing.T) {
	d := newDesk(t)
	response, lines := d.listen(t.Context(), "keys")
	defer response.Body.Close()
	next(t, lines)
	token := func(name string) {
		t.Helper()
		if _, err := d.CreateToken(t.Context(), "token:ann", api.NewToken{Name: name, Role: api.Auditor, Life: api.Duration(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	token("first")
	d.mint(api.NewConnectKey{})
	if got := next(t, lines); got != "event: changed|data: keys" {
		t.Errorf("after a new key: %q", got)
	}
	if err := d.EndConsoleSessions(t.Context(), "token:ann", string(api.Owner), uuid.Nil); err != nil {
		t.Fatal(err)
	}
	if got := next(t, lines); got != "event: over|data: " {
		t.Errorf("after the session: %q", got)
	}
	if got := next(t, lines); got != "" {
		t.Errorf("after its end: %q", got)
	}
}
