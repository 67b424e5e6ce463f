package packages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testagents"
	"firstday.dev/kit"
	"firstday.dev/ppkg"
)

const password = "correct horse battery"

// A kit for both platforms, with all that a request can have: built on one
// database, kept in each store, fetched over the network.
func TestPackageHasAllThatWasAskedFor(t *testing.T) {
	for _, c := range []struct {
		name string
		room func(testing.TB) *room
		s3   bool
	}{{"sqlite and a folder", newRoom, false}, {"postgres and S3", newPostgresRoom, true}} {
		t.Run(c.name, func(t *testing.T) {
			r := c.room(t)
			r.Agents = testagents.Dir(t)
			if c.s3 {
				r.Store = newJudge(t).address()
			}
			p := start(t, r, nil)
			client := p.serve(t, api.Technician)
			const program, arguments = "MZ a program", "/S /key=licence-key-of-acme"
			u, err := client.UploadPayload(t.Context(), "setup.exe", strings.NewReader(program), int64(len(program)))
			if err != nil {
				t.Fatal(err)
			}
			if u.Kind != "exe" || u.Size != int64(len(program)) || u.SHA256 != sumOf(program) {
				t.Errorf("%+v", u)
			}
			silent := api.Secret(arguments)
			job, err := client.BuildPackage(t.Context(), &api.NewPackage{
				Label: "spring", Platforms: []api.Platform{api.MacOS, api.Windows}, Uses: 3, Batch: "PO-7", Tags: []string{"sales"}, Approval: true,
				ComputerName: "PC-%SERIAL%", WiFi: []api.PackageWiFi{{SSID: "HQ", Password: password}, {SSID: "Guests", Security: "open", Hidden: true}},
				Payloads: []api.PackagePayload{{Upload: u.ID, Arguments: &silent}},
			})
			if err != nil {
				t.Fatal(err)
			}
			job = p.await(t, job.ID, api.PackageReady)
			dir := p.fetch(t, client, job)
			mustVerify(t, dir)
			f, err := os.Open(filepath.Join(dir, "Acme.ppkg"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			content, err := ppkg.Open(f, info.Size())
			if err != nil {
				t.Fatal(err)
			}
			text := textOf(t, content)
			for _, want := range []string{"PC-%SERIAL%", "HQ", password, "Guests"} {
				if !strings.Contains(text, want) {
					t.Errorf("the package lacks %q", want)
				}
			}
			if len(job.Keys) != 2 || job.Keys[0].KeyID == job.Keys[1].KeyID || job.Keys[0].PackageID == job.Keys[1].PackageID {
				t.Errorf("the keys are %+v", job.Keys)
			}
			if all, open := p.keys(t); all != 2 || open != 2 {
				t.Errorf("%d keys, %d open", all, open)
			}
			p.mustBeTidy(t, job)
			for _, secret := range []string{password, "licence-key-of-acme", "fdk_"} {
				p.mustNotTell(t, secret)
			}
		})
	}
}

// textOf is all that is in a package.
func textOf(t *testing.T, r *ppkg.Reader) string {
	t.Helper()
	var all strings.Builder
	err := fs.WalkDir(r.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(r.FS, name)
		all.Write(bytes.ReplaceAll(data, []byte{0}, nil)) // some are UTF-16
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// fetch downloads a kit, and compares each file with what the job says of it.
func (p *process) fetch(t *testing.T, client *api.Client, job *api.PackageJob) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, f := range job.Files {
		file, err := os.Create(filepath.Join(dir, f.Name))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		if err := client.DownloadPackageFile(t.Context(), job.ID, f.Name, io.MultiWriter(file, sum)); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
			t.Errorf("%s has SHA-256 %s, not %s", f.Name, got, f.SHA256)
		}
	}
	return dir
}

// mustVerify verifies a kit as who gets it does.
func mustVerify(t *testing.T, dir string) {
	t.Helper()
	var o kit.VerifyOptions
	if signers, err := os.ReadFile(filepath.Join(dir, kit.SignerFile)); err == nil {
		o.RequireSignature = true
		o.Roots = x509.NewCertPool()
		o.Roots.AppendCertsFromPEM(signers)
	}
	v, err := kit.Verify(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Err(); err != nil {
		t.Error(err)
	}
}

// mustNotTell looks for a secret wherever the process keeps or tells something that
// is no kit: its log, and all that is in its database, River's tables too.
func (p *process) mustNotTell(t *testing.T, secret string) {
	t.Helper()
	if strings.Contains(p.log.String(), secret) {
		t.Errorf("the log holds the secret %q", secret)
	}
	if !p.d.OnPostgres() {
		for _, name := range []string{p.Database, p.Database + "-wal"} {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(data), secret) {
				t.Errorf("%s holds the secret %q", name, secret)
			}
		}
		return
	}
	db, err := sql.Open("pgx", p.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var dump string
	const everything = `SELECT query_to_xml('SELECT * FROM ' || quote_ident(table_name), true, false, '')::text FROM information_schema.tables WHERE table_schema = 'public'`
	rows, err := db.QueryContext(t.Context(), everything)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	tables := 0
	for rows.Next() {
		if err := rows.Scan(&dump); err != nil {
			t.Fatal(err)
		}
		tables++
		if strings.Contains(dump, secret) {
			t.Errorf("a table holds the secret %q: %.300s", secret, dump)
		}
	}
	if err := rows.Err(); err != nil || tables < 20 {
		t.Errorf("%d tables, %v", tables, err)
	}
}

// A signed kit is verified against who signed it.
func TestSignedPackage(t *testing.T) {
	r := newRoom(t)
	r.Agents = testagents.Dir(t)
	p := start(t, r, nil)
	r.configure(t, fmt.Sprintf(configured, "https://127.0.0.1:1", p.d.Pin())+"signing: {throwaway: true}\n")
	job := p.await(t, p.mustQueue(t, &api.NewPackage{Platforms: []api.Platform{api.Windows}}), api.PackageReady)
	if !slices.ContainsFunc(job.Files, func(f api.PackageFile) bool { return f.Name == kit.SignatureFile }) {
		t.Errorf("nobody signed %+v", job.Files)
	}
	mustVerify(t, p.fetch(t, p.serve(t, api.Owner), job))
}

// What a worker that ended had begun, the next one builds at once.
func TestWorkerThatEndsGivesItsJobBack(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, r *room) {
		held := &held{reached: make(chan struct{}), cancelled: make(chan struct{}), release: make(chan struct{})}
		first := startWith(t, r, nil, func(s store) store { held.store = s; return held })
		id := first.mustQueue(t, forMacs("spring"))
		<-held.reached
		ended := make(chan struct{})
		go func() { first.end(); close(ended) }()
		<-held.cancelled
		close(held.release)
		<-ended
		second := start(t, r, nil)
		job := second.await(t, id, api.PackageReady)
		if job.Attempts != 1 {
			t.Errorf("%d attempts", job.Attempts)
		}
		second.mustBeTidy(t, job)
		if all, open := second.keys(t); all != 2 || open != 1 {
			t.Errorf("%d keys, %d open", all, open)
		}
	})
}

// held is a store in which the first file of a kit does not arrive until it is
// released.
type held struct {
	store
	reached, cancelled, release chan struct{}
}

func (h *held) put(ctx context.Context, name string, r io.Reader, size int64) error {
	if strings.HasSuffix(name, "/0") {
		close(h.reached)
		<-ctx.Done()
		close(h.cancelled)
		<-h.release
	}
	return h.store.put(ctx, name, r, size)
}

// A worker may die between the queue and the table: the note is made anew.
func TestNoteThatWasLostIsMadeAnew(t *testing.T) {
	r := newPostgresRoom(t)
	p := start(t, r, func(o *Options) { o.Work = false })
	id := p.mustQueue(t, forMacs("spring"))
	if err := p.dispatch(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", r.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// A worker fetched it a minute ago, and was never heard of again.
	res, err := db.ExecContext(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '1 minute', attempted_by = ARRAY['gone'] WHERE args->>'job' = $1`, id.String())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("%d notes, %v", n, err)
	}
	worker := start(t, r, nil)
	if job := worker.await(t, id, api.PackageReady); job.Attempts != 1 {
		t.Errorf("%+v", job)
	}
}

// Three workers work on one database, at one time.
func TestNoWorkerWaitsForAnother(t *testing.T) {
	r := newPostgresRoom(t)
	const workers, backlog = 3, 12
	meeting := &meeting{want: workers, all: make(chan struct{})}
	asking := start(t, r, func(o *Options) { o.Work = false })
	var ids []uuid.UUID
	for i := range backlog {
		ids = append(ids, asking.mustQueue(t, forMacs(fmt.Sprint(i))))
	}
	var processes []*process
	for i := range workers {
		p := startWith(t, r, func(o *Options) { o.Folder = r.file(fmt.Sprint("work", i)) }, func(s store) store { return &meets{store: s, meeting: meeting} })
		processes = append(processes, p)
	}
	for _, id := range ids {
		asking.await(t, id, api.PackageReady)
	}
	for i, p := range processes {
		n := strings.Count(p.log.String(), "the package is ready")
		t.Logf("worker %d built %d of %d", i, n, backlog)
		if n == 0 {
			t.Errorf("worker %d built none", i)
		}
	}
	if all, open := asking.keys(t); all != backlog || open != backlog {
		t.Errorf("%d keys, %d open", all, open)
	}
}

// meeting lets nobody on until all are there.
type meeting struct {
	want, there int
	all         chan struct{}
	mu          sync.Mutex
}

func (m *meeting) come(ctx context.Context) error {
	m.mu.Lock()
	m.there++
	if m.there == m.want {
		close(m.all)
	}
	m.mu.Unlock()
	select {
	case <-m.all:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// meets is the store of a worker that meets the others when its first kit is built.
type meets struct {
	store
	meeting *meeting
	once    sync.Once
}

func (m *meets) put(ctx context.Context, name string, r io.Reader, size int64) error {
	var err error
	m.once.Do(func() { err = m.meeting.come(ctx) })
	if err != nil {
		return err
	}
	return m.store.put(ctx, name, r, size)
}
