package main

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"

	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testpki"
)

func TestMain(m *testing.M) {
	testscript.Main(cleaning{m}, map[string]func(){
		"firstday": func() { os.Exit(run()) },
	})
}

// cleaning removes the agents after the tests.
type cleaning struct{ *testing.M }

func (c cleaning) Run() int {
	defer testagents.Cleanup()
	return c.M.Run()
}

// TestScripts runs what people type, and shows what they see.
func TestScripts(t *testing.T) {
	agents := testagents.Dir(t)
	pki := testpki.New(t)
	plainCert, plainKey := pki.NoEKU.WritePEM(t, "")
	goodCert, goodKey := pki.CodeRSA.WritePEM(t, "swordfish")
	expiredCert, expiredKey := pki.Expired.WritePEM(t, "")
	root := pki.RootFile(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("AGENTS", agents)
			identity, err := age.GenerateX25519Identity()
			if err != nil {
				return err
			}
			e.Setenv("RECIPIENT", identity.Recipient().String())
			if err := os.WriteFile(filepath.Join(e.WorkDir, "age.key"), []byte(identity.String()+"\n"), 0o600); err != nil {
				return err
			}
			e.Setenv("KEY", "fdk_the-connect-key-of-the-tests")
			for name, from := range map[string]string{
				"plain.pem": plainCert, "plain.key": plainKey,
				"good.pem": goodCert, "good.key": goodKey, // its password is swordfish
				"expired.pem": expiredCert, "expired.key": expiredKey,
				"root.pem": root,
			} {
				data, err := os.ReadFile(from)
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(e.WorkDir, name), data, 0o600); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: scriptCommands,
	})
}

// scriptCommands are what scripts can do beside running programs.
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"exits":   exits,
	"flip":    flip,
	"large":   large,
	"waitfor": waitfor,

	"fromjson":  fromJSON,
	"configure": configure,
	"signerof":  signerOf,
	"fromlist":  fromList,
	"unzip":     unzip,
}

// exits CODE COMMAND… runs a command that must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

// flip FILE changes one byte in the middle.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flip file")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.WriteFile(path, data, 0o600))
}

// large FILE makes a program of 3 GB, most of which takes no space.
func large(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: large file")
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(path, []byte("MZ"), 0o600))
	ts.Check(os.Truncate(path, 3_000_000_000))
}

// fromjson VARIABLE FILE KEY sets a variable to a text of a JSON object.
func fromJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: fromjson variable file key")
	}
	object := make(map[string]any)
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &object))
	text, ok := object[args[2]].(string)
	if !ok {
		ts.Fatalf("%s has no text %s", args[1], args[2])
	}
	ts.Setenv(args[0], text)
}

// signerof VARIABLE FILE sets a variable to the fingerprint that order create told.
func signerOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: signerof variable file")
	}
	var made struct {
		Signer struct{ SHA256 string }
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &made))
	ts.Setenv(args[0], made.Signer.SHA256)
}

// configure FILE URL PIN writes a configuration for a directory, without a key.
func configure(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: configure file url pin")
	}
	text := fmt.Sprintf("version: 1\norganisation: {name: Acme}\ndirectory: {url: %q, pin: %q}\n", args[1], args[2])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// waitfor PATTERN waits for a file that matches.
func waitfor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor pattern")
	}
	for range 600 {
		if found, _ := filepath.Glob(ts.MkAbs(args[0])); len(found) > 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("no %s after 30 seconds", args[0])
}

// fromlist VARIABLE FILE N KEY sets a variable to what an object of a JSON list has, the
// first of which is 0.
func fromList(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: fromlist variable file n key")
	}
	var objects []map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &objects))
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	if n >= len(objects) || objects[n][args[3]] == nil {
		ts.Fatalf("%s has no object %d with %s", args[1], n, args[3])
	}
	ts.Setenv(args[0], fmt.Sprint(objects[n][args[3]]))
}

// unzip FILE FOLDER unpacks.
func unzip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: unzip file folder")
	}
	z, err := zip.OpenReader(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), z))
	ts.Check(z.Close())
}
