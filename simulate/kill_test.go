package simulate

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"firstday.dev/agent"
	"firstday.dev/api"
	"firstday.dev/ppkg"
)

// Whenever a simulation is ended, the next one in the same folder finishes what
// it began.
func TestEndedSimulationsGoOn(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{Uses: 1000})
	windows := enrollment(t, api.Windows, d.At, key)
	windows.Payloads = []api.Payload{{File: "setup.exe", Kind: "exe", SHA256: digest("setup.exe")}}
	for _, path := range []string{
		provisioningPackage(t, windows, ppkg.Command{}, ppkg.ComputerName("ACME-%RAND:5%"), ppkg.User("admin", "a long password", ppkg.Administrators), ppkg.HideOobe()),
		writeProduct(t, macProduct(t, enrollment(t, api.MacOS, d.At, key))),
	} {
		_, whole, err := simulation(t, Options{}, path)
		if err != nil {
			t.Fatalf("%v\n%s", err, whole)
		}
		for k := 1; k < len(whole.events); k++ {
			sandbox := filepath.Join(t.TempDir(), fmt.Sprint(k))
			o := Options{Sandbox: sandbox, Device: Device{Serial: fmt.Sprintf("%s-%d", filepath.Ext(path), k)}, Patience: 30 * time.Second}
			if ended := endAfter(t, k, path, o); !ended {
				continue // its agent spoke in another order, and all was done
			}
			r, s, err := simulation(t, o, path)
			if err != nil {
				t.Fatalf("ended after %d, then: %v\n%s", k, err, s)
			}
			if r.Enrolment.State != agent.EnrolmentDone {
				t.Errorf("ended after %d, then: %+v", k, r)
			}
		}
	}
}

// endAfter ends a simulation at its k-th event.
func endAfter(t *testing.T, k int, path string, o Options) (ended bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	seen := 0
	o.Events = func(Event) {
		mu.Lock()
		defer mu.Unlock()
		if seen++; seen == k {
			cancel()
		}
	}
	_, err := Run(ctx, []string{path}, o)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatalf("ended after %d: %v", k, err)
	}
	return err != nil
}
