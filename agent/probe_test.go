package agent

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"firstday.dev/api"
)

func TestProbe(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	if err := probe(t.Context(), api.Directory{URL: s.URL}); err == nil {
		t.Error("a server that nobody knows was trusted")
	}
	if err := probe(t.Context(), api.Directory{URL: "https://127.0.0.1:9"}); err == nil {
		t.Error("nobody was found there")
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := probe(ctx, api.Directory{URL: "https://" + l.Addr().String()}); err == nil {
		t.Error("no error")
	}
}
