// Package testpostgres runs a PostgreSQL server of its own for tests.
package testpostgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"

	"firstday.dev/internal/testtool"
)

// Server is a running server, on a socket that only tests find.
type Server struct {
	bin, dir string
	account  account
	cmd      *exec.Cmd
	count    int
}

// Start makes an empty server. Without PostgreSQL it skips or, under CI, fails
// the test. Call Stop at the end.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s, err := Run()
	if errors.Is(err, errMissing) {
		testtool.Need(tb, "initdb")
	}
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

var errMissing = errors.New("PostgreSQL is not installed")

// Run is Start for programs that are no test.
func Run() (*Server, error) {
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return nil, err
	}
	if found, err := exec.LookPath("initdb"); err == nil {
		installed = append(installed, found)
	}
	if len(installed) == 0 {
		return nil, errMissing
	}
	initdb := installed[0]
	dir, err := os.MkdirTemp("", "firstday-postgres-*")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: filepath.Dir(initdb), dir: dir}
	if err := s.start(initdb); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(initdb string) error {
	if err := s.account.open(s.dir); err != nil {
		return err
	}
	if out, err := s.command(initdb, "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s.Resume()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = s.dir
	s.account.use(c)
	return c
}

// Resume starts the server again after Kill.
func (s *Server) Resume() error {
	s.cmd = s.command(filepath.Join(s.bin, "postgres"), "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "log_min_messages=fatal")
	if err := s.cmd.Start(); err != nil {
		return err
	}
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // a test is over
	deadline := time.Now().Add(time.Minute)
	for {
		if err = db.Ping(); err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("PostgreSQL does not start: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Kill ends the server as a power cut would.
func (s *Server) Kill() error {
	// The processes of connections end with the first one.
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	_, err := s.cmd.Process.Wait()
	return err
}

// Stop ends the server, and removes all of it.
func (s *Server) Stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		_, _ = s.cmd.Process.Wait()
	}
	_ = os.RemoveAll(s.dir)
}

func (s *Server) url(database string) string {
	q := url.Values{"host": {s.dir}, "user": {"postgres"}}
	return "postgres:///" + database + "?" + q.Encode()
}

// Database makes an empty database, and gives its URL.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	address, err := s.NewDatabase()
	if err != nil {
		tb.Fatal(err)
	}
	return address
}

// NewDatabase is Database for programs that are no test.
func (s *Server) NewDatabase() (string, error) {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return "", err
	}
	defer db.Close() //nolint:errcheck // it was asked once
	s.count++
	name := fmt.Sprintf("test%d", s.count)
	_, err = db.ExecContext(context.Background(), "CREATE DATABASE "+name)
	return s.url(name), err
}
