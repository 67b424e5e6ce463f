package kit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"firstday.dev/internal/testapple"
	"firstday.dev/pkgbuild/notary"
	"firstday.dev/signing"
)

// notaryClient speaks to a fake of Apple.
func notaryClient(t *testing.T, a *testapple.Apple) *notary.Client {
	t.Helper()
	key, err := notary.ReadKey(testapple.Issuer, testapple.KeyID, a.KeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	return &notary.Client{
		Key: key, URL: a.URL + "/notary/v2", TicketURL: a.URL + "/tickets", S3URL: a.URL + "/s3", PartSize: 1 << 20, Now: a.Now,
		Sleep: func(ctx context.Context, d time.Duration) error { a.Pass(d); return ctx.Err() },
	}
}

func TestNotariseAndStaple(t *testing.T) {
	o, trust := macOptions(t, "")
	build(t, o)
	path := filepath.Join(o.Output, "Acme.pkg")
	before := mustRead(t, path)
	a := testapple.New(t)
	c := notaryClient(t, a)

	// The upload breaks off, is taken up, and leaves nothing behind.
	ctx, kill := context.WithCancel(t.Context())
	c.Progress = func(done, _ int64) {
		if done >= 3<<20 {
			kill()
		}
	}
	if _, err := Notarize(ctx, path, c); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	if info, err := os.Stat(path + uploadExt); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("what is kept of the upload: %v, %v", info, err)
	}
	c.Progress = nil
	s, err := Notarize(t.Context(), path, c)
	if err != nil || s.Status != notary.StatusAccepted || a.Count("POST /notary") != 1 {
		t.Fatalf("%+v, %v, calls %q", s, err, a.Calls)
	}
	if !bytes.Equal(a.Objects["prod/team id-1"], before) {
		t.Error("another file has arrived")
	}
	if _, err := os.Stat(path + uploadExt); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}

	if err := Staple(t.Context(), path, c); !errors.Is(err, notary.ErrNoTicket) || !bytes.Equal(mustRead(t, path), before) {
		t.Errorf("no ticket yet: %v", err)
	}
	p := openInstaller(t, path)
	digest := p.Archive.Digest[:20]
	a.Tickets["2/2/"+hex.EncodeToString(digest)] = base64.StdEncoding.EncodeToString(append([]byte("s8ch"), digest...))
	for range 2 { // a second ticket replaces the first
		if err := Staple(t.Context(), path, c); err != nil {
			t.Fatal(err)
		}
	}
	if v := verify(t, path, trust); !v.OK() {
		t.Errorf("stapled: %v", v.Err())
	}
	if openInstaller(t, path).Archive.Ticket == nil {
		t.Error("there is no ticket")
	}
	if err := Unstaple(t.Context(), path); err != nil || !bytes.Equal(mustRead(t, path), before) {
		t.Errorf("taken off again: %v", err)
	}

	// Signed anew it needs another ticket, and loses this one.
	if err := Staple(t.Context(), path, c); err != nil {
		t.Fatal(err)
	}
	id, err := signing.Throwaway("Acme", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(t.Context(), path, "", id, signing.Options{}); err != nil {
		t.Fatal(err)
	}
	if openInstaller(t, path).Archive.Ticket != nil {
		t.Error("a stale ticket is left")
	}
}

func TestUnsignedPackagesAreNotSubmitted(t *testing.T) {
	o := options(t, "")
	o.Platforms = []Platform{MacOS}
	build(t, o)
	a := testapple.New(t)
	if _, err := Notarize(t.Context(), filepath.Join(o.Output, "Acme.pkg"), notaryClient(t, a)); !errors.Is(err, notary.ErrRejected) || len(a.Calls) != 0 {
		t.Errorf("%v, calls %q", err, a.Calls)
	}
}

func TestBuildNotarises(t *testing.T) {
	o, trust := macOptions(t, "")
	a := testapple.New(t)
	o.Notary = notaryClient(t, a)
	a.Statuses = []string{"In Progress", "Invalid"}
	a.Log = `{"issues":[{"severity":"error","path":"agent","message":"no timestamp"}]}`
	if _, err := Build(t.Context(), o); !errors.Is(err, notary.ErrRejected) {
		t.Fatalf("rejected: %v", err)
	}
	if _, err := os.Stat(o.Output); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a kit that Apple rejected is there: %v", err)
	}
	a.Statuses = []string{"Accepted"}
	a.AnyTicket = true
	m := build(t, o)
	if !m.Packages[0].Notarised {
		t.Errorf("manifest: %+v", m.Packages[0])
	}
	if err := verify(t, o.Output, trust).Err(); err != nil {
		t.Error(err)
	}
	if instructions := mustRead(t, filepath.Join(o.Output, MacInstructionsFile)); bytes.Contains(instructions, []byte("not notarised")) {
		t.Error("the instructions speak of a package that is not notarised")
	}
}
