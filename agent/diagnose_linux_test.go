package agent

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// asNobody runs f as a user who may do nothing special: on a thread of its own,
// which ends with it.
func asNobody(f func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // and never unlocks it
		if os.Geteuid() == 0 {
			const nobody = 65534
			_ = unix.Setfsuid(nobody) // the kernel's answer is no error, see setfsuid(2)
			_ = unix.Setfsgid(nobody)
		}
		f()
	}()
	<-ended
}

func TestBundleIsForAdministrators(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.MakeFolder(s.Layout().Data, AdminsOnly); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 { // the folder is this user's own
		if err := os.Chmod(s.Layout().Data, 0); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	asNobody(func() { _, err = (&Agent{System: s, Version: "1.2.3"}).Diagnose(t.Context(), &out) })
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "only administrators") || out.Len() != 0 {
		t.Errorf("it says %v, and wrote %d bytes", err, out.Len())
	}
}
