package kit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/internal/filelock"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testpki"
	"firstday.dev/ppkg"
	"firstday.dev/ppkg/wim"
	"firstday.dev/ppkg/xpress"
)

// batch begins a batch in the folder of o, whose kit it does not build.
func batch(t *testing.T, o Options) *Batch {
	t.Helper()
	o.Output = filepath.Join(filepath.Dir(o.Output), "kits")
	b, err := NewBatch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// site is the configuration of a row: that of o for another organisation.
func site(t *testing.T, o Options, name, more string) *config.Config {
	t.Helper()
	file := filepath.Join(filepath.Dir(o.Output), name+".yaml")
	text, err := os.ReadFile(filepath.Join(filepath.Dir(o.Output), "firstday.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "{name: Acme}", fmt.Sprintf("{name: %q}", name), 1) + more
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return load(t, file)
}

// TestKitsOfABatchSayAndCarryWhatBuildPacks although one of them carries something
// of its own, and have the same bytes whatever was built before them.
func TestKitsOfABatchSayAndCarryWhatBuildPacks(t *testing.T) {
	o := options(t, "")
	o.Platforms = []Platform{Windows, MacOS}
	o.Reproducible = true
	msi := append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), bytes.Repeat([]byte("an installer "), 200_000)...)
	for name, content := range map[string][]byte{"shared.msi": msi, "own.msi": append(msi, "own"...)} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(o.Output), name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const payloads = "  payloads: [{file: shared.msi}]\n"
	rows := []Row{
		{Name: "a", Config: site(t, o, "Acme", payloads)},
		{Name: "b", Config: site(t, o, "Beta & Söhne", payloads)},
		{Name: "c", Config: site(t, o, "Gamma", "  payloads: [{file: own.msi}, {file: shared.msi}]\n")},
		{Name: "d", Config: site(t, o, "Delta", payloads), Platforms: []Platform{MacOS}},
	}
	b := batch(t, o)
	for _, row := range rows {
		got, err := b.Build(t.Context(), row)
		if err != nil {
			t.Fatal(err)
		}
		alone := o
		alone.Config, alone.Output = row.Config, filepath.Join(t.TempDir(), row.Name)
		if row.Platforms != nil {
			alone.Platforms = row.Platforms
		}
		// Where things lie in a package for Windows is all that differs.
		want, dir := build(t, alone), filepath.Join(b.options.Output, row.Name)
		if p := &want.Packages[0]; p.Platform == Windows {
			sameButForPlaces(t, filepath.Join(dir, p.File), filepath.Join(alone.Output, p.File))
			p.Size, p.SHA256 = got.Packages[0].Size, got.Packages[0].SHA256
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the manifest differs:\n%s", row.Name, diff)
		}
		if v := verify(t, dir, VerifyOptions{}); !v.OK() {
			t.Errorf("%s: %v", row.Name, v.Err())
		}
		if mac := filepath.Base(want.Packages[len(want.Packages)-1].File); contents(t, alone.Output)[mac] != contents(t, dir)[mac] {
			t.Errorf("%s: %s differs", row.Name, mac)
		}
	}
	if len(b.shared.files) != 6 {
		t.Errorf("%d files were prepared; two agents, what goes with them and two payloads would do", len(b.shared.files))
	}
	if len(b.shared.begun.states) != 2 {
		t.Errorf("%d packages were hashed from the beginning; two of the three begin alike", len(b.shared.begun.states))
	}

	o.Output = filepath.Join(t.TempDir(), "kit")
	other := batch(t, o)
	slices.Reverse(rows)
	if _, err := buildAll(t, other, rows...); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		want, got := contents(t, filepath.Join(b.options.Output, row.Name)), contents(t, filepath.Join(other.options.Output, row.Name))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: in another order, the files differ:\n%s", row.Name, diff)
		}
	}
}

// sameButForPlaces holds two packages for Windows against each other.
func sameButForPlaces(t *testing.T, a, b string) {
	t.Helper()
	said := func(path string) (*ppkg.Reader, map[string]string) {
		f, size, err := openRegular(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		r, err := ppkg.Open(f, size)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		err = fs.WalkDir(r.FS, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := fs.ReadFile(r.FS, name)
			files[name] = hexSum(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return r, files
	}
	r, files := said(a)
	want, wantFiles := said(b)
	rest := cmpopts.IgnoreFields(ppkg.Reader{}, "FS", "WIM")
	if diff := cmp.Diff(want, r, rest, cmpopts.IgnoreUnexported(ppkg.Asset{})); diff != "" {
		t.Errorf("%s says something else:\n%s", filepath.Base(a), diff)
	}
	if diff := cmp.Diff(wantFiles, files); diff != "" {
		t.Errorf("%s carries something else:\n%s", filepath.Base(a), diff)
	}
}

// TestAChangedCacheMakesNoKit, and if nobody could notice the change, none that
// verifies.
func TestAChangedCacheMakesNoKit(t *testing.T) {
	o := options(t, "")
	b := batch(t, o)
	if _, err := b.Build(t.Context(), Row{Name: "a", Config: o.Config}); err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(b.dir.Path(), "cache")
	info, err := os.Stat(cache)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(cache)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/3] ^= 1
	overwrite(t, cache, string(data))
	dir := filepath.Join(b.options.Output, "b")
	if runtime.GOOS != "windows" {
		if _, err := b.Build(t.Context(), Row{Name: "b", Config: o.Config}); !errors.Is(err, wim.ErrChanged) {
			t.Errorf("a changed cache: %v", err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a kit was left: %v", err)
		}
	}
	if err := os.Chtimes(cache, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Build(t.Context(), Row{Name: "b", Config: o.Config}); err != nil {
		t.Fatal(err)
	}
	if v := verify(t, dir, VerifyOptions{}); !errors.Is(v.Err(), ErrIntegrity) {
		t.Errorf("a kit of damaged bytes: %v", v.Err())
	}
	if v := verify(t, filepath.Join(b.options.Output, "a"), VerifyOptions{}); !v.OK() {
		t.Errorf("the kit before it: %v", v.Err())
	}
}

// contents gives the hash of each file of a kit.
func contents(t *testing.T, dir string) sums {
	t.Helper()
	files, err := listFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sumFiles(t.Context(), dir, files, nil, func(_, _ int64) {})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func buildAll(t *testing.T, b *Batch, rows ...Row) (*Report, error) {
	t.Helper()
	return b.BuildAll(t.Context(), len(rows), func(i int) (Row, error) { return rows[i], nil })
}

// results are what became of the kits, in a word each.
func results(r *Report) string {
	var words []string
	for _, k := range r.Kits {
		words = append(words, k.Kit+" "+string(k.Result))
	}
	return strings.Join(words, ", ")
}

func signedOptions(t *testing.T) (Options, VerifyOptions) {
	t.Helper()
	pki := testpki.New(t)
	cert, key := pki.CodeRSA.WritePEM(t, "")
	o := options(t, fmt.Sprintf("signing: {certificate: %q, key: %q}\n", cert, key))
	// site adds to what is for Windows.
	file := filepath.Join(filepath.Dir(o.Output), "firstday.yaml")
	text := strings.Replace(strings.Replace(sample, "windows:\n", "", 1), "version: 1\n", fmt.Sprintf("version: 1\nsigning: {certificate: %q, key: %q}\n", cert, key), 1)
	at := strings.Index(text, "  computerName")
	if err := os.WriteFile(file, []byte(text[:at]+"windows:\n"+text[at:]), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Config, o.Level = load(t, file), xpress.Fast
	trust := VerifyOptions{RequireSignature: true}
	trust.Roots = pki.Roots()
	return o, trust
}

// TestABatchGoesOnWhereItEnded and makes anew what is not what it would make.
func TestABatchGoesOnWhereItEnded(t *testing.T) {
	o, trust := signedOptions(t)
	in := func(name string) string { return filepath.Join(filepath.Dir(o.Output), name) }
	rows := func() []Row {
		return []Row{{Name: "a", Line: 2, Config: site(t, o, "Acme", "")}, {Name: "b", Line: 3, Config: site(t, o, "Beta", "")}, {Name: "c", Line: 4, Config: site(t, o, "Gamma", "")}}
	}
	run := func(want string) *Report {
		t.Helper()
		b := batch(t, o) // as another process would: agents are signed anew
		r, err := buildAll(t, b, rows()...)
		if err != nil {
			t.Fatal(err)
		}
		if got := results(r); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for _, row := range rows() {
			if v := verify(t, filepath.Join(b.options.Output, row.Name), trust); !v.OK() {
				t.Errorf("%s: %v", row.Name, v.Err())
			}
		}
		return r
	}
	first := run("a built, b built, c built")
	again := run("a kept, b kept, c kept")
	for i := range first.Kits {
		if diff := cmp.Diff(first.Kits[i].Packages, again.Kits[i].Packages); diff != "" {
			t.Errorf("kept, and not the same:\n%s", diff)
		}
	}
	package2 := filepath.Join(in("kits"), "b", "Beta.ppkg")
	damaged, err := os.ReadFile(package2)
	if err != nil {
		t.Fatal(err)
	}
	damaged[len(damaged)/2] ^= 1
	if err := os.WriteFile(package2, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	run("a kept, b built, c kept")
	if err := os.RemoveAll(filepath.Join(in("kits"), "c")); err != nil {
		t.Fatal(err)
	}
	run("a kept, b kept, c built")

	for what, change := range map[string]func(){
		"the connect key": func() { overwrite(t, in("connect.key"), "fdk_another-connect-key-of-the-tests\n") },
		"a password":      func() { overwrite(t, in("wifi.key"), "incorrect horse\n") },
		"the template": func() {
			text, err := os.ReadFile(in("firstday.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, in("firstday.yaml"), strings.Replace(string(text), "MinDevicePasswordLength: 12", "MinDevicePasswordLength: 14", 1))
		},
		"the builder": func() { o.Builder = "test 2" },
		"a credential provider": func() {
			const inTheWordsForDOS = 0x50
			o.Agents = agentsWith(t, "firstday-credprov-amd64.dll", func(b []byte) []byte { b[inTheWordsForDOS] ^= 1; return b })
		},
		"the level": func() { o.Level = xpress.Default },
	} {
		change()
		t.Log(what)
		run("a built, b built, c built")
	}
	run("a kept, b kept, c kept")
}

func overwrite(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAnExpiredKitIsBuiltAgain with the key that its row has by then.
func TestAnExpiredKitIsBuiltAgain(t *testing.T) {
	o := options(t, "")
	c := *o.Config
	c.ConnectKey.Expires = time.Now().Add(-time.Hour) // as it is when the kit has lain about
	b := batch(t, o)
	for range 2 {
		r, err := buildAll(t, b, Row{Name: "a", Config: &c})
		if err != nil || results(r) != "a built" {
			t.Errorf("%s, %v", results(r), err)
		}
	}
}

// TestOneBadRowStopsNoOther and its keys are revoked.
func TestOneBadRowStopsNoOther(t *testing.T) {
	o := options(t, "")
	revoked := 0
	minted := func(_ context.Context, _ Platform, _ uuid.UUID) (ConnectKey, error) {
		return ConnectKey{Secret: api.Secret("fdk_minted-for-this-one-package"), Expires: time.Now().Add(time.Hour)}, nil
	}
	bad := *o.Config
	bad.Windows.Payloads = []config.Payload{{File: config.Path(filepath.Join(filepath.Dir(o.Output), "wifi.key")), Kind: config.EXE, SHA256: strings.Repeat("0", 64)}}
	var refused = func(context.Context, Platform, uuid.UUID) (ConnectKey, error) {
		return ConnectKey{}, errors.New("the directory says no")
	}
	rows := []Row{
		{Name: "a", Line: 2, Config: site(t, o, "Acme", "")},
		{Name: "hash", Line: 3, Config: &bad},
		{Name: "refused", Line: 4, Config: site(t, o, "=2+2", ""), Mint: refused, Revoke: func(context.Context) error { revoked++; return nil }},
		{Name: "gone", Line: 5},
		{Name: "e", Line: 6, Config: site(t, o, "<b>", ""), Mint: minted},
		{Name: "..", Line: 7, Config: o.Config},
	}
	b := batch(t, o)
	foreign := filepath.Join(b.options.Output, "foreign")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	overwrite(t, filepath.Join(foreign, "thesis.txt"), "three years of work")
	rows = append(rows, Row{Name: "foreign", Line: 8, Config: o.Config})
	r, err := b.BuildAll(t.Context(), len(rows), func(i int) (Row, error) {
		if rows[i].Config == nil {
			return rows[i], fs.ErrNotExist
		}
		return rows[i], nil
	})
	if !errors.Is(err, ErrIncomplete) || results(r) != "a built, hash failed, refused failed, gone failed, e built, .. failed, foreign failed" {
		t.Fatalf("%s: %v", results(r), err)
	}
	if r.Built != 2 || r.Failed != 5 || revoked != 1 {
		t.Errorf("%d built, %d failed, %d revoked", r.Built, r.Failed, revoked)
	}
	for i, want := range map[int]string{1: "unusable payload", 2: "the directory says no", 3: "not exist", 5: "not the name of a folder", 6: "not a kit"} {
		if !strings.Contains(r.Kits[i].Error, want) {
			t.Errorf("%s: %s", r.Kits[i].Kit, r.Kits[i].Error)
		}
	}
	for _, good := range []string{"a", "e"} {
		if v := verify(t, filepath.Join(b.options.Output, good), VerifyOptions{}); !v.OK() {
			t.Errorf("%s: %v", good, v.Err())
		}
	}
	for name, want := range map[string]string{
		ReportFile: `"result": "failed"`, ReportCSVFile: "4,refused,'=2+2,failed", ReportHTMLFile: "<td>&lt;b&gt;</td>",
	} {
		text, err := os.ReadFile(filepath.Join(b.options.Output, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) || strings.Contains(string(text), "fdk_") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// TestACancelledBatchReportsWhatIsOpen and leaves nothing half made.
func TestACancelledBatchReportsWhatIsOpen(t *testing.T) {
	o := options(t, "")
	b := batch(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := b.BuildAll(ctx, 50, func(i int) (Row, error) {
		if i == 3 {
			cancel()
		}
		return Row{Name: fmt.Sprint(i), Config: o.Config}, nil
	})
	if !errors.Is(err, context.Canceled) || r.Open < 40 || r.Open+r.Built != 50 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, k := range r.Kits {
		_, err := os.Stat(filepath.Join(b.options.Output, k.Kit, SumsFile))
		if k.Kit != "" && (err == nil) != (k.Result == Built) {
			t.Errorf("kit %s is %s, and %v", k.Kit, k.Result, err)
		}
	}
}

func TestBadJournalsAreRefused(t *testing.T) {
	key := strings.Repeat("ab", 32)
	for text, want := range map[string]string{
		"{}\n":                          "line 1",
		`{"version":2,"key":""}` + "\n": "version 2",
		`{"version":1,"key":"` + key + `"}` + "\nnonsense\n": "line 2",
	} {
		dir := t.TempDir()
		overwrite(t, filepath.Join(dir, JournalFile), text)
		if _, err := openJournal(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	// What a killed run left of a line is no more than that.
	dir := t.TempDir()
	begun := `{"version":1,"key":"` + key + `"}` + "\n" + `{"kit":"a","inputs":"1","sums":"2"}` + "\n"
	overwrite(t, filepath.Join(dir, JournalFile), begun+`{"kit":"b","inp`)
	j, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(j.add(&entry{"c", "3", "4"}), j.file.Close())
	text, readErr := os.ReadFile(filepath.Join(dir, JournalFile))
	if err := errors.Join(err, readErr); err != nil || len(j.made) != 1 || string(text) != begun+`{"kit":"c","inputs":"3","sums":"4"}`+"\n" {
		t.Errorf("%v, %d entries\n%s", err, len(j.made), text)
	}
}

// killed is set in the process that TestKilledBatchesLeaveNothingHalfMade kills.
const killed = "FIRSTDAY_KILLED_BATCH"

const killedRows = 4

// batchToBeKilled builds a batch in a folder that is prepared for it.
func batchToBeKilled(dir string) error {
	c, err := config.Load(filepath.Join(dir, "firstday.yaml"))
	if err != nil {
		return err
	}
	ctx := context.Background()
	b, err := NewBatch(ctx, Options{
		Config: c, Platforms: []Platform{Windows}, Agents: os.Getenv("AGENTS"), Output: filepath.Join(dir, "kits"),
		Builder: "test", Time: at, Level: xpress.Fast,
	})
	if err != nil {
		return err
	}
	_, err = b.BuildAll(ctx, killedRows, func(i int) (Row, error) { return Row{Name: fmt.Sprint(i), Config: c}, nil })
	return errors.Join(err, b.Close())
}

// TestKilledBatchesLeaveNothingHalfMade kills twenty runs at moments of chance,
// each of which has to make every kit anew, and lets one end.
func TestKilledBatchesLeaveNothingHalfMade(t *testing.T) {
	o := options(t, "signing: {throwaway: true}\n")
	dir := filepath.Dir(o.Output)
	run := func(after time.Duration) (lived time.Duration) {
		t.Helper()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killed+"="+dir, "AGENTS="+testagents.Dir(t))
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		began := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		if err := cmd.Wait(); err != nil && out.Len() > 0 {
			t.Fatalf("%v\n%s", err, &out)
		}
		return time.Since(began)
	}
	whole := run(time.Hour)
	for i := range 20 {
		overwrite(t, filepath.Join(dir, "connect.key"), fmt.Sprintf("fdk_the-connect-key-of-run-%d\n", i))
		run(rand.N(whole))
		for k := range killedRows {
			kit := filepath.Join(dir, "kits", fmt.Sprint(k))
			if v := verify(t, kit, trusting(t, kit)); !v.OK() {
				t.Errorf("run %d, kit %d: %v", i, k, v.Err())
			}
		}
	}
	run(time.Hour)
	entries, err := os.ReadDir(filepath.Join(dir, "kits"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"0", "1", "2", "3", ReportCSVFile, ReportHTMLFile, JournalFile, ReportFile}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("the folder holds something else:\n%s", diff)
	}
}

// Two runs in one folder would make each kit twice, with keys of which one is of no
// use to anybody.
func TestOneBatchInAFolder(t *testing.T) {
	dir := t.TempDir()
	first, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := openJournal(dir); !errors.Is(err, filelock.ErrBusy) {
		t.Errorf("%v, %v", second, err)
	}
	if err := first.file.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.file.Close(); err != nil {
		t.Error(err)
	}
}
