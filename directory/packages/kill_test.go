package packages

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// victimVariable is set in the process that is killed: to the room that it works
// in.
const victimVariable = "FIRSTDAY_PACKAGES_VICTIM"

// beVictim works until it is killed. On SQLite there is nobody else to ask for a
// kit: it does so itself.
func beVictim(encoded string) {
	r := new(room)
	err := json.Unmarshal([]byte(encoded), r)
	if err == nil {
		err = r.work()
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func (r *room) work() error {
	d, err := r.directory(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	if !d.OnPostgres() {
		if _, err := d.QueuePackage(context.Background(), "token:ann", *forMacs("killed")); err != nil {
			return err
		}
	}
	if _, err := Open(context.Background(), d, r.options()); err != nil {
		return err
	}
	fmt.Println("at work")
	// Who started it may be gone: then nobody kills it.
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, errors.New("nobody killed it"))
}

// kill starts a worker, and kills it some time later.
func (r *room) kill(t *testing.T, later time.Duration) {
	t.Helper()
	encoded, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimVariable+"="+string(encoded))
	var told strings.Builder
	cmd.Stderr = &told
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = cmd.Wait()
		t.Fatalf("%q, %v\n%s", line, err, told.String())
	}
	time.Sleep(later)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
}

// Workers are killed at any moment. Every job ends once, in a whole kit or none,
// and what the killed ones began is nowhere.
func TestWorkersKilledAtAnyMoment(t *testing.T) {
	for _, c := range []struct {
		name  string
		room  func(testing.TB) *room
		kills int
	}{{"postgres", newPostgresRoom, 50}, {"sqlite", newRoom, 12}} {
		t.Run(c.name, func(t *testing.T) {
			r := c.room(t)
			seed := rand.Uint64()
			t.Logf("the seed is %d", seed)
			chance := rand.New(rand.NewPCG(seed, 0))
			first := start(t, r, func(o *Options) { o.Work = false })
			onPostgres := first.d.OnPostgres()
			if !onPostgres {
				first.end()
			}
			for range c.kills {
				if onPostgres {
					first.mustQueue(t, forMacs("killed"))
				}
				r.kill(t, time.Duration(chance.Int64N(int64(600*time.Millisecond))))
			}
			last := start(t, r, nil)
			jobs := last.all(t)
			if len(jobs) != c.kills {
				t.Errorf("%d jobs, want %d", len(jobs), c.kills)
			}
			ended := make(map[string]int)
			var ready []*api.PackageJob
			again := 0
			for _, j := range jobs {
				j = last.await(t, j.ID, api.PackageReady, api.PackageFailed)
				switch {
				case j.State == api.PackageReady:
					ready = append(ready, j)
				case j.Error.Code != api.CodePackageWorkersLost:
					t.Errorf("%+v", j.Error)
				}
				if j.Attempts > 1 {
					again++
				}
				ended["package:"+j.ID.String()] = 0
			}
			for e, err := range last.d.Audit(t.Context(), 0) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Action == "package.ready" || e.Action == "package.fail" {
					ended[e.Subject]++
				}
			}
			for job, n := range ended {
				if n != 1 {
					t.Errorf("%s ended %d times", job, n)
				}
			}
			last.mustBeTidy(t, ready...)
			all, open := last.keys(t)
			t.Logf("%d kills: %d kits of %d jobs, %d of them not at the first attempt; %d keys were minted, %d open", c.kills, len(ready), len(jobs), again, all, open)
			if open != len(ready) {
				t.Errorf("%d keys open, %d kits are ready", open, len(ready))
			}
			if again == 0 {
				t.Error("nobody was killed in the middle of a build")
			}
			for _, j := range ready {
				last.mustBeWhole(t, j)
			}
		})
	}
}

// all gives all jobs.
func (p *process) all(t *testing.T) (jobs []*api.PackageJob) {
	t.Helper()
	var before uuid.UUID
	for {
		page, err := p.List(t.Context(), before)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return jobs
		}
		jobs = append(jobs, page...)
		before = page[len(page)-1].ID
	}
}

// mustBeWhole reads all files of a kit.
func (p *process) mustBeWhole(t *testing.T, job *api.PackageJob) {
	t.Helper()
	if len(job.Files) == 0 {
		t.Errorf("the kit of %s has no files", job.ID)
	}
	for _, want := range job.Files {
		f, info, err := p.OpenFile(t.Context(), job.ID, want.Name)
		if err != nil {
			t.Errorf("%s: %v", want.Name, err)
			continue
		}
		sum := sha256.New()
		n, err := io.Copy(sum, f)
		if err := errors.Join(err, f.Close()); err != nil || n != info.Size || hex.EncodeToString(sum.Sum(nil)) != info.SHA256 {
			t.Errorf("%s of %s has %d bytes of %d, or others: %v", want.Name, job.ID, n, info.Size, err)
		}
	}
}
