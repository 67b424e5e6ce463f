package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
)

// Facts are a Mac's, whose serial number is in a file.
func (s linuxSystem) Facts() (api.Facts, error) {
	serial, err := os.ReadFile(s.path("serial"))
	name := strings.TrimSpace(string(serial))
	return api.Facts{Platform: api.MacOS, Serial: name, Manufacturer: "Apple", Model: "MacBook Air", Name: name, OS: "macOS", OSVersion: "15.1", Arch: "arm64"}, err
}

// Accounts are a file. A step that the file "hold" names, as in "create before", waits
// until that is gone, and says so by the file "held".
func (s linuxSystem) Accounts() (accounts.Store, error) {
	store, err := accounts.MemoryIn(api.MacOS, s.path("accounts.json"))
	if err != nil {
		return nil, err
	}
	store.Fault = func(step accounts.Step) error {
		name := step.Call + " before"
		if step.Done {
			name = step.Call + " after"
		}
		for {
			held, err := os.ReadFile(s.path("hold"))
			if errors.Is(err, os.ErrNotExist) || string(held) != name {
				return nil
			}
			if err := os.WriteFile(s.path("held"), []byte(filepath.Base(step.Name)), 0o600); err != nil {
				return err
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return store, nil
}
