//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"firstday.dev/api"
	"firstday.dev/directory"
)

// service is what a contestant says when it is ready.
type service struct {
	At    api.Directory
	Token api.Secret // an owner's
	Key   api.Secret // a connect key
}

// serviceChild is a contestant that answers until it is told to end: DIR URL is a
// directory with its files there, and its database at the URL or, if that is
// empty, in SQLite; with bare as a third argument what answers is no directory
// but a handler that only decodes and encodes the same messages.
func serviceChild(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	directory.SaveMemory()
	collect := make(chan os.Signal, 1)
	signal.Notify(collect, syscall.SIGUSR1)
	go func() {
		for range collect {
			debug.FreeOSMemory()
		}
	}()
	database := args[1]
	if database == "" {
		database = filepath.Join(args[0], "directory.db")
	}
	d, err := directory.Open(ctx, directory.Options{Organisation: "Acme", Names: []string{"127.0.0.1"}, Database: database, KeyFile: filepath.Join(args[0], "directory.key")})
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // nobody needs it any more
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.PagesURL = "https://" + l.Addr().String()
	owner, err := d.CreateToken(ctx, "system", api.NewToken{Name: "bench", Role: api.Owner, Life: api.Duration(time.Hour)})
	if err != nil {
		return err
	}
	key, err := d.Mint(ctx, "system", api.NewConnectKey{Uses: 100_000})
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(service{api.Directory{URL: d.PagesURL, Pin: d.Pin()}, owner.Secret, key.Secret}); err != nil {
		return err
	}
	if len(args) > 2 && args[2] == "bare" {
		return serveBare(ctx, d, l)
	}
	return d.Serve(ctx, l)
}

// serveBare answers check-ins as fast as net/http can over mutual TLS: it decodes
// the question, and encodes the answer that a directory would give. Enrolment is
// the directory's.
func serveBare(ctx context.Context, d *directory.Directory, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("POST "+api.PathEnroll, d.Handler())
	settings := api.DefaultSettings()
	answer := api.CheckInResponse{Version: 1, State: api.DeviceActive, Organisation: "Acme", Settings: settings.Windows, Free: true}
	mux.HandleFunc("POST "+api.PathCheckIn, func(w http.ResponseWriter, r *http.Request) {
		var in api.CheckInRequest
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		out := answer
		out.Time, out.Version = time.Now(), in.Version
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(&out)
	})
	config := d.TLS()
	config.ClientAuth = tls.RequestClientCert
	s := &http.Server{Handler: mux, TLSConfig: config, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	if err := s.ServeTLS(l, "", ""); ctx.Err() == nil {
		return fmt.Errorf("bare handler: %w", err)
	}
	return nil
}
