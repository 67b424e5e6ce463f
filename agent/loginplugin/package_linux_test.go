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
	path, _ := buildPackage(t, api.Directory{URL: "https://directory.acme.example"}, "fdk_of-the-tests")
	volume := testagents.UnpackInstaller(t, path)
	return testloginplugin.Program(filepath.Join(volume, filepath.FromSlash(macos.PluginPath)))
}

// buildPackage builds a package of a directory's, signed by developers of Apple's, who
// are the test's, and verifies it with what trusts them.
func buildPackage(t *testing.T, at api.Directory, key api.Secret) (path string, trust kit.VerifyOptions) {
	t.Helper()
	pki := testpki.New(t)
	developers := pki.NewDevelopers(t)
	section := func(e *testpki.Entity) string {
		certificate, private := e.WritePEM(t, "")
		return fmt.Sprintf("{certificate: %q, key: %q}", certificate, private)
	}
	pin := ""
	if at.Pin != "" {
		pin = fmt.Sprintf(", pin: %q", at.Pin)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"firstday.yaml": fmt.Sprintf("version: 1\norganisation: {name: Acme}\ndirectory: {url: %q%s}\nconnectKey: {file: connect.key}\nmacos:\n  signing:\n    application: %s\n    installer: %s\n",
			at.URL, pin, section(developers.Application), section(developers.Installer)),
		"connect.key": key.Reveal() + "\n",
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
	trust.RequireSignature = true
	trust.Roots, trust.TimestampRoots = pki.Roots(), pki.Roots()
	path = filepath.Join(output, "Acme.pkg")
	v, err := kit.Verify(t.Context(), path, trust)
	if err == nil {
		err = v.Err()
	}
	if err != nil {
		t.Fatal(errors.Join(err, errors.New(path)))
	}
	return path, trust
}
