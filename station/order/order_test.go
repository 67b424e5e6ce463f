package order

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/kit"
	"firstday.dev/simulate"
	"firstday.dev/station"
)

// device sets up a simulated laptop from the kit of a bundle.
func device(t *testing.T, b *Bundle, serial string, platform kit.Platform, then func(context.Context, *simulate.Machine) error) error {
	t.Helper()
	i := slices.IndexFunc(b.Order.Packages, func(p Package) bool { return p.Platform == platform })
	_, err := simulate.Run(t.Context(), []string{filepath.Join(b.Kit, b.Order.Packages[i].File)}, simulate.Options{
		Sandbox: filepath.Join(t.TempDir(), "sandbox"), Device: simulate.Device{Serial: serial}, Trust: simulate.Trust{VerifyOptions: b.Trust}, Version: "devel", Then: then,
	})
	return err
}

func states(r *Report) map[string]State {
	all := make(map[string]State)
	for _, row := range r.Rows {
		all[row.Serial] = row.State
	}
	return all
}

func report(t *testing.T, c *api.Client) *Report {
	t.Helper()
	r, err := NewReport(t.Context(), c, "PO-4711", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// An order from its list to its end: three of five come, somebody signs in, a
// stranger is refused, two more come, and then nobody does.
func TestOrderOfFive(t *testing.T) {
	d := testdirectory.New(t)
	d.Change(func(s *api.Settings) { s.SecondFactor = false })
	c := owner(t, d)
	made := create(t, c, options(t, d.At, filepath.Join(t.TempDir(), "PO-4711"), api.NewOrder{
		PO: "PO-4711", Partner: "Box Ltd", Serials: []string{"5CD1", "5CD2", "5CD3", "C02MAC4", "C02MAC5"}, Tags: []string{"sales"},
	}))
	b, err := Open(t.Context(), made.Folder, pinned(made))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made.Order, b.Order); diff != "" {
		t.Errorf("the order in the bundle is another one: %s", diff)
	}
	// A stick can be made of it.
	stick, err := station.Open(t.Context(), b.Kit, station.DefaultLabel, b.Trust)
	if err != nil {
		t.Fatal(err)
	}
	if stick.KitID != b.KitID {
		t.Error("the kit of the stick is another one")
	}
	if err := stick.Close(); err != nil {
		t.Error(err)
	}

	ann := d.MustHire("ann")
	if err := device(t, b, "5cd1", kit.Windows, func(ctx context.Context, m *simulate.Machine) error {
		dir := t.TempDir()
		for name, text := range map[string]string{"old": ann.Password, "new": ann.NewPassword, "device": "only here, of ann"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				return err
			}
		}
		script := filepath.Join(dir, "script.yaml")
		if err := os.WriteFile(script, []byte("- signIn: {name: ann, password: {file: old}, newPassword: {file: new}, devicePassword: {file: device}}\n  expect: done\n"), 0o600); err != nil {
			return err
		}
		read, err := simulate.ReadScript(script)
		if err != nil {
			return err
		}
		return m.Play(ctx, read, time.Minute)
	}); err != nil {
		t.Fatal(err)
	}
	for serial, platform := range map[string]kit.Platform{"5CD3": kit.Windows, "C02MAC4": kit.MacOS} {
		if err := device(t, b, serial, platform, nil); err != nil {
			t.Fatalf("%s: %v", serial, err)
		}
	}
	if err := device(t, b, "=FOREIGN", kit.Windows, nil); !errors.Is(err, api.CodeKeySerial) {
		t.Errorf("a stranger: %v", err)
	}
	r := report(t, c)
	want := map[string]State{"5CD1": SignedIn, "5CD2": NotSeen, "5CD3": Enrolled, "C02MAC4": Enrolled, "C02MAC5": NotSeen, "=FOREIGN": Foreign}
	if diff := cmp.Diff(want, states(r)); diff != "" || r.Came != 3 || r.Quantity != 5 || r.Missing != 2 || r.SignedIn != 1 || r.Foreign != 1 {
		t.Errorf("%+v\n%s", r, diff)
	}
	seen := r.Rows[slices.IndexFunc(r.Rows, func(row Row) bool { return row.Serial == "C02MAC4" })].Device
	if seen.Platform != api.MacOS || seen.PackageID != made.Packages[1].ID || seen.EnrolledAt.IsZero() {
		t.Errorf("the Mac is %+v", seen)
	}

	for serial, platform := range map[string]kit.Platform{"5CD2": kit.Windows, "C02MAC5": kit.MacOS} {
		if err := device(t, b, serial, platform, nil); err != nil {
			t.Fatalf("%s: %v", serial, err)
		}
	}
	for serial, platform := range map[string]kit.Platform{"5CD6": kit.Windows, "5CD2": kit.Windows, "C02MAC6": kit.MacOS} {
		if err := device(t, b, serial, platform, nil); !errors.Is(err, api.CodeOrderComplete) {
			t.Errorf("%s after all have come: %v", serial, err)
		}
	}
	if r := report(t, c); r.Came != 5 || r.Missing != 0 || r.CompletedAt.IsZero() || r.Foreign != 3 || !strings.HasPrefix(r.Standing(), "complete since") {
		t.Errorf("at the end: %+v", r)
	}
	keys, err := c.Keys(t.Context())
	if err != nil || len(keys) != 2 || keys[0].RevokedAt.IsZero() || keys[1].RevokedAt.IsZero() || keys[0].Uses+keys[1].Uses != 5 {
		t.Errorf("the keys are %+v, %v", keys, err)
	}
}

// Without a list of serial numbers the quantity counts.
func TestOrderByQuantity(t *testing.T) {
	d := testdirectory.New(t)
	c := owner(t, d)
	o := options(t, d.At, filepath.Join(t.TempDir(), "PO-4711"), api.NewOrder{PO: "PO-4711", Quantity: 2})
	o.Kit.Platforms = []kit.Platform{kit.Windows}
	made := create(t, c, o)
	b, err := Open(t.Context(), made.Folder, pinned(made))
	if err != nil {
		t.Fatal(err)
	}
	if err := device(t, b, "ANY1", kit.Windows, nil); err != nil {
		t.Fatal(err)
	}
	if r := report(t, c); r.Came != 1 || r.Missing != 1 || len(r.Rows) != 1 || r.Rows[0].State != Enrolled {
		t.Errorf("%+v", r)
	}
	if err := c.CloseOrder(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	if err := device(t, b, "ANY2", kit.Windows, nil); !errors.Is(err, api.CodeOrderClosed) {
		t.Errorf("after it was closed: %v", err)
	}
}

// What comes to nothing leaves nothing: no bundle, no usable key, and the number is
// free again.
func TestOrderThatFails(t *testing.T) {
	d := testdirectory.New(t)
	c := owner(t, d)
	folder := filepath.Join(t.TempDir(), "PO-4711")
	for name, test := range map[string]struct {
		spoil func(*Options) context.Context
		want  error
	}{
		"no agents":       {func(o *Options) context.Context { o.Kit.Agents = t.TempDir(); return t.Context() }, kit.ErrNoAgent},
		"nobody signs":    {func(o *Options) context.Context { o.Kit.Config.Signing = nil; return t.Context() }, kit.ErrNobodySigns},
		"reproducible":    {func(o *Options) context.Context { o.Kit.Reproducible = true; return t.Context() }, kit.ErrMint},
		"no number":       {func(o *Options) context.Context { o.PO = ""; return t.Context() }, ErrOrder},
		"another number":  {func(o *Options) context.Context { o.Quantity = 2; return t.Context() }, ErrOrder},
		"no name":         {func(o *Options) context.Context { o.Output = filepath.Dir(folder) + "/CON"; return t.Context() }, fs.ErrInvalid},
		"something there": {func(o *Options) context.Context { o.Output = filepath.Dir(o.Output); return t.Context() }, kit.ErrOverwrite},
		"interrupted": {func(o *Options) context.Context {
			ctx, cancel := context.WithCancel(t.Context())
			o.Kit.Progress = func(step string, _, _ int64) {
				if step == "sealing" {
					cancel()
				}
			}
			return ctx
		}, context.Canceled},
	} {
		o := options(t, d.At, folder, api.NewOrder{PO: "PO-4711", Serials: []string{"5CD1"}})
		o.Zip = true
		if name == "something there" {
			if err := os.WriteFile(filepath.Join(filepath.Dir(folder), "letter.txt"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		ctx := test.spoil(&o)
		if _, err := Create(ctx, c, o); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
		left, err := filepath.Glob(filepath.Join(filepath.Dir(folder), "*PO-4711*"))
		if hidden, _ := filepath.Glob(filepath.Join(filepath.Dir(folder), ".firstday*")); err != nil || len(left)+len(hidden) > 0 {
			t.Errorf("%s leaves %v and %v, %v", name, left, hidden, err)
		}
	}
	orders, err := c.Orders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range orders {
		if o.ClosedAt.IsZero() {
			t.Errorf("%s is open still", o.PO)
		}
	}
	keys, err := c.Keys(t.Context())
	if err != nil || slices.ContainsFunc(keys, func(k api.ConnectKey) bool { return k.RevokedAt.IsZero() }) {
		t.Errorf("the keys are %+v, %v", keys, err)
	}
	create(t, c, options(t, d.At, folder, api.NewOrder{PO: "PO-4711", Serials: []string{"5CD1"}}))
	if _, err := Create(t.Context(), c, options(t, d.At, folder+"-2", api.NewOrder{PO: "PO-4711", Quantity: 1})); !errors.Is(err, api.CodeConflict) {
		t.Errorf("a second order of that number: %v", err)
	}
}

// The zip is the same each time it is written, and what a recipient opens is it.
func TestZip(t *testing.T) {
	d := testdirectory.New(t)
	o := options(t, d.At, filepath.Join(t.TempDir(), "Ærø 4711"), api.NewOrder{PO: "PO-4711", Serials: []string{"5CD1"}})
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	o.Zip, o.Recipients = true, []age.Recipient{identity.Recipient()}
	made := create(t, owner(t, d), o)
	written, err := os.ReadFile(made.Zip)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(made.Folder)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var again bytes.Buffer
	if err := writeZip(t.Context(), &again, root, "Ærø 4711", made.Created); err != nil || !bytes.Equal(again.Bytes(), written) {
		t.Errorf("it is another one the second time: %v", err)
	}
	f, err := os.Open(made.Encrypted)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	opened, err := age.Decrypt(f, identity)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(opened); err != nil || !bytes.Equal(plain, written) {
		t.Errorf("what the recipient gets is another one: %v", err)
	}
	dir, err := Unpack(t.Context(), made.Zip, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := Open(t.Context(), dir, pinned(made)); err != nil || b.Order.ID != made.ID {
		t.Errorf("what was unpacked: %v", err)
	}
	for _, name := range []string{made.Zip, made.Encrypted} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// No secret is anywhere but in the packages.
func TestBundleTellsNoSecret(t *testing.T) {
	dir, made := sampleBundle(t)
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(p, "pkg") {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, p))
		if bytes.Contains(data, []byte("fdk_")) {
			t.Errorf("%s holds a connect key", p)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, InstructionsFile))
	if err != nil || bytes.Contains(page, []byte(made.Signer.SHA256)) {
		t.Errorf("the instructions tell the fingerprint that must come in another way, or %v", err)
	}
}

func goodOrder() *Order {
	id := uuid.MustParse("019f0000-0000-7000-8000-000000000001")
	return &Order{
		Version: 1, ID: id, PO: "PO-1", Organisation: "Acme", Directory: "https://directory.acme.example", Created: at, ExpiresAt: at.Add(time.Hour), Quantity: 1, Serials: []string{"5CD1"},
		Packages: []Package{{Platform: kit.Windows, File: "Acme.ppkg", Size: 1, SHA256: strings.Repeat("0", 2*sha256.Size), ID: id, KeyID: id}},
	}
}

func TestReadOrderRefuses(t *testing.T) {
	good, err := goodOrder().encode()
	if err != nil {
		t.Fatal(err)
	}
	if o, err := ReadOrder(bytes.NewReader(good)); err != nil || !cmp.Equal(o, goodOrder()) {
		t.Fatalf("%+v, %v", o, err)
	}
	for name, spoil := range map[string]func(*Order){
		"a newer version": func(o *Order) { o.Version = 2 },
		"no version":      func(o *Order) { o.Version = 0 },
		"no id":           func(o *Order) { o.ID = uuid.Nil },
		"a number":        func(o *Order) { o.PO = "a\nb" },
		"a quantity":      func(o *Order) { o.Quantity = 2 },
		"no organisation": func(o *Order) { o.Organisation = "" },
		"no time":         func(o *Order) { o.ExpiresAt = time.Time{} },
		"no package":      func(o *Order) { o.Packages = nil },
		"two for one":     func(o *Order) { o.Packages = append(o.Packages, o.Packages[0]) },
		"a platform":      func(o *Order) { o.Packages[0].Platform = "beos" },
		"a path":          func(o *Order) { o.Packages[0].File = "../Acme.ppkg" },
		"no hash":         func(o *Order) { o.Packages[0].SHA256 = "00" },
		"no key":          func(o *Order) { o.Packages[0].KeyID = uuid.Nil },
		"a directory":     func(o *Order) { o.Directory = "http://directory.acme.example" },
	} {
		o := goodOrder()
		spoil(o)
		data, err := o.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadOrder(bytes.NewReader(data)); !errors.Is(err, ErrOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{"nothing": "", "more": string(good) + "{}", "unknown": strings.Replace(string(good), `"po"`, `"extra": 1, "po"`, 1)} {
		if _, err := ReadOrder(strings.NewReader(text)); !errors.Is(err, ErrOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadOrder(f *testing.F) {
	good, err := goodOrder().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version": 1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := ReadOrder(bytes.NewReader(data))
		if err != nil {
			return
		}
		// What was read can be told to a partner, whatever it says.
		var page, pdf bytes.Buffer
		p := o.instructions().Page()
		if err := p.WriteHTML(&page); err != nil {
			t.Error(err)
		}
		if _, err := writePDF(&pdf, p, at); err != nil {
			t.Error(fmt.Errorf("%q: %w", data, err))
		}
	})
}
