package packages

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testpostgres"
)

// postgres is started by the first test that needs it; no two run at once.
var postgres *testpostgres.Server

func TestMain(m *testing.M) {
	if room := os.Getenv(victimVariable); room != "" {
		beVictim(room)
	}
	dir, err := os.MkdirTemp("", "firstday-judges-*")
	if err == nil {
		err = trustJudges(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir) // in the temporary folder anyway
	if postgres != nil {
		postgres.Stop()
	}
	testagents.Cleanup()
	os.Exit(code)
}

// room is what the processes of one directory share.
type room struct {
	Dir      string // of the key, the configuration, the store and the kits at work
	Database string
	Store    string
	Agents   string
}

// newRoom makes a room on SQLite. Its agents do nothing, so kits for Macs are soon
// built.
func newRoom(t testing.TB) *room {
	t.Helper()
	dir := t.TempDir()
	return &room{Dir: dir, Database: filepath.Join(dir, "directory.db"), Store: filepath.Join(dir, "store"), Agents: testagents.SmallMac(t)}
}

func newPostgresRoom(t testing.TB) *room {
	t.Helper()
	if postgres == nil {
		postgres = testpostgres.Start(t)
	}
	r := newRoom(t)
	r.Database = postgres.Database(t)
	return r
}

func (r *room) file(name string) string { return filepath.Join(r.Dir, name) }

func (r *room) directory(log *slog.Logger) (*directory.Directory, error) {
	return directory.Open(context.Background(), directory.Options{
		Organisation: "Acme", Names: []string{"127.0.0.1"}, Database: r.Database, KeyFile: r.file("directory.key"), Log: log,
	})
}

// options are those of a process that works in the room.
func (r *room) options() Options {
	return Options{Store: r.Store, Work: true, Config: r.file("firstday.yaml"), Agents: r.Agents, Folder: r.file("work"), Version: "test"}
}

// process is one of those that share a room.
type process struct {
	*room
	*Packages
	d   *directory.Directory
	log *logged
	end func()
}

// logged keeps what is logged.
type logged struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.String()
}

const configured = "version: 1\norganisation: {name: Acme}\ndirectory: {url: %q, pin: %q}\n"

// start starts a process in the room. The first one writes its configuration.
func start(t testing.TB, r *room, change func(*Options)) *process {
	t.Helper()
	return startWith(t, r, change, func(s store) store { return s })
}

// startWith is start with something between the process and its store.
func startWith(t testing.TB, r *room, change func(*Options), between func(store) store) *process {
	t.Helper()
	p := &process{room: r, log: new(logged)}
	var err error
	if p.d, err = r.directory(slog.New(slog.NewTextHandler(p.log, nil))); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.file("firstday.yaml")); err != nil {
		r.configure(t, fmt.Sprintf(configured, "https://127.0.0.1:1", p.d.Pin()))
	}
	o := r.options()
	if change != nil {
		change(&o)
	}
	s, err := openStore(o.Store, storeFolder(p.d))
	if err != nil {
		t.Fatal(err)
	}
	if p.Packages, err = openWith(t.Context(), p.d, o, between(s)); err != nil {
		t.Fatal(err)
	}
	p.d.OfferPackages(p.Packages)
	p.end = sync.OnceFunc(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := p.d.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s", p.log)
		}
	})
	t.Cleanup(p.end)
	return p
}

func (r *room) configure(t testing.TB, text string) {
	t.Helper()
	if err := os.WriteFile(r.file("firstday.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve lets the directory answer on loopback, and gives a client of a role.
func (p *process) serve(t testing.TB, role api.Role) *api.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.d.Serve(ctx, l) }()
	c, err := api.NewClient(api.Directory{URL: "https://" + l.Addr().String(), Pin: p.d.Pin()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Token = p.token(t, role)
	t.Cleanup(func() {
		c.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return c
}

func (p *process) token(t testing.TB, role api.Role) api.Secret {
	t.Helper()
	token, err := p.d.CreateToken(t.Context(), "system", api.NewToken{Name: string(role), Role: role, Life: api.Duration(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return token.Secret
}

// forMacs asks for what is soon built.
func forMacs(label string) *api.NewPackage {
	return &api.NewPackage{Label: label, Platforms: []api.Platform{api.MacOS}, Uses: 3}
}

func (p *process) mustQueue(t testing.TB, n *api.NewPackage) uuid.UUID {
	t.Helper()
	job, err := p.Queue(t.Context(), "token:ann", n)
	if err != nil {
		t.Fatal(err)
	}
	return job.ID
}

// await waits until a job is in one of the states.
func (p *process) await(t testing.TB, id uuid.UUID, states ...api.PackageState) *api.PackageJob {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for {
		job, err := p.Get(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range states {
			if job.State == s {
				return job
			}
		}
		if job.State.Ended() || time.Now().After(deadline) {
			t.Fatalf("the job is %s at %s after %d attempts (%+v), not %v\n%s", job.State, job.Step, job.Attempts, job.Error, states, p.log)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// mustBeTidy finds no file in the store but those of kits that are ready and of
// uploads, and none at work.
func (p *process) mustBeTidy(t testing.TB, ready ...*api.PackageJob) {
	t.Helper()
	want := 0
	for _, job := range ready {
		want += len(job.Files)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		p.hurry()
		names, err := p.store.list(context.Background(), kitsFolder)
		if err != nil {
			t.Fatal(err)
		}
		work, err := os.ReadDir(p.Folder)
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == want && len(work) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d files in the store, want %d: %q; at work %v\n%s", len(names), want, names, work, p.log)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// keys gives the keys there are, and how many of them open.
func (p *process) keys(t testing.TB) (all, open int) {
	t.Helper()
	keys, err := p.d.Keys(context.Background(), uuid.Nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.RevokedAt.IsZero() {
			open++
		}
	}
	return len(keys), open
}

// onEachDatabase runs a test on SQLite and on PostgreSQL.
func onEachDatabase(t *testing.T, f func(t *testing.T, r *room)) {
	t.Run("sqlite", func(t *testing.T) { f(t, newRoom(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, newPostgresRoom(t)) })
}
