//go:build amd64 || arm64

package loginplugin_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testloginplugin"
	"firstday.dev/internal/testpki"
	"firstday.dev/kit"
	"firstday.dev/templates/macos"
)

// shippedProgram names the program to load, for a process that cannot build it.
const shippedProgram = "FIRSTDAY_TEST_PLUGIN"

// shipped gives the plug-in's program as a signed package brings it.
func shipped(t *testing.T) string {
	t.Helper()
	if path := os.Getenv(shippedProgram); path != "" {
		return path
	}
	volume := testagents.UnpackInstaller(t, buildPackage(t))
	return testloginplugin.Program(filepath.Join(volume, filepath.FromSlash(macos.PluginPath)))
}

// buildPackage builds a package, signed by developers of Apple's, who are the test's,
// and verifies it with what trusts them.
func buildPackage(t *testing.T) (path string) {
	t.Helper()
	pki := testpki.New(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"firstday.yaml": configuration(t, pki, api.Directory{URL: "https://directory.acme.example"}) + "connectKey: {file: connect.key}\n",
		"connect.key":   "fdk_of-the-tests\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "firstday.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(dir, "kit")
	_, err = kit.Build(t.Context(), kit.Options{
		Config: c, Platforms: []kit.Platform{kit.MacOS}, Agents: testagents.SmallMac(t), Output: output, Builder: "test", Time: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(output, "Acme.pkg")
	v, err := kit.Verify(t.Context(), path, trusting(pki))
	if err == nil {
		err = v.Err()
	}
	if err != nil {
		t.Fatal(errors.Join(err, errors.New(path)))
	}
	return path
}

// trusting trusts them, and insists on signatures.
func trusting(pki *testpki.PKI) (o kit.VerifyOptions) {
	o.RequireSignature = true
	o.Roots, o.TimestampRoots = pki.Roots(), pki.Roots()
	return o
}

// configuration is a firstday.yaml for a directory, with developers of Apple's to sign.
func configuration(t *testing.T, pki *testpki.PKI, at api.Directory) string {
	t.Helper()
	developers := pki.NewDevelopers(t)
	section := func(e *testpki.Entity) string {
		certificate, private := e.WritePEM(t, "")
		return fmt.Sprintf("{certificate: %q, key: %q}", certificate, private)
	}
	pin := ""
	if at.Pin != "" {
		pin = fmt.Sprintf(", pin: %q", at.Pin)
	}
	return fmt.Sprintf("version: 1\norganisation: {name: Acme}\ndirectory: {url: %q%s}\nmacos:\n  signing:\n    application: %s\n    installer: %s\n",
		at.URL, pin, section(developers.Application), section(developers.Installer))
}
