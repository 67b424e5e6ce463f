package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/agent/eventid"
	"firstday.dev/api"
	"github.com/google/go-cmp/cmp"
)

func TestLogNeverOutgrowsItsBound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	const limit = 1000
	for range 2 { // also across a restart
		r := &rotating{path: path, max: limit}
		for i := range 100 {
			if _, err := fmt.Fprintf(r, "%099d\n", i); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{path, path + ".1"} {
				if info, err := os.Stat(name); err == nil && info.Size() > limit {
					t.Fatalf("%s has %d bytes", name, info.Size())
				}
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil || !bytes.HasSuffix(data, []byte("99\n")) {
		t.Errorf("the last line is missing: %v", err)
	}
}

// A folder that is not there yet, or a disk that is full for a while, costs
// some lines, no more.
func TestLogOpensOnceItCan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	r := &rotating{path: filepath.Join(dir, "log.jsonl"), max: 1000}
	if _, err := r.Write([]byte("lost\n")); err == nil {
		t.Error("written into nowhere")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Write([]byte("kept\n")); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(r.path); err != nil || string(got) != "kept\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestInstallWithoutALog(t *testing.T) {
	m := newMachine(t)
	if err := os.MkdirAll(filepath.Dir(m.Layout().Logs()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.Layout().Logs(), nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	m.mustInstall(deliver(t, sample("1.2.3")))
	if s := m.status(); s.Service.State != ServiceRunning || s.Phase != PhaseDone {
		t.Errorf("status: %+v", s)
	}
}

func TestLogHidesSecrets(t *testing.T) {
	m := newMachine(t)
	path := filepath.Join(t.TempDir(), "log.jsonl")
	log, stop := openLog(view{machine: m}, path, nil)
	e := sample("1.2.3")
	log.Info("enrollment", "key", e.ConnectKey, "pointer", &e.ConnectKey)
	log.Log(t.Context(), LevelNotice, "milestone")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), e.ConnectKey.Reveal()) {
		t.Errorf("the connect key is in the log: %s", data)
	}
	if !strings.Contains(string(data), `"level":"NOTICE"`) {
		t.Errorf("the level has no name: %s", data)
	}
}

// A whole installation, one that fails included, leaves no secret in logs,
// state or status.
func TestInstallationTellsNoSecret(t *testing.T) {
	m := newMachine(t)
	m.installers["one.exe"] = &installer{codes: []int{1}}
	var console bytes.Buffer
	a := m.agent("9.9.9")
	a.Console = &console
	e := sample("1.2.3")
	if _, err := a.Install(t.Context(), deliver(t, e), InstallOptions{}); err == nil {
		t.Fatal("no error")
	}
	status, err := json.Marshal(m.status())
	if err != nil {
		t.Fatal(err)
	}
	told := map[string][]byte{"console": console.Bytes(), "status": status}
	for _, file := range []string{m.Layout().InstallLog(), m.Layout().ServiceLog(), m.Layout().State(), m.Layout().Report()} {
		if told[file], err = os.ReadFile(file); err != nil {
			t.Error(err)
		}
	}
	for where, text := range told {
		for _, secret := range []string{e.ConnectKey.Reveal(), "token", "hidden"} {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s holds %q: %s", where, secret, text)
			}
		}
	}
}

type journalFunc func(slog.Level, eventid.ID, string) error

func (f journalFunc) writeRecord(l slog.Level, id eventid.ID, text string) error {
	return f(l, id, text)
}

func TestJournalGetsMilestonesAndTroubleOnly(t *testing.T) {
	var got []string
	journal := newTextJournal(journalFunc(func(l slog.Level, id eventid.ID, text string) error {
		got = append(got, fmt.Sprint(id, " ", l, " ", text))
		return nil
	}))
	log := slog.New(fromNotice{journal}).With("package", "p1")
	log.Info("detail")
	eventid.Installed.Log(t.Context(), log, "installed", "key", api.Secret("hidden"))
	log.Log(t.Context(), LevelNotice, "milestone")
	log.Warn("trouble")
	want := []string{`100 INFO+2 msg=installed package=p1 event=100 key=[secret]`, `1 INFO+2 msg=milestone package=p1`, `2 WARN msg=trouble package=p1`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
