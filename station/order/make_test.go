package order

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/kit"
	"firstday.dev/ppkg/xpress"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testagents.Cleanup()
	if sample.dir != "" {
		_ = os.RemoveAll(sample.dir) // in the temporary folder anyway
	}
	os.Exit(code)
}

// owner gives a client that administers a directory.
func owner(t testing.TB, d *testdirectory.Service) *api.Client {
	t.Helper()
	created, err := d.CreateToken(t.Context(), "system", api.NewToken{Name: "ann", Role: api.Owner, Life: api.Duration(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	c, err := api.NewClient(d.At, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Token = created.Secret
	t.Cleanup(c.Close)
	return c
}

// options are those of an order of that many devices at a directory.
func options(t testing.TB, at api.Directory, output string, n api.NewOrder) Options {
	t.Helper()
	text := fmt.Sprintf(`version: 1
organisation: {name: "Ærøskøbing Møbler – Łódź"}
package: {name: Acme}
directory: {url: %q, pin: %q}
signing: {throwaway: true}
macos: {signing: {installer: {throwaway: true}}}
`, at.URL, at.Pin)
	file := filepath.Join(t.TempDir(), "firstday.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return Options{NewOrder: n, Output: output, Kit: kit.Options{
		Config: c, Platforms: []kit.Platform{kit.Windows, kit.MacOS}, Agents: testagents.Dir(t), Builder: "test",
		Time: time.Now().UTC().Truncate(time.Second), Level: xpress.Fast,
	}}
}

func create(t testing.TB, c *api.Client, o Options) *Created {
	t.Helper()
	made, err := Create(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// sample is a bundle that tests copy before they damage it, with its .zip.
var sample struct {
	once sync.Once
	dir  string
	made *Created
}

// sampleBundle copies the sample.
func sampleBundle(t testing.TB) (string, *Created) {
	t.Helper()
	sample.once.Do(func() {
		dir, err := os.MkdirTemp("", "firstday-order-*")
		if err != nil {
			t.Fatal(err)
		}
		sample.dir = dir
		d := testdirectory.New(t)
		o := options(t, d.At, filepath.Join(dir, "PO-4711"), api.NewOrder{PO: "PO-4711", Partner: "Box Ltd", Serials: []string{"5CD1", "5CD2", "5CD3"}, Tags: []string{"sales"}})
		o.Zip = true
		sample.made = create(t, owner(t, d), o)
	})
	if sample.made == nil {
		t.Fatal("the sample could not be made")
	}
	dir := filepath.Join(t.TempDir(), "PO-4711")
	if err := os.CopyFS(dir, os.DirFS(sample.made.Folder)); err != nil {
		t.Fatal(err)
	}
	return dir, sample.made
}

// pinned trusts who made a bundle.
func pinned(made *Created) VerifyOptions { return VerifyOptions{Signer: made.Signer.SHA256} }
