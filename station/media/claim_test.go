package media

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
)

const claimer = "FIRSTDAY_TEST_CLAIM"

// TestMain is the other process of TestClaim, too: it claims a disk and waits.
func TestMain(m *testing.M) {
	name := os.Getenv(claimer)
	if name == "" {
		os.Exit(m.Run())
	}
	_, err := Claim(context.Background(), &Disk{Name: name})
	fmt.Println(err)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// claimElsewhere has another process claim a disk, and gives what it is told.
func claimElsewhere(t *testing.T, name string) (answer string, kill func()) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), claimer+"="+name)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		_ = in.Close()
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line[:len(line)-1], kill
}

// One process has a disk, until it lets go or dies.
func TestClaim(t *testing.T) {
	name := fmt.Sprint("test/", os.Getpid())
	d := &Disk{Name: name}
	t.Cleanup(func() { // what stays on Unix
		for _, suffix := range []string{"", "1"} {
			_ = os.Remove("/tmp/firstday-" + fileName(name+suffix) + ".lock")
		}
	})
	release, err := Claim(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Claim(t.Context(), d); !errors.Is(err, ErrBusy) {
		t.Errorf("claimed twice: %v", err)
	}
	if answer, _ := claimElsewhere(t, name); answer != "claiming "+name+": it is in use" {
		t.Errorf("another process: %s", answer)
	}
	other, err := Claim(t.Context(), &Disk{Name: name + "1"})
	if err != nil {
		t.Errorf("another disk: %v", err)
	} else if err := other(); err != nil {
		t.Error(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	answer, kill := claimElsewhere(t, name)
	if answer != "<nil>" {
		t.Errorf("another process, afterwards: %s", answer)
	}
	if _, err := Claim(t.Context(), d); !errors.Is(err, ErrBusy) {
		t.Errorf("the other has it: %v", err)
	}
	kill()
	if release, err = Claim(t.Context(), d); err != nil {
		t.Fatalf("the other is dead: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if _, err := Claim(t.Context(), &Disk{Name: name, Refusal: "the system runs from it"}); !errors.Is(err, ErrRefused) {
		t.Errorf("a disk that is refused: %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Claim(stopped, d); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
