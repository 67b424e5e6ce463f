//go:build cgo

package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/internal/testtool"
	"firstday.dev/signing"
)

// softHSM makes a token with a key that never leaves it, and gives back the
// library's path and the public key.
func softHSM(t *testing.T, keyType string) (module string, public any) {
	t.Helper()
	util, tool := testtool.Need(t, "softhsm2-util"), testtool.Need(t, "pkcs11-tool")
	for _, path := range []string{
		"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so",
	} {
		if _, err := os.Stat(path); err == nil {
			module = path
		}
	}
	if module == "" {
		t.Fatal("softhsm2-util is installed, and its library is nowhere known")
	}
	dir := t.TempDir()
	tokens := filepath.Join(dir, "tokens")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", write(t, dir, "softhsm2.conf", "directories.tokendir = "+tokens+"\nlog.level = ERROR\n"))
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
	}
	run(util, "--init-token", "--free", "--label", "Acme signing", "--so-pin", "9876", "--pin", "1234")
	login := []string{"--module", module, "--token-label", "Acme signing", "--login", "--pin", "1234"}
	run(tool, append(login, "--keypairgen", "--key-type", keyType, "--label", "codesign", "--id", "0a")...)
	run(tool, append(login, "--keypairgen", "--key-type", keyType, "--label", "other", "--id", "0b")...)
	file := filepath.Join(dir, "public.der")
	run(tool, append(login, "--read-object", "--type", "pubkey", "--id", "0a", "--output-file", file)...)
	der, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	public, err = x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return module, public
}

func TestPKCS11KeySigns(t *testing.T) {
	for _, keyType := range []string{"rsa:2048", "EC:prime256v1"} {
		t.Run(keyType, func(t *testing.T) {
			module, public := softHSM(t, keyType)
			dir := t.TempDir()
			certify(t, dir, public)
			write(t, dir, "pin", "1234\n")
			t.Setenv("TEST_PIN", "1234")
			for _, choice := range []string{
				"token: Acme signing\n  label: codesign\n  pin: {file: pin}",
				"token: Acme signing\n  id: 0a\n  pin: {env: TEST_PIN}",
			} {
				id, err := openSigner(t, dir, fmt.Sprintf("certificates: chain.pem\npkcs11:\n  module: %s\n  %s\n", module, choice))
				if err != nil {
					t.Fatal(err)
				}
				signCatalog(t, id)
				signProgram(t, id)
			}
		})
	}
}

func TestPKCS11MistakesAreExplained(t *testing.T) {
	module, public := softHSM(t, "EC:prime256v1")
	dir := t.TempDir()
	certify(t, dir, public)
	t.Setenv("TEST_PIN", "1234")
	t.Setenv("WRONG_PIN", "4321")
	for name, test := range map[string]struct{ config, want string }{
		"wrong PIN":     {"module: " + module + "\n  token: Acme signing\n  id: 0a\n  pin: {env: WRONG_PIN}", "PIN was incorrect"},
		"no PIN":        {"module: " + module + "\n  token: Acme signing\n  id: 0a", "give either file or env"},
		"unknown token": {"module: " + module + "\n  token: Other\n  pin: {env: TEST_PIN}", "No token found"},
		"unknown key":   {"module: " + module + "\n  token: Acme signing\n  label: none\n  pin: {env: TEST_PIN}", "No object found"},
		"other key":     {"module: " + module + "\n  token: Acme signing\n  label: other\n  pin: {env: TEST_PIN}", signing.ErrKeyMismatch.Error()},
		"two keys":      {"module: " + module + "\n  token: Acme signing\n  pin: {env: TEST_PIN}", "Multiple token objects"},
		"no library":    {"module: /none.so\n  pin: {env: TEST_PIN}", "pkcs11 provider"},
	} {
		_, err := openSigner(t, dir, "certificates: chain.pem\npkcs11:\n  "+test.config+"\n")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v\nwant %q", name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "4321") {
			t.Errorf("%s: the error shows the PIN", name)
		}
	}
}
