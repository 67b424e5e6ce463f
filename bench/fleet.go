//go:build linux

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"firstday.dev/api"
)

// running is a service in a process of its own.
type running struct {
	service
	cmd *exec.Cmd
}

func (b *bench) startService(ctx context.Context, name, database string, more ...string) (*running, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &running{cmd: exec.CommandContext(ctx, b.self, append([]string{childMode, "service", dir, database}, more...)...)}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	return s, json.NewDecoder(out).Decode(&s.service)
}

func (s *running) stop() error {
	return errors.Join(s.cmd.Process.Signal(syscall.SIGTERM), s.cmd.Wait())
}

// resident is the process's memory after a garbage collection, in bytes.
func (s *running) resident() (int64, error) {
	if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return 0, err
	}
	time.Sleep(2 * time.Second) // nothing tells when it is collected
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return kib << 10, err
}

// owner is a client of who may do everything.
func (s *running) owner() (*api.Client, error) {
	c, err := api.NewClient(s.At, nil)
	if err == nil {
		c.Token = s.Token
	}
	return c, err
}

// laptop is an enrolled device.
type laptop struct {
	*api.Client
	version int64
}

// enroll makes a device of the service.
func (s *running) enroll(ctx context.Context, number int) (*laptop, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, new(x509.CertificateRequest), key)
	if err != nil {
		return nil, err
	}
	stranger, err := api.NewClient(s.At, nil)
	if err != nil {
		return nil, err
	}
	defer stranger.Close()
	e, err := stranger.Enroll(ctx, &api.EnrollRequest{ConnectKey: s.Key, CertificateRequest: request, Facts: api.Facts{
		Platform: api.Windows, Serial: fmt.Sprintf("S%06d", number), Name: fmt.Sprintf("ACME-%06d", number), OS: "Windows 11 Pro", OSVersion: "10.0.26100", Arch: "amd64", AgentVersion: "1.0.0", KeyStorage: api.KeyInFile,
	}})
	if err != nil {
		return nil, err
	}
	own := &tls.Certificate{Certificate: e.Certificates, PrivateKey: key}
	client, err := api.NewClient(s.At, func() (*tls.Certificate, error) { return own, nil })
	return &laptop{client, e.CheckIn.Version}, err
}

// enrollAll makes so many devices, a few at once.
func (s *running) enrollAll(ctx context.Context, n int) ([]*laptop, error) {
	laptops := make([]*laptop, n)
	return laptops, atOnce(8, n, func(i int) (err error) {
		laptops[i], err = s.enroll(ctx, i)
		return err
	})
}

// atOnce calls f for each number below n, so many at once.
func atOnce(workers, n int, f func(int) error) error {
	var next atomic.Int64
	errs := make([]error, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && errs[w] == nil; i = next.Add(1) - 1 {
				errs[w] = f(int(i))
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// rate lets all devices check in again and again, and gives how many per second.
// With again, each check-in is a connection of its own.
func rate(ctx context.Context, laptops []*laptop, span time.Duration, again bool) (float64, error) {
	var count atomic.Int64
	begin := time.Now()
	err := atOnce(len(laptops), len(laptops), func(i int) error {
		l := laptops[i]
		for time.Since(begin) < span {
			if again {
				l.Close()
			}
			answer, err := l.CheckIn(ctx, &api.CheckInRequest{Version: l.version})
			if err != nil {
				return err
			}
			l.version = answer.Version
			count.Add(1)
		}
		return nil
	})
	return float64(count.Load()) / time.Since(begin).Seconds(), err
}

// percentile gives the value that so many per cent do not exceed.
func percentile(times []time.Duration, percent int) time.Duration {
	slices.Sort(times)
	if len(times) == 0 {
		return 0
	}
	return times[min(len(times)-1, len(times)*percent/100)]
}

// openFiles raises the limit of open files as far as it goes, and gives it.
func openFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	if limit.Max < wantFiles { // root may have more
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: wantFiles, Max: wantFiles})
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return 0, err
		}
	}
	limit.Cur = limit.Max
	return int(limit.Max), syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
