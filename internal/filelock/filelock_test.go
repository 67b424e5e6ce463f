package filelock

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// holder makes this program another process, which holds the lock.
const holder = "FIRSTDAY_TEST_HOLDER"

func TestMain(m *testing.M) {
	if path := os.Getenv(holder); path != "" {
		f, err := Open(path)
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString("locked\n")
		bufio.NewReader(os.Stdin).ReadByte()
		f.Close()
		return
	}
	os.Exit(m.Run())
}

func TestAnotherProcessHasIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), holder+"="+path)
	in, err := other.StdinPipe() // it waits at it
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatal(line, err)
	}
	if _, err := Open(path); !errors.Is(err, ErrBusy) {
		t.Errorf("while it is held: %v", err)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // it was killed
	f, err := Open(path)
	if err != nil {
		t.Fatalf("after its end: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
