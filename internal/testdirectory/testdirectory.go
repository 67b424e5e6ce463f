// Package testdirectory runs a directory for tests of those who call it.
package testdirectory

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
	"firstday.dev/simulate/employee"
)

// Service is a directory on loopback, which can be switched off and on.
type Service struct {
	*directory.Directory
	// At is where it answers, and how to know it.
	At api.Directory
	// Stop ends it; Serve lets it answer again.
	Stop func()
	tb   testing.TB
}

// anywhere is a free port on loopback.
const anywhere = "127.0.0.1:0"

// New makes a directory of its own, in SQLite, that answers until the test ends.
func New(tb testing.TB) *Service {
	tb.Helper()
	return In(tb, tb.TempDir(), anywhere)
}

// Mounted is NewAt with something else that answers below a path, which is made of
// the directory.
func Mounted(tb testing.TB, now func() time.Time, path string, of func(*directory.Directory) http.Handler) *Service {
	tb.Helper()
	s := unserved(tb, tb.TempDir(), anywhere, now)
	s.Mount(path, of(s.Directory))
	s.Serve()
	return s
}

// NewAt is New with another clock than the system's.
func NewAt(tb testing.TB, now func() time.Time) *Service {
	tb.Helper()
	return open(tb, tb.TempDir(), anywhere, now)
}

// In is New with its files in a folder, where it finds those of one before, and
// at an address.
func In(tb testing.TB, dir, address string) *Service {
	tb.Helper()
	return open(tb, dir, address, nil)
}

func open(tb testing.TB, dir, address string, now func() time.Time) *Service {
	tb.Helper()
	s := unserved(tb, dir, address, now)
	s.Serve()
	return s
}

func unserved(tb testing.TB, dir, address string, now func() time.Time) *Service {
	tb.Helper()
	d, err := directory.Open(context.Background(), directory.Options{
		Organisation: "Acme", Names: []string{"127.0.0.1"}, Now: now,
		Database: filepath.Join(dir, "directory.db"), KeyFile: filepath.Join(dir, "directory.key"),
	})
	if err != nil {
		tb.Fatal(err)
	}
	s := &Service{Directory: d, At: api.Directory{URL: "https://" + address, Pin: d.Pin()}, Stop: func() {}, tb: tb}
	tb.Cleanup(func() {
		s.Stop()
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Serve answers where it did before.
func (s *Service) Serve() {
	s.tb.Helper()
	l, err := net.Listen("tcp", strings.TrimPrefix(s.At.URL, "https://"))
	if err != nil {
		s.tb.Fatal(err)
	}
	s.At.URL = "https://" + l.Addr().String()
	s.PagesURL = s.At.URL
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Directory.Serve(ctx, l) }()
	s.Stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.tb.Error(err)
		}
	})
}

// MustMint makes a connect key.
func (s *Service) MustMint(n api.NewConnectKey) api.Secret {
	s.tb.Helper()
	k, err := s.Mint(context.Background(), "token:ann", n)
	if err != nil {
		s.tb.Fatal(err)
	}
	return k.Secret
}

// OnlyDevice gives the one device there is.
func (s *Service) OnlyDevice() *api.Device {
	s.tb.Helper()
	list, err := s.Devices(context.Background(), "", uuid.Nil)
	if err != nil || len(list) != 1 {
		s.tb.Fatalf("%d devices, %v", len(list), err)
	}
	return list[0]
}

// MustHire makes a user, and somebody who signs in as them.
func (s *Service) MustHire(name string) *employee.Employee {
	s.tb.Helper()
	created, err := s.CreateUsers(context.Background(), "token:ann", []api.NewUser{{Name: name, Email: name + "@acme.example", FullName: "Example " + name}})
	if err != nil {
		s.tb.Fatal(err)
	}
	return &employee.Employee{Name: name, Password: created[0].Password.Reveal(), NewPassword: "correct horse battery"}
}

// Change changes the settings.
func (s *Service) Change(f func(*api.Settings)) {
	s.tb.Helper()
	v, err := s.Settings(context.Background())
	if err == nil {
		f(&v.Settings)
		_, err = s.SetSettings(context.Background(), "token:ann", v)
	}
	if err != nil {
		s.tb.Fatal(err)
	}
}
