//go:build unix

// Package testtpm runs TPMs in software for tests, by swtpm.
package testtpm

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2/transport"

	"firstday.dev/internal/testtool"
)

// TPM is one without a resource manager: what is left in it stays there.
type TPM struct {
	tb      testing.TB
	program string
	dir     string // short: it holds a socket
	process *exec.Cmd
}

// New makes a TPM and switches it on, until the test ends.
func New(tb testing.TB) *TPM {
	tb.Helper()
	program := testtool.Need(tb, "swtpm")
	dir, err := os.MkdirTemp("", "tpm")
	if err != nil {
		tb.Fatal(err)
	}
	t := &TPM{tb: tb, program: program, dir: dir}
	tb.Cleanup(func() {
		t.Stop()
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	t.Wipe()
	t.Start()
	return t
}

// Socket is where it answers, for other processes: see [OpenAt].
func (t *TPM) Socket() string { return filepath.Join(t.dir, "tpm") }

func (t *TPM) state() string { return filepath.Join(t.dir, "state") }

// Start switches it on: what was loaded is gone, what it keeps is there.
func (t *TPM) Start() {
	t.tb.Helper()
	t.process = exec.Command(t.program, "socket", "--tpm2", "--tpmstate", "dir="+t.state(),
		"--server", "type=unixio,path="+t.Socket(), "--flags", "not-need-init,startup-clear")
	var said bytes.Buffer
	t.process.Stderr = &said
	if err := t.process.Start(); err != nil {
		t.tb.Fatal(err)
	}
	for range 500 {
		if c, err := t.Open(); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Stop()
	t.tb.Fatalf("swtpm does not answer: %s", &said)
}

// Stop switches it off, whatever it is doing. There is no TPM then.
func (t *TPM) Stop() {
	t.tb.Helper()
	if t.process == nil {
		return
	}
	_ = t.process.Process.Kill()
	_ = t.process.Wait() // it was killed
	t.process = nil
	if err := os.Remove(t.Socket()); err != nil && !os.IsNotExist(err) {
		t.tb.Error(err)
	}
}

// Wipe makes a TPM that is off another one: it has no memory, and other seeds.
func (t *TPM) Wipe() {
	t.tb.Helper()
	if err := os.RemoveAll(t.state()); err != nil {
		t.tb.Fatal(err)
	}
	if err := os.Mkdir(t.state(), 0o700); err != nil {
		t.tb.Fatal(err)
	}
}

// Open opens it: as that of a machine, whose file is not there without a TPM.
func (t *TPM) Open() (transport.TPMCloser, error) { return OpenAt(t.Socket()) }

// OpenAt opens one that another process has made.
func OpenAt(socket string) (transport.TPMCloser, error) {
	if _, err := os.Stat(socket); err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(context.Background(), "unix", socket)
	if err != nil {
		return nil, err
	}
	return transport.FromReadWriteCloser(conn), nil
}

// Do works with it as somebody else would.
func (t *TPM) Do(work func(transport.TPM) error) {
	t.tb.Helper()
	c, err := t.Open()
	if err != nil {
		t.tb.Fatal(err)
	}
	defer c.Close()
	if err := work(c); err != nil {
		t.tb.Fatal(err)
	}
}
