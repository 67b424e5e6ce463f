package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
)

// knownSessions are the accounts whose first session is awaited.
type knownSessions map[string]bool

func (k knownSessions) AwaitsFirstSession(id string) (bool, error) {
	if id == "?" {
		return false, errors.New("the ledger is damaged")
	}
	return k[id], nil
}

func (k knownSessions) NoteFirstSession(string) (bool, error) { return false, nil }

func TestGreetsFirstSessionsOnly(t *testing.T) {
	known := knownSessions{"S-ann": true, "S-bob": true}
	for name, test := range map[string]struct {
		sessions []session
		want     greeting
	}{
		"nobody":                          {nil, greeting{}},
		"somebody of no account of ours":  {[]session{{1, "S-admin", true}}, greeting{}},
		"a service that has no user":      {[]session{{0, "", true}}, greeting{}},
		"the desktop is not there yet":    {[]session{{1, "S-ann", false}}, greeting{wait: true}},
		"the desktop is there":            {[]session{{1, "S-ann", true}}, greeting{note: []session{{1, "S-ann", true}}}},
		"one waits, one is there already": {[]session{{1, "S-ann", false}, {2, "S-bob", true}, {3, "S-eve", true}}, greeting{[]session{{2, "S-bob", true}}, true}},
	} {
		got, err := greet(test.sessions, known)
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(greeting{})); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	if _, err := greet([]session{{1, "?", true}}, known); err == nil {
		t.Error("what is not known is no reason to lead anybody anywhere")
	}
}

func TestLeadsToHelloWhereSettingsSaySo(t *testing.T) {
	for name, test := range map[string]struct {
		record *record
		want   bool
	}{
		"not enrolled": {nil, false},
		"offered":      {heardHello(api.DeviceActive, api.HelloOffered), true},
		"off":          {heardHello(api.DeviceActive, api.HelloOff), false},
		"not said":     {heardHello(api.DeviceActive, ""), false},
		"pending":      {heardHello(api.DevicePending, api.HelloOffered), false},
	} {
		if got := leadsToHello(test.record); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func heardHello(state api.DeviceState, p api.HelloPolicy) *record {
	return &record{Heard: api.CheckInResponse{State: state, Settings: api.PlatformSettings{Hello: p}}}
}

// screens are the sessions of a device.
type screens struct {
	view
	mu        sync.Mutex
	sessions  []session
	forbidden bool
	fails     bool
	opened    []string
	changes   chan struct{}
}

func (s *screens) Sessions() ([]session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions, nil
}

func (s *screens) OpenPage(at session, uri string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = append(s.opened, fmt.Sprintf("%s for %s in %d", uri, at.User, at.ID))
	if s.fails {
		return errors.New("Windows does not start it")
	}
	return nil
}

func (s *screens) HelloForbidden(string) (bool, error) { return s.forbidden, nil }

// shows changes the sessions, and lets the service see that.
func (s *screens) shows(list ...session) {
	s.mu.Lock()
	s.sessions = list
	s.mu.Unlock()
	s.changes <- struct{}{}
	synctest.Wait()
}

// Of a real first day: ann is led to Windows Hello once, in her first session,
// when her desktop is there; and nobody else is, whatever comes later.
func TestHelloOnce(t *testing.T) {
	d := testdirectory.New(t)
	desk := sit(t, d)
	desk.identify("ann")
	desk.choosePassword()
	desk.sees(signin.Done, "")
	found, err := desk.accounts.Find(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	ann := found.ID
	led := fmt.Sprintf("%s for %s in 2", helloPage, ann)
	for name, test := range map[string]struct {
		policy           api.HelloPolicy
		forbidden, fails bool
		want             []string
	}{
		"offered":                    {api.HelloOffered, false, false, []string{led}},
		"off":                        {api.HelloOff, false, false, nil},
		"the device's policy":        {api.HelloOffered, true, false, nil},
		"it fails, and is not tried": {api.HelloOffered, false, true, []string{led}},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			copyLedger(t, desk.Layout().Data, folder)
			synctest.Test(t, func(t *testing.T) {
				s := &screens{forbidden: test.forbidden, fails: test.fails, changes: make(chan struct{})}
				begin := func(policy api.HelloPolicy) (end func()) {
					m := &member{Agent: &Agent{System: s}, record: heardHello(api.DeviceActive, policy), accounts: &signin.Accounts{Folder: folder}}
					return watch(t, m, s.changes)
				}
				end := begin(test.policy)
				s.shows(session{1, "S-admin", true})
				s.shows(session{1, "S-admin", true}, session{2, ann, false})
				if len(s.opened) > 0 {
					t.Errorf("opened %q before there is a desktop", s.opened)
				}
				s.mu.Lock()
				s.sessions = []session{{1, "S-admin", true}, {2, ann, true}}
				s.mu.Unlock()
				time.Sleep(2 * desktopPause) // nobody tells of a desktop
				synctest.Wait()
				if diff := cmp.Diff(test.want, s.opened); diff != "" {
					t.Errorf("opened (-want +got):\n%s", diff)
				}
				s.shows()
				s.shows(session{3, ann, true})
				end()
				s.forbidden, s.fails = false, false
				end = begin(api.HelloOffered) // another start, another policy
				s.shows(session{4, ann, true})
				end()
				if diff := cmp.Diff(test.want, s.opened); diff != "" {
					t.Errorf("opened later (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// watch runs the watch over sessions.
func watch(t *testing.T, m *member, changes <-chan struct{}) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.watchSessions(ctx, changes)
	}()
	return func() { cancel(); <-ended }
}

func copyLedger(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(from, "users.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "users.json"), content, 0o600); err != nil {
		t.Fatal(err)
	}
}
