package pin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2/transport"

	"firstday.dev/agent/devicekey"
	"firstday.dev/internal/testmount"
	"firstday.dev/internal/testtpm"
)

// What tells this test's own program that it is another process with the same
// PINs: their folder, the TPM, and what to do.
const (
	victimFolder = "FIRSTDAY_TEST_PIN_FOLDER"
	victimTPM    = "FIRSTDAY_TEST_PIN_TPM"
	victimTask   = "FIRSTDAY_TEST_PIN_TASK"
)

func TestVictim(t *testing.T) {
	folder, socket := os.Getenv(victimFolder), os.Getenv(victimTPM)
	if folder == "" {
		return // an ordinary run
	}
	s := &Store{
		Folder: folder, Device: "SN-48-2913/7", Lock: flock(filepath.Join(folder, "lock")), Log: slog.New(slog.DiscardHandler),
		TPM:   devicekey.NewTPM(func() (transport.TPMCloser, error) { return testtpm.OpenAt(socket) }),
		pause: func(context.Context, time.Duration) error { return nil },
	}
	switch os.Getenv(victimTask) {
	case "guess":
		for range Tries {
			if _, err := s.Unlock(t.Context(), ann, wrong); err == nil {
				t.Fatal("a wrong PIN opens")
			}
		}
	case "lose power": // when the TPM is to be asked
		s.TPM = devicekey.NewTPM(func() (transport.TPMCloser, error) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		})
		_, err := s.Unlock(t.Context(), ann, right)
		t.Fatal("there is power", err)
	case "work": // until it is killed
		for {
			if err := s.Set(t.Context(), ann, password, right); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(os.Stdout, ".")
			if _, err := s.Unlock(t.Context(), ann, wrong); err == nil {
				t.Fatal("a wrong PIN opens")
			}
			if _, err := s.Unlock(t.Context(), ann, right); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// another is another process with the same PINs.
func (d *desk) another(task string) *exec.Cmd {
	c := exec.CommandContext(d.t.Context(), os.Args[0], "-test.run=^TestVictim$")
	c.Env = append(os.Environ(), victimFolder+"="+d.Folder, victimTPM+"="+d.software.Socket(), victimTask+"="+task)
	return c
}

// However many guess at once, there are five tries for all of them.
func TestProcessesGuessAtOnce(t *testing.T) {
	d := newDesk(t)
	d.set(ann)
	var guessers []*exec.Cmd
	for range 3 {
		c := d.another("guess")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		guessers = append(guessers, c)
	}
	for _, c := range guessers {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	if tries, guesses := d.tries(ann), d.software.Guesses(); tries != Tries || guesses != Tries {
		t.Errorf("%d tries are written down, %d guesses reached the TPM", tries, guesses)
	}
	d.refuses(ann, right, ErrSpent)
}

// Who cuts the power between the counting of a try and the try gains none.
func TestPowerIsCutBeforeTheTry(t *testing.T) {
	d := newDesk(t)
	d.set(ann)
	for n := 1; n <= Tries; n++ {
		var killed *exec.ExitError
		if err := d.another("lose power").Run(); !errors.As(err, &killed) || killed.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("it was not killed: %v", err)
		}
		if got := d.tries(ann); got != n {
			t.Fatalf("after %d cuts %d tries are counted", n, got)
		}
	}
	d.refuses(ann, right, ErrSpent)
	if n := d.software.Guesses(); n != 0 {
		t.Errorf("the TPM counts %d guesses", n)
	}
}

// At whatever moment the power goes, what is kept is whole, and who has it opens
// it.
func TestKilledAtAnyMoment(t *testing.T) {
	const kills = 30
	d := newDesk(t)
	d.software.Tolerate(100_000, testtpm.WindowsRecovery) // so that only our count matters
	d.set(ann)
	counted := 0
	for range kills {
		c := d.another("work")
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err == nil {
			_, err = io.ReadFull(out, make([]byte, 1)) // it works
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(30 * time.Millisecond))
		_ = c.Process.Kill()
		_ = c.Wait()      // it was killed
		d.software.Stop() // there is no resource manager, which would free what it left
		d.software.Start()
		if tries := d.tries(ann); tries > 2 {
			t.Fatalf("%d tries are counted", tries)
		} else if tries > 0 {
			counted++
		}
		d.opens(ann)
		d.has(ann)
	}
	t.Logf("of %d kills %d were between the counting of a try and its end", kills, counted)
}

// On a full disk a try cannot be counted, and so it is not made.
func TestNothingIsTriedThatCannotBeCounted(t *testing.T) {
	testmount.Apart(t, func() {
		disk := testmount.Disk(t, 1<<20)
		d := newDesk(t)
		d.Folder, d.Lock = disk, flock(filepath.Join(disk, "lock"))
		d.set(ann)
		d.misses(ann, wrong, 4)
		empty := testmount.Fill(t, disk)
		asked := d.bus.Commands()
		if got, err := d.Unlock(t.Context(), ann, right); !errors.Is(err, ErrUncounted) || !errors.Is(err, syscall.ENOSPC) || got != nil {
			t.Errorf("on a full disk: %v", err)
		}
		if d.bus.Commands() != asked {
			t.Error("the TPM is asked")
		}
		empty()
		d.opens(ann)
	})
}
