package directory

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// wanted asks for a kit with secrets.
func wanted() api.NewPackage {
	return api.NewPackage{
		Label: "spring", Platforms: []api.Platform{api.Windows}, Uses: 3, Tags: []string{"sales"}, Batch: "PO-7", Approval: true,
		WiFi: []api.PackageWiFi{{SSID: "HQ", Password: "correct horse battery"}, {SSID: "Guests", Security: "open"}},
	}
}

func queuePackage(t *testing.T, d *Directory, n api.NewPackage) QueuedPackage {
	t.Helper()
	job, err := d.QueuePackage(t.Context(), "token:ann", n)
	if err != nil {
		t.Fatal(err)
	}
	return waiting(t, d, job.ID)
}

// waiting gives what the queue should have of a job that waits.
func waiting(t *testing.T, d *Directory, id uuid.UUID) QueuedPackage {
	t.Helper()
	list, err := d.QueuedPackages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range list {
		if q.Job == id {
			return q
		}
	}
	t.Fatalf("%s does not wait: %v", id, list)
	return QueuedPackage{}
}

func takePackage(t *testing.T, d *Directory, q QueuedPackage) *PackageWork {
	t.Helper()
	w, err := d.TakePackage(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func packageNow(t *testing.T, d *Directory, id uuid.UUID) *api.PackageJob {
	t.Helper()
	j, err := d.PackageJob(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// openKeys are those of a label by which devices might enrol.
func openKeys(t *testing.T, d *Directory, label string) (open int) {
	t.Helper()
	keys, err := d.Keys(t.Context(), uuid.Nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.Label == label && k.RevokedAt.IsZero() {
			open++
		}
	}
	return open
}

// sealedSecrets counts what is kept of a job's secrets.
func sealedSecrets(t *testing.T, d *Directory, id uuid.UUID) (n int) {
	t.Helper()
	if err := d.store.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM secrets WHERE name = $1`, packageSecret(id)).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// outcomes counts how often the audit log says that a job ended.
func outcomes(t *testing.T, d *Directory, id uuid.UUID) (n int) {
	t.Helper()
	for e, err := range d.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Subject == "package:"+id.String() && (e.Action == "package.ready" || e.Action == "package.fail" || e.Action == "package.cancel") {
			n++
		}
	}
	return n
}

func TestPackageIsBuiltByOneWorker(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		news := replicas[len(replicas)-1].Subscribe(t.Context(), TopicPackages)
		q := queuePackage(t, d, wanted())
		if told := <-news; len(told) != 1 || told[0] != TopicPackages {
			t.Errorf("others hear of %v", told)
		}
		if request := packageNow(t, d, q.Job).Request; request.WiFi[0].Password != "" {
			t.Error("the password is shown")
		}
		var mu sync.Mutex
		var won []*PackageWork
		var racing sync.WaitGroup
		for i := range 8 {
			racing.Go(func() {
				w, err := replicas[i%len(replicas)].TakePackage(t.Context(), q)
				if err != nil {
					if !errors.Is(err, ErrPackageLost) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				defer mu.Unlock()
				won = append(won, w)
			})
		}
		racing.Wait()
		if len(won) != 1 {
			t.Fatalf("%d workers have the job", len(won))
		}
		w := won[0]
		if w.Request.WiFi[0].Password != "correct horse battery" || w.Actor != "token:ann" || w.Fence != 1 {
			t.Errorf("the worker gets %+v", w)
		}
		if err := d.RenewPackage(t.Context(), w, "packing", 3, 7); err != nil {
			t.Error(err)
		}
		if told := <-news; len(told) != 1 {
			t.Errorf("others hear of %v", told)
		}
		if j := packageNow(t, d, q.Job); j.State != api.PackageBuilding || j.Step != "packing" || j.Done != 3 || j.Total != 7 || j.Attempts != 1 {
			t.Errorf("%+v", j)
		}
		packageID := uuid.New()
		k, err := d.MintPackageKey(t.Context(), w, api.Windows, packageID)
		if err != nil {
			t.Fatal(err)
		}
		if k.CreatedBy != "token:ann" || k.MaxUses != 3 || !k.Approval || k.Batch != "PO-7" || k.PackageID != packageID || len(k.Tags) != 1 || len(k.Platforms) != 1 {
			t.Errorf("the key is %+v", k)
		}
		if err := d.ReservePackage(t.Context(), w, 100, 0); err != nil {
			t.Error(err)
		}
		files := []api.PackageFile{{Name: "Acme.ppkg", Size: 100, SHA256: strings.Repeat("0", 64)}}
		// The answer may be lost: it is told twice, and happens once.
		for range 2 {
			if err := d.ReadyPackage(t.Context(), w, files); err != nil {
				t.Fatal(err)
			}
		}
		j := packageNow(t, d, q.Job)
		if j.State != api.PackageReady || len(j.Files) != 1 || len(j.Keys) != 1 || j.Keys[0] != (api.PackageKey{Platform: api.Windows, PackageID: packageID, KeyID: k.ID}) || j.ReadyAt.IsZero() {
			t.Errorf("%+v", j)
		}
		if n := outcomes(t, d, q.Job); n != 1 || sealedSecrets(t, d, q.Job) != 0 || openKeys(t, d, "spring") != 1 {
			t.Errorf("it ended %d times; %d secrets are kept, %d keys open", n, sealedSecrets(t, d, q.Job), openKeys(t, d, "spring"))
		}
		// Withdrawn, its key opens nothing, and its files go.
		if err := d.CancelPackage(t.Context(), "token:bob", q.Job); err != nil {
			t.Fatal(err)
		}
		left, err := d.PackageLeftovers(t.Context())
		if err != nil || len(left) != 1 || left[0] != (PackagePlace{Job: q.Job, Fence: 1}) || openKeys(t, d, "spring") != 0 || len(packageNow(t, d, q.Job).Files) != 0 {
			t.Errorf("%d keys open, left over is %v, %v", openKeys(t, d, "spring"), left, err)
		}
	})
}

// stale tries all that a worker does, and wants it refused.
func stale(t *testing.T, d *Directory, w *PackageWork) {
	t.Helper()
	_, minted := d.MintPackageKey(t.Context(), w, api.Windows, uuid.New())
	for what, err := range map[string]error{
		"renew": d.RenewPackage(t.Context(), w, "packing", 1, 2), "mint": minted,
		"reserve": d.ReservePackage(t.Context(), w, 5, 0), "ready": d.ReadyPackage(t.Context(), w, nil),
		"fail": d.FailPackage(t.Context(), w, api.CodeInternal, errors.New("late")), "return": d.ReturnPackage(t.Context(), w),
	} {
		if !errors.Is(err, ErrPackageLost) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// lose lets the lease of a job run out.
func lose(t *testing.T, d *Directory, id uuid.UUID) {
	t.Helper()
	if _, err := d.store.write.ExecContext(t.Context(), `UPDATE package_jobs SET lease_until = 1 WHERE id = $1`, id.String()); err != nil {
		t.Fatal(err)
	}
	if err := d.RequeuePackages(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWorkersThatAreLate(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		q := queuePackage(t, d, wanted())
		first := takePackage(t, d, q)
		if _, err := d.MintPackageKey(t.Context(), first, api.Windows, uuid.New()); err != nil {
			t.Fatal(err)
		}
		if err := d.ReservePackage(t.Context(), first, 100, 0); err != nil {
			t.Fatal(err)
		}
		if err := d.RequeuePackages(t.Context()); err != nil {
			t.Fatal(err)
		}
		if j := packageNow(t, d, q.Job); j.State != api.PackageBuilding {
			t.Fatalf("a worker that is there lost its job: %+v", j)
		}
		lose(t, d, q.Job)
		if openKeys(t, d, "spring") != 0 {
			t.Error("the lost worker's key opens")
		}
		stale(t, d, first)
		if _, err := d.TakePackage(t.Context(), q); !errors.Is(err, ErrPackageLost) {
			t.Errorf("an old note is taken for a new one: %v", err)
		}
		second := takePackage(t, d, waiting(t, d, q.Job))
		stale(t, d, first)
		if second.Fence != 2 || second.Request.WiFi[0].Password == "" {
			t.Errorf("the next worker gets %+v", second)
		}
		// The room that the first one took is not taken twice.
		if err := d.ReservePackage(t.Context(), second, 90, 100); err != nil {
			t.Error(err)
		}
		if err := d.FailPackage(t.Context(), second, api.CodePackageStore, errors.New("no\x00 store")); err != nil {
			t.Fatal(err)
		}
		stale(t, d, second)
		j := packageNow(t, d, q.Job)
		if j.State != api.PackageFailed || j.Error == nil || *j.Error != (api.PackageError{Code: api.CodePackageStore, Text: "no store"}) || outcomes(t, d, q.Job) != 1 || sealedSecrets(t, d, q.Job) != 0 {
			t.Errorf("%+v, it ended %d times", j, outcomes(t, d, q.Job))
		}
	})
}

// A job that takes every worker with it is given up.
func TestPackageThatKillsItsWorkersIsGivenUp(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		q := queuePackage(t, d, wanted())
		for range maxPackageAttempts {
			w := takePackage(t, d, waiting(t, d, q.Job))
			if _, err := d.MintPackageKey(t.Context(), w, api.Windows, uuid.New()); err != nil {
				t.Fatal(err)
			}
			lose(t, d, q.Job)
		}
		j := packageNow(t, d, q.Job)
		if j.State != api.PackageFailed || j.Error.Code != api.CodePackageWorkersLost || openKeys(t, d, "spring") != 0 || sealedSecrets(t, d, q.Job) != 0 || outcomes(t, d, q.Job) != 1 {
			t.Errorf("%+v, %d keys open", j, openKeys(t, d, "spring"))
		}
		// Tried again, it starts anew, with the secrets that it had.
		if _, err := d.RetryPackage(t.Context(), "token:ann", q.Job, new(api.PackageSecrets)); api.CodeOf(err) != api.CodeBadRequest || !strings.Contains(err.Error(), `"HQ"`) {
			t.Errorf("without the password: %v", err)
		}
		if packageNow(t, d, q.Job).State != api.PackageFailed {
			t.Error("it waits without its password")
		}
		j, err := d.RetryPackage(t.Context(), "token:ann", q.Job, &api.PackageSecrets{WiFi: []api.PackageWiFi{{SSID: "HQ", Password: "another horse"}}})
		if err != nil || j.State != api.PackageQueued || j.Error != nil || j.Attempts != 0 {
			t.Fatalf("%+v, %v", j, err)
		}
		if w := takePackage(t, d, waiting(t, d, q.Job)); w.Request.WiFi[0].Password != "another horse" {
			t.Errorf("%+v", w.Request)
		}
		if _, err := d.RetryPackage(t.Context(), "token:ann", q.Job, new(api.PackageSecrets)); api.CodeOf(err) != api.CodeConflict {
			t.Errorf("a job that is being built is tried again: %v", err)
		}
	})
}

func TestCancelledPackageIsNobodysAnyMore(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d, last := replicas[0], replicas[len(replicas)-1]
		q := queuePackage(t, d, wanted())
		w := takePackage(t, d, q)
		if _, err := d.MintPackageKey(t.Context(), w, api.Windows, uuid.New()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := last.CancelPackage(t.Context(), "token:ann", q.Job); err != nil {
				t.Fatal(err)
			}
		}
		stale(t, d, w)
		if j := packageNow(t, d, q.Job); j.State != api.PackageCancelled || openKeys(t, d, "spring") != 0 || sealedSecrets(t, d, q.Job) != 0 || outcomes(t, d, q.Job) != 1 {
			t.Errorf("%+v, %d keys open, it ended %d times", j, openKeys(t, d, "spring"), outcomes(t, d, q.Job))
		}
		if err := d.CancelPackage(t.Context(), "token:ann", uuid.New()); api.CodeOf(err) != api.CodeNotFound {
			t.Errorf("one that is not there: %v", err)
		}
	})
}

func TestUploadsHaveTheirRoom(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		const quota = 100
		u, err := d.BeginPackageUpload(t.Context(), "token:ann", "tool.msi", "msi", 60, quota)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.BeginPackageUpload(t.Context(), "token:ann", "other.msi", "msi", 41, quota); api.CodeOf(err) != api.CodePackageStoreFull {
			t.Errorf("more than there is room for: %v", err)
		}
		n := wanted()
		n.Payloads = []api.PackagePayload{{Upload: u.ID}}
		if _, err := d.QueuePackage(t.Context(), "token:ann", n); api.CodeOf(err) != api.CodeNotFound {
			t.Errorf("what has not arrived is carried: %v", err)
		}
		u.SHA256 = strings.Repeat("a", 64)
		if err := d.FinishPackageUpload(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		q := queuePackage(t, d, n)
		if err := d.RemovePackageUpload(t.Context(), "token:ann", u.ID); api.CodeOf(err) != api.CodeConflict {
			t.Errorf("what a job waits for is removed: %v", err)
		}
		if w := takePackage(t, d, q); len(w.Uploads) != 1 || w.Uploads[0].SHA256 != u.SHA256 {
			t.Errorf("%+v", w.Uploads)
		}
		if err := d.CancelPackage(t.Context(), "token:ann", q.Job); err != nil {
			t.Fatal(err)
		}
		if err := d.RemovePackageUpload(t.Context(), "token:ann", u.ID); err != nil {
			t.Fatal(err)
		}
		if err := d.FinishPackageUpload(t.Context(), u); api.CodeOf(err) != api.CodeNotFound {
			t.Errorf("one that was removed has arrived: %v", err)
		}
		if _, err := d.BeginPackageUpload(t.Context(), "token:ann", "other.msi", "msi", quota, quota); err != nil {
			t.Errorf("the room is not free again: %v", err)
		}
	})
}

func TestRequestsThatNothingCouldBeBuiltOf(t *testing.T) {
	d := open(t, t.TempDir(), "")
	id := uuid.New()
	for name, change := range map[string]func(*api.NewPackage){
		"no platform":       func(n *api.NewPackage) { n.Platforms = nil },
		"another platform":  func(n *api.NewPackage) { n.Platforms = []api.Platform{api.Linux} },
		"a platform twice":  func(n *api.NewPackage) { n.Platforms = []api.Platform{api.Windows, api.Windows} },
		"Wi-Fi for Macs":    func(n *api.NewPackage) { n.Platforms = []api.Platform{api.MacOS} },
		"control":           func(n *api.NewPackage) { n.Label = "a\x1b[2J" },
		"a long life":       func(n *api.NewPackage) { n.Life = api.Duration(10 * 366 * 24 * time.Hour) },
		"many uses":         func(n *api.NewPackage) { n.Uses = 1_000_000 },
		"many networks":     func(n *api.NewPackage) { n.WiFi = make([]api.PackageWiFi, 21) },
		"many tags":         func(n *api.NewPackage) { n.Tags = make([]string, 21) },
		"a long password":   func(n *api.NewPackage) { n.WiFi[0].Password = api.Secret(strings.Repeat("x", 65)) },
		"an upload twice":   func(n *api.NewPackage) { n.Payloads = []api.PackagePayload{{Upload: id}, {Upload: id}} },
		"an unknown upload": func(n *api.NewPackage) { n.Payloads = []api.PackagePayload{{Upload: id}} },
	} {
		n := wanted()
		change(&n)
		_, err := d.QueuePackage(t.Context(), "token:ann", n)
		if code := api.CodeOf(err); code != api.CodeBadRequest && code != api.CodeNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := d.PackageJobs(t.Context(), uuid.Nil); err != nil || len(list) != 0 {
		t.Errorf("%d jobs, %v", len(list), err)
	}
}

// What was under way when the backup was made is not under way after it.
func TestRestoredDirectoryBuildsNothingByItself(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, "")
	q := queuePackage(t, d, wanted())
	w := takePackage(t, d, q)
	if _, err := d.MintPackageKey(t.Context(), w, api.Windows, uuid.New()); err != nil {
		t.Fatal(err)
	}
	waits := queuePackage(t, d, wanted())
	backup := t.TempDir() + "/backup"
	if _, err := WriteBackup(t.Context(), dir, backup, nil); err != nil {
		t.Fatal(err)
	}
	again := t.TempDir() + "/again"
	if _, err := Restore(t.Context(), backup, again, RestoreOptions{KeepKeys: true}); err != nil {
		t.Fatal(err)
	}
	restored := open(t, again, "")
	for _, id := range []uuid.UUID{q.Job, waits.Job} {
		j := packageNow(t, restored, id)
		if j.State != api.PackageFailed || j.Error.Code != api.CodePackageRestored || sealedSecrets(t, restored, id) != 0 {
			t.Errorf("%+v", j)
		}
	}
	if n := openKeys(t, restored, "spring"); n != 0 {
		t.Errorf("%d keys of what was not built open", n)
	}
}
