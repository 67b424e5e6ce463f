package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// client makes one of a server over TLS that answers as h says.
func client(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	c, err := NewClient(Directory{URL: s.URL + "/base/"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.http = s.Client()
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

func TestClientSendsAndReads(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		var in CheckInRequest
		if r.URL.Path != "/base"+PathCheckIn || r.Header.Get("Authorization") != "Bearer token" || json.NewDecoder(r.Body).Decode(&in) != nil || in.Version != 7 {
			t.Errorf("%s %s %v", r.Method, r.URL, in)
		}
		_, _ = io.WriteString(w, `{"version":8,"organisation":"Acme","unknown":"field of a newer directory"}`)
	})
	c.Token = "token"
	got, err := c.CheckIn(t.Context(), &CheckInRequest{Version: 7})
	if err != nil || got.Version != 8 || got.Organisation != "Acme" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestClientReadsRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		code   Code
		text   string
	}{
		"refusal":        {403, `{"error":{"code":"key_spent","detail":"10 of 10","retryAfter":3}}`, CodeKeySpent, "10 of 10"},
		"another server": {404, `<html>`, "", "404 Not Found"},
		"no code":        {500, `{"error":{}}`, "", "500"},
		"a redirection":  {302, ``, "", "302"},
		"no JSON":        {200, `<html>`, "", "invalid character"},
		"too much":       {200, strings.Repeat(" ", MaxMessage+1), "", "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://elsewhere.example/")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			_, err := c.Enroll(t.Context(), new(EnrollRequest))
			if err == nil || CodeOf(err) != test.code || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v, want %q with %q", err, test.code, test.text)
			}
			if e := new(Error); test.code != "" && (!errors.As(err, &e) || e.RetryAfter != 3) {
				t.Errorf("the refusal is %+v", e)
			}
		})
	}
}

func TestClientEndsWithItsContext(t *testing.T) {
	c := client(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.CheckIn(ctx, new(CheckInRequest)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
