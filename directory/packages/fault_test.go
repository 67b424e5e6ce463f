package packages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testpostgres"
)

// fault is what goes wrong with a job, and what is told of it.
type fault struct {
	name   string
	store  func(*judge) // nil: the store is a folder
	cause  func(t *testing.T, p *process)
	mend   func(t *testing.T, p *process)
	change func(*Options)
	ask    *api.NewPackage // nil: one for Macs
	code   api.Code
	text   string // in what IT reads
}

// bad gives the process another configuration.
func bad(more string) func(*testing.T, *process) {
	return func(t *testing.T, p *process) {
		p.configure(t, fmt.Sprintf(configured, "https://127.0.0.1:1", p.d.Pin())+more)
	}
}

var good = bad("")

// forWindows asks for what takes longer, and can have more.
var forWindows = &api.NewPackage{Platforms: []api.Platform{api.Windows}}

var faults = []fault{
	{name: "the configuration is gone", code: api.CodePackageConfig, text: "no such file", mend: good, cause: func(t *testing.T, p *process) {
		if err := os.Remove(p.file("firstday.yaml")); err != nil {
			t.Fatal(err)
		}
	}},
	{name: "the configuration has a mistake", cause: bad("macos: {minimumVersion: old}\n"), mend: good, code: api.CodePackageConfig, text: "firstday.yaml:4:25: minimumVersion is"},
	{name: "the configuration is of another directory", code: api.CodePackageConfig, text: "firstday.yaml:3:", mend: good, cause: func(t *testing.T, p *process) {
		p.configure(t, fmt.Sprintf(configured, "https://127.0.0.1:1", "sha256:"+strings.Repeat("0", 64)))
	}},
	{name: "the configuration asks a person", ask: forWindows, cause: bad("windows: {wifi: [{ssid: HQ, password: {prompt: true}}]}\n"), mend: good, code: api.CodePackageConfig, text: "firstday.yaml:4:"},
	{name: "who signs is missing", cause: bad("signing: {certificate: missing.pem, key: missing.key}\n"), mend: good, code: api.CodePackageConfig, text: "firstday.yaml:4:"},
	{name: "who signs cannot", code: api.CodePackageSigning, text: "cannot sign", mend: good, cause: func(t *testing.T, p *process) {
		for _, name := range []string{"no.pem", "no.key"} {
			if err := os.WriteFile(p.file(name), []byte("no certificate, and no key\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		bad("signing: {certificate: no.pem, key: no.key}\n")(t, p)
	}},
	{name: "the secret of who signs is missing", code: api.CodePackageSigning, text: "FIRSTDAY_TEST_NOT_SET", mend: good, cause: func(t *testing.T, p *process) {
		if err := os.WriteFile(p.file("id.p12"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		bad("signing: {pkcs12: id.p12, password: {env: FIRSTDAY_TEST_NOT_SET}}\n")(t, p)
	}},
	{name: "who notarises is missing", change: func(o *Options) { o.Notarize = true }, code: api.CodePackageConfig, text: "no key of the notary service is named"},
	{name: "no agents", code: api.CodePackageAgents, text: "firstday-agent-darwin",
		cause: func(t *testing.T, p *process) {
			if err := os.Rename(p.Packages.Agents, p.file("elsewhere")); err != nil {
				t.Fatal(err)
			}
		},
		mend: func(t *testing.T, p *process) {
			if err := os.Rename(p.file("elsewhere"), p.Packages.Agents); err != nil {
				t.Fatal(err)
			}
		}},
	{name: "the store is down", code: api.CodePackageStore, text: "https://127.0.0.1", store: func(j *judge) { j.down.Store(true) }},
	{name: "the store is full", code: api.CodePackageStoreFull, text: "the store of kits is full", store: func(j *judge) { j.full.Store(true) }},
	{name: "what arrives at the store is something else", code: api.CodePackageStore, text: "checksum is another", store: func(j *judge) { j.corrupt.Store(true) }},
}

// Whatever goes wrong, the job says what, ends once, and leaves nothing; once it is
// mended, the same job builds.
func TestFaults(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			r := newRoom(t)
			agents := filepath.Join(r.Dir, "agents")
			if f.ask != nil {
				r.Agents = testagents.Dir(t)
			}
			if err := os.CopyFS(agents, os.DirFS(r.Agents)); err != nil {
				t.Fatal(err)
			}
			r.Agents = agents
			var j *judge
			if f.store != nil {
				j = newJudge(t)
				r.Store = j.address()
			}
			p := start(t, r, f.change)
			if f.cause != nil {
				f.cause(t, p)
			}
			if j != nil {
				f.store(j)
			}
			ask := f.ask
			if ask == nil {
				ask = forMacs("spring")
			}
			id := p.mustQueue(t, ask)
			job := p.await(t, id, api.PackageFailed)
			if job.Error.Code != f.code || !strings.Contains(job.Error.Text, f.text) {
				t.Errorf("it is told %+v", job.Error)
			}
			if strings.Contains(job.Error.Text+p.log.String(), "not-to-be-shown") {
				t.Error("the secret of the store is told")
			}
			if _, open := p.keys(t); open != 0 {
				t.Errorf("%d keys open", open)
			}
			if j != nil {
				j.down.Store(false)
				j.full.Store(false)
				j.corrupt.Store(false)
			}
			p.mustBeTidy(t)
			p.mustHaveEndedOnce(t, id)
			if f.mend != nil {
				f.mend(t, p)
			}
			p.Notarize = false // nobody works now
			if _, err := p.Retry(t.Context(), "token:ann", id, new(api.PackageSecrets)); err != nil {
				t.Fatal(err)
			}
			job = p.await(t, id, api.PackageReady)
			p.mustBeTidy(t, job)
			p.mustBeWhole(t, job)
			if _, open := p.keys(t); open != 1 {
				t.Errorf("%d keys open", open)
			}
		})
	}
}

// mustHaveEndedOnce reads the audit log.
func (p *process) mustHaveEndedOnce(t *testing.T, id uuid.UUID) {
	t.Helper()
	n := 0
	for e, err := range p.d.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Subject == "package:"+id.String() && (e.Action == "package.ready" || e.Action == "package.fail" || e.Action == "package.cancel") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("it ended %d times", n)
	}
}

func TestQuota(t *testing.T) {
	r := newRoom(t)
	p := start(t, r, func(o *Options) { o.Quota = 2_000_000 }) // one kit has 1.2 MB
	first := p.await(t, p.mustQueue(t, forMacs("first")), api.PackageReady)
	second := p.mustQueue(t, forMacs("second"))
	if job := p.await(t, second, api.PackageFailed); job.Error.Code != api.CodePackageStoreFull {
		t.Errorf("%+v", job.Error)
	}
	p.mustBeTidy(t, first)
	// Who withdraws a kit makes room.
	if err := p.Cancel(t.Context(), "token:ann", first.ID); err != nil {
		t.Fatal(err)
	}
	p.mustBeTidy(t)
	deadline := time.Now().Add(time.Minute)
	for {
		if _, err := p.Retry(t.Context(), "token:ann", second, new(api.PackageSecrets)); err != nil {
			t.Fatal(err)
		}
		job := p.await(t, second, api.PackageReady, api.PackageFailed)
		if job.State == api.PackageReady {
			p.mustBeTidy(t, job)
			return
		}
		if time.Now().After(deadline) { // the room is given back a moment after the files are gone
			t.Fatalf("%+v", job.Error)
		}
	}
}

// What was uploaded may be lost or changed in the store: it goes into no kit.
func TestPayloadsThatAreNotWhatWasUploaded(t *testing.T) {
	r := newRoom(t)
	r.Agents = testagents.Dir(t)
	p := start(t, r, nil)
	for name, change := range map[string]func(file string) error{
		"lost":    os.Remove,
		"changed": func(file string) error { return os.WriteFile(file, []byte("MZ another program"), 0o600) },
		"shorter": func(file string) error { return os.Truncate(file, 3) },
	} {
		u, err := p.Upload(t.Context(), "token:ann", "setup.exe", 17, strings.NewReader("MZ one of program"))
		if err != nil {
			t.Fatal(err)
		}
		if err := change(filepath.Join(r.Store, storeFolder(p.d), uploadsFolder, u.ID.String())); err != nil {
			t.Fatal(err)
		}
		silent := api.Secret("/S")
		n := *forWindows
		n.Payloads = []api.PackagePayload{{Upload: u.ID, Arguments: &silent}}
		job := p.await(t, p.mustQueue(t, &n), api.PackageFailed)
		if job.Error.Code != api.CodePackagePayload || !strings.Contains(job.Error.Text, "setup.exe") {
			t.Errorf("%s: %+v", name, job.Error)
		}
		p.mustBeTidy(t)
	}
}

// cancels is a store whose process cancels a job at the operation of that number.
type cancels struct {
	store
	at     int
	cancel func()
	mu     sync.Mutex
	job    string // once there is one
}

func (c *cancels) come(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.job == "" || !strings.Contains(name, c.job) {
		return
	}
	if c.at--; c.at == 0 {
		c.cancel()
	}
}

func (c *cancels) put(ctx context.Context, name string, r io.Reader, size int64) error {
	c.come(name)
	err := c.store.put(ctx, name, r, size)
	c.come(name)
	return err
}

func (c *cancels) list(ctx context.Context, prefix string) ([]string, error) {
	c.come(prefix)
	return c.store.list(ctx, prefix)
}

// A job may be cancelled at every step: in the queue, between any two files that
// arrive in the store, once it is ready, and at moments of chance in between.
func TestCancelAtEveryStep(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, r *room) {
		c := &cancels{}
		p := startWith(t, r, nil, func(s store) store { c.store = s; return c })
		cancelled := func(id uuid.UUID) {
			t.Helper()
			if job := p.await(t, id, api.PackageCancelled); job.Error != nil || len(job.Files) != 0 || len(job.Keys) != 0 {
				t.Errorf("%+v", job)
			}
			p.mustBeTidy(t)
			if _, open := p.keys(t); open != 0 {
				t.Errorf("%d keys open", open)
			}
		}
		steps := 0
		for at := 1; ; at++ {
			c.mu.Lock()
			c.at, c.job = at, ""
			job, err := p.Queue(t.Context(), "token:ann", forMacs("cancelled"))
			if err != nil {
				c.mu.Unlock()
				t.Fatal(err)
			}
			c.job = job.ID.String()
			c.cancel = func() {
				if err := p.d.CancelPackage(context.Background(), "token:ann", job.ID); err != nil {
					t.Error(err)
				}
			}
			c.mu.Unlock()
			ended := p.await(t, job.ID, api.PackageReady, api.PackageCancelled)
			if ended.State == api.PackageReady {
				p.mustBeTidy(t, ended)
				if err := p.Cancel(t.Context(), "token:ann", job.ID); err != nil {
					t.Fatal(err)
				}
			} else {
				p.mustHaveEndedOnce(t, job.ID)
			}
			cancelled(job.ID)
			if ended.State == api.PackageReady {
				break
			}
			steps++
		}
		if steps < 12 {
			t.Errorf("only %d steps", steps)
		}
		const chances = 20
		for range chances {
			id := p.mustQueue(t, forMacs("cancelled"))
			time.Sleep(rand.N(300 * time.Millisecond))
			if err := p.Cancel(t.Context(), "token:ann", id); err != nil {
				t.Fatal(err)
			}
			cancelled(id)
		}
	})
}

// stops is a store at which a process waits once, when its first kit arrives.
type stops struct {
	store
	once             sync.Once
	reached, release chan struct{}
}

func (s *stops) put(ctx context.Context, name string, r io.Reader, size int64) error {
	s.once.Do(func() {
		close(s.reached)
		<-s.release
	})
	return s.store.put(ctx, name, r, size)
}

// The database goes away in the middle of a build: for a moment, or for longer than
// anybody may work on a job without saying so.
func TestDatabaseThatIsAwayForAWhile(t *testing.T) {
	for name, away := range map[string]time.Duration{"a moment": 0, "longer than the lease": 22 * time.Second} {
		t.Run(name, func(t *testing.T) {
			server := testpostgres.Start(t)
			t.Cleanup(server.Stop)
			r := newRoom(t)
			r.Database = server.Database(t)
			stop := &stops{reached: make(chan struct{}), release: make(chan struct{})}
			p := startWith(t, r, nil, func(s store) store { stop.store = s; return stop })
			id := p.mustQueue(t, forMacs("spring"))
			<-stop.reached
			if err := server.Kill(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(away)
			if err := server.Resume(); err != nil {
				t.Fatal(err)
			}
			close(stop.release)
			job := p.await(t, id, api.PackageReady)
			t.Logf("%d attempts", job.Attempts)
			p.mustHaveEndedOnce(t, id)
			p.mustBeTidy(t, job)
			p.mustBeWhole(t, job)
			if _, open := p.keys(t); open != 1 {
				t.Errorf("%d keys open", open)
			}
			if err := errors.Join(p.d.RequeuePackages(t.Context()), p.dispatch(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
}
