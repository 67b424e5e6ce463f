package agent_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"firstday.dev/agent"
	"firstday.dev/agent/accounts"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
)

// What tells this test's own program that it is one of those to be killed: the
// folder it lives in, and for the directory the address to answer at.
const (
	victimFolder  = "FIRSTDAY_TEST_VICTIM_FOLDER"
	victimAddress = "FIRSTDAY_TEST_VICTIM_ADDRESS"
)

// TestVictim is a directory or an agent until it is killed, or who started it is
// gone.
func TestVictim(t *testing.T) {
	dir, address := os.Getenv(victimFolder), os.Getenv(victimAddress)
	switch {
	case dir == "": // an ordinary run
	case address != "":
		testdirectory.In(t, dir, address)
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	default:
		beAgent(t, dir)
	}
}

// accountTime is about what the tools of a system take to make an account.
const accountTime = 200 * time.Millisecond

// laptop is a device with the accounts of people in a file, and with everything
// else of the agent's where it is on Linux.
type laptop struct {
	agent.System
	store  *accounts.InMemory
	serial string
}

func openLaptop(t *testing.T, dir string) *laptop {
	t.Helper()
	system, err := agent.Open(filepath.Join(dir, "root"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := accounts.MemoryIn(api.Linux, filepath.Join(dir, "accounts.json"))
	if err != nil {
		t.Fatal(err)
	}
	store.Fault = func(s accounts.Step) error {
		if s.Call != "find" && s.Call != "list" {
			time.Sleep(rand.N(accountTime / 8))
		}
		return nil
	}
	return &laptop{system, store, filepath.Base(dir)}
}

func (l *laptop) Accounts() (accounts.Store, error) { return l.store, nil }

func (l *laptop) Facts() (api.Facts, error) {
	return api.Facts{Platform: api.Linux, Serial: l.serial, Name: l.serial, OS: "Debian", OSVersion: "12", Arch: "amd64"}, nil
}

// beAgent is the agent of a laptop. It writes down what its screen shows, and
// reads what is pressed.
func beAgent(t *testing.T, dir string) {
	out := json.NewEncoder(os.Stdout)
	a := &agent.Agent{System: openLaptop(t, dir), Version: "1.2.3", Random: func() float64 { return 0 }}
	a.SignIn = func(m *signin.Machine) {
		go func() {
			for serial := int64(0); ; {
				screen, err := m.Next(context.Background(), serial)
				if err != nil || out.Encode(screen) != nil {
					return
				}
				serial = screen.Serial
			}
		}()
		go func() {
			for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
				var pressed signin.Action
				if json.Unmarshal(lines.Bytes(), &pressed) == nil {
					_ = m.Act(context.Background(), pressed)
				}
			}
			os.Exit(0)
		}()
	}
	if err := a.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}
