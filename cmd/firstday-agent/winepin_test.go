//go:build unix

package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-tpm/tpm2"

	"firstday.dev/api"
	"firstday.dev/internal/testtpm"
	"firstday.dev/internal/winetest"
)

// reachable lets programs under Wine speak with a TPM, and gives the address: Go
// there knows no sockets in files.
func reachable(t *testing.T, tpm *testtpm.TPM) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			pass(from, tpm.Socket())
		}
	}()
	return l.Addr().String()
}

// pass passes on what is said: by one after the other, which is all that swtpm
// listens to.
func pass(from net.Conn, socket string) {
	defer from.Close()
	to, err := net.Dial("unix", socket)
	if err != nil {
		return // there is no TPM just now
	}
	defer to.Close()
	go func() {
		_, _ = io.Copy(from, to)
		_ = from.Close()
	}()
	_, _ = io.Copy(to, from) // until one of them hangs up
}

// The PIN at the tile of the shipped DLL: chosen on the first day, in a TPM in
// software, and used on the next one.
func TestWindowsPINAtTheTile(t *testing.T) {
	t.Parallel()
	tpm := testtpm.New(t)
	tpm.Keep(tpm2.RSASRKTemplate, "") // as Windows does
	tpm.Tolerate(testtpm.WindowsTries, testtpm.WindowsRecovery)
	p := winetest.New(t)
	if err := os.WriteFile(p.Path(`tpm.txt`), []byte(reachable(t, tpm)), 0o600); err != nil {
		t.Fatal(err)
	}
	service, p, d := offeringIn(t, p, "tpm_windows.go")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the service's log:\n%s", serviceLog(t, p))
		}
	})
	service.Change(func(s *api.Settings) { s.Windows.PIN = api.PINRequired })
	if s := status(t, p, d.dir, exitOK); s.Enrolment.Key.Storage != api.KeyInTPM || s.PIN == nil || !s.PIN.Ready {
		t.Fatalf("the TPM is not used: %+v, %+v", s.Enrolment.Key, s.PIN)
	}
	host, folder := person(t, p, "pin")
	there := func(name string) {
		t.Helper()
		waitUntil(t, name, func() bool { _, err := os.Stat(filepath.Join(folder, name)); return err == nil })
	}
	there("address.txt")
	number, err := service.MustHire("ann").SignIn(t.Context(), service.At, said(t, folder, "address.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "number.txt"), []byte(number), 0o600); err != nil {
		t.Fatal(err)
	}
	there("logon.bin")
	first := unpacked(t, []byte(said(t, folder, "logon.bin")))
	ended(t, host, folder)

	// Windows has started again.
	for _, verb := range []string{"stop", "start"} {
		mustRun(t, p, d.dir, `sc.exe `+verb+` firstday-agent`, 0)
	}
	host, folder = person(t, p, "unlock")
	there("logon.bin")
	if diff := cmp.Diff(first, unpacked(t, []byte(said(t, folder, "logon.bin")))); diff != "" {
		t.Errorf("logged on with (-first +then):\n%s", diff)
	}
	ended(t, host, folder)
	if n := tpm.Guesses(); n != 1 {
		t.Errorf("the TPM was told of %d wrong PINs", n)
	}
}
