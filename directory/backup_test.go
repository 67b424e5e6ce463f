package directory

import (
	"archive/tar"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"

	"firstday.dev/api"
	"firstday.dev/internal/atomicfile"
)

// A backup is made while devices enrol; the directory that is made of it has the
// same pin, knows the devices that were in by then, and lets nobody take uses of
// keys a second time.
func TestBackupUnderLoad(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, "")
	const laptops = 60
	key := mint(t, d, api.NewConnectKey{Uses: laptops + 1})
	spent := mint(t, d, api.NewConnectKey{Uses: 1})
	enroll(t, d, newLaptop(t, "spender"), spent.Secret)
	d.PagesURL = consoleURL
	owner := newVisitor(t).withPassword(d, invite(t, d, "olga", api.Owner), "olga")
	link := invite(t, d, "ann", api.Auditor)
	early := newLaptop(t, "early")
	known := enroll(t, d, early, key.Secret)
	if err := d.RevokeToken(t.Context(), "token:ann", mustToken(t, d).ID); err != nil {
		t.Fatal(err)
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}

	var wg sync.WaitGroup
	half := make(chan struct{})
	wg.Go(func() {
		for i := range laptops {
			if i == laptops/2 {
				close(half)
			}
			if _, err := d.Enroll(t.Context(), newLaptop(t, fmt.Sprint("S", i)).request(t, key.Secret), "192.0.2.7"); err != nil {
				t.Error(err)
			}
		}
	})
	<-half
	out := t.TempDir()
	files := map[string][]age.Recipient{"plain.backup": nil, "sealed.backup": {identity.Recipient()}}
	for name, recipients := range files {
		b, err := WriteBackup(t.Context(), dir, filepath.Join(out, name), recipients)
		if err != nil {
			t.Fatal(err)
		}
		if b.Pin != d.Pin() || b.Organisation != "Acme" || b.Encrypted != (name == "sealed.backup") || b.Audit.Entries < laptops/2 {
			t.Errorf("%s says of itself %+v", name, b)
		}
	}
	wg.Wait()
	if entries, err := os.ReadDir(out); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	for name := range files {
		info, err := os.Stat(filepath.Join(out, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
	late, err := d.Keys(t.Context(), uuid.Nil)
	if err != nil || late[1].Uses != laptops+1 {
		t.Fatalf("%+v, %v", late, err)
	}

	for name := range files {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "restored")
			r, err := Restore(t.Context(), filepath.Join(out, name), folder, RestoreOptions{Identities: []age.Identity{identity}})
			if err != nil {
				t.Fatal(err)
			}
			if r.RevokedKeys != 1 || r.Pin != d.Pin() || time.Since(r.Time) > time.Hour {
				t.Errorf("%+v", r)
			}
			if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 {
				t.Errorf("the folder holds %v, %v", entries, err)
			}
			again := open(t, folder, "")
			at := serve(t, again)
			if at.Pin != d.Pin() {
				t.Errorf("the pin is %s, was %s", at.Pin, d.Pin())
			}
			device := client(t, at, &tls.Certificate{Certificate: known.Certificates, PrivateKey: early.key})
			if answer, err := device.CheckIn(t.Context(), &api.CheckInRequest{Version: known.CheckIn.Version}); err != nil || answer.State != api.DeviceActive {
				t.Errorf("a device: %+v, %v", answer, err)
			}
			owner.signedOut(again, "after a restore")
			if err := owner.logIn(again, time.Now().Add(totpPeriod)); err != nil {
				t.Errorf("an administrator: %v", err)
			}
			if _, err := again.Invited(owner.request(), link.Secret); !errors.Is(err, api.CodeInvitation) {
				t.Errorf("a link of before: %v", err)
			}
			keys, err := again.Keys(t.Context(), uuid.Nil)
			if err != nil || len(keys) != 2 || keys[1].RevokedAt.IsZero() || !keys[0].RevokedAt.IsZero() {
				t.Errorf("the keys are %+v, %v", keys, err)
			}
			if _, err := client(t, at, nil).Enroll(t.Context(), newLaptop(t, "thief").request(t, key.Secret)); !errors.Is(err, api.CodeKeyRevoked) {
				t.Errorf("who takes a use again: %v", err)
			}
			fresh := enroll(t, again, newLaptop(t, "new"), mint(t, again, api.NewConnectKey{}).Secret)
			if fresh.CheckIn.Version < revisionGap {
				t.Errorf("news have the number %d, as there may have been before", fresh.CheckIn.Version)
			}
			// restore, revoke, a sign-in, the thief, a key, a device
			if proof, err := again.proveAudit(t.Context()); err != nil || proof.Entries != r.Audit.Entries+6 {
				t.Errorf("%+v, %v", proof, err)
			}
			var log []string
			for e, err := range again.Audit(t.Context(), r.Audit.Entries) {
				if err != nil {
					t.Fatal(err)
				}
				log = append(log, e.Action+" "+string(e.Detail))
			}
			if len(log) != 6 || !strings.HasPrefix(log[0], `key.revoke {"reason":"the directory was restored`) ||
				!strings.HasPrefix(log[1], "directory.restore ") || !strings.Contains(log[1], r.Audit.Hash) {
				t.Errorf("the log says %q", log)
			}
			if list, err := again.Tokens(t.Context()); err != nil || len(list) != 1 {
				t.Errorf("the tokens are %+v, %v", list, err)
			}
		})
	}
	t.Run("keeping keys", func(t *testing.T) {
		folder := t.TempDir() // empty
		r, err := Restore(t.Context(), filepath.Join(out, "plain.backup"), folder, RestoreOptions{KeepKeys: true})
		if err != nil || r.RevokedKeys != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		enroll(t, open(t, folder, ""), newLaptop(t, "again"), key.Secret)
	})
}

func mustToken(t *testing.T, d *Directory) api.Token {
	t.Helper()
	created, err := d.CreateToken(t.Context(), "system", api.NewToken{Name: "ann", Role: api.Owner, Life: api.Duration(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return created.Token
}

// backedUp makes a directory with some history and a backup of it.
func backedUp(t testing.TB) (folder string, backup []byte) {
	t.Helper()
	folder = t.TempDir()
	d := open(t, folder, "")
	enroll(t, d, newLaptop(t, "S1"), mint(t, d, api.NewConnectKey{}).Secret)
	file := filepath.Join(t.TempDir(), "backup")
	if _, err := WriteBackup(t.Context(), folder, file, nil); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return folder, data
}

// repack changes the files of a backup.
func repack(t *testing.T, backup []byte, change func(name string, data []byte) []byte) []byte {
	t.Helper()
	in, err := gzip.NewReader(bytes.NewReader(backup))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	from, to := tar.NewReader(in), tar.NewWriter(compressed)
	for {
		h, err := from.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(from)
		if err != nil {
			t.Fatal(err)
		}
		if data = change(h.Name, data); data == nil {
			continue
		}
		h.Size = int64(len(data))
		if err := to.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(to.Close(), compressed.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestBackupsThatAreRefused(t *testing.T) {
	_, good := backedUp(t)
	_, other := backedUp(t)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, identity.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(good); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	parts := make(map[string][]byte)
	repack(t, other, func(name string, data []byte) []byte {
		parts[name] = data
		return data
	})
	// edit changes the database by a statement.
	edit := func(statement string) func(string, []byte) []byte {
		return func(name string, data []byte) []byte {
			if name != DatabaseName {
				return data
			}
			file := filepath.Join(t.TempDir(), "edited.db")
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			s := new(store)
			if err := s.openSQLite(file); err != nil {
				t.Fatal(err)
			}
			if _, err := s.write.Exec("PRAGMA foreign_keys = 0; " + statement); err != nil {
				t.Fatal(err)
			}
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			edited, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			return edited
		}
	}
	// flip changes a bit that says something: not every compressed one does, for
	// where zeros repeat, it is all the same from how far back they are copied.
	flip := func(at float64) []byte {
		for i := int(at * float64(len(good))); ; i++ {
			changed := bytes.Clone(good)
			changed[i] ^= 0x10
			r, err := gzip.NewReader(bytes.NewReader(changed))
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			if err != nil {
				return changed
			}
		}
	}
	exchange := func(which string) []byte {
		return repack(t, good, func(name string, data []byte) []byte {
			if name == which {
				return parts[name]
			}
			return data
		})
	}
	without := func(which string) []byte {
		return repack(t, good, func(name string, data []byte) []byte {
			if name == which {
				return nil
			}
			return data
		})
	}
	for name, test := range map[string]struct {
		backup     []byte
		identities []age.Identity
		want       error
	}{
		"nothing":           {nil, nil, ErrBackup},
		"nonsense":          {[]byte("nonsense"), nil, ErrBackup},
		"cut":               {good[:len(good)-9], nil, ErrBackup},
		"half":              {good[:len(good)/2], nil, ErrBackup},
		"changed":           {flip(.5), nil, ErrBackup},
		"changed checksum":  {flip(.9999), nil, ErrBackup},
		"no information":    {without(backupInfo), nil, ErrBackup},
		"no key":            {without(KeyName), nil, ErrBackup},
		"no database":       {without(DatabaseName), nil, ErrBackup},
		"other information": {exchange(backupInfo), nil, ErrBackup},
		"other key":         {exchange(KeyName), nil, errSealed},
		"other database":    {exchange(DatabaseName), nil, errSealed},
		"another file":      {repack(t, good, func(name string, data []byte) []byte { return data[:min(len(data), 10)] }), nil, ErrBackup},
		"newer format": {repack(t, good, func(name string, data []byte) []byte {
			return bytes.Replace(data, []byte(`"format":1`), []byte(`"format":2`), 1)
		}), nil, ErrBackup},
		"damaged database": {repack(t, good, func(name string, data []byte) []byte {
			if name == DatabaseName {
				clear(data[len(data)/3 : len(data)*2/3])
			}
			return data
		}), nil, ErrDamaged},
		"audit entry changed":  {repack(t, good, edit(`UPDATE audit SET actor = 'nobody' WHERE seq = 1`)), nil, api.ErrAudit},
		"audit cut":            {repack(t, good, edit(`DELETE FROM audit WHERE seq = (SELECT MAX(seq) FROM audit)`)), nil, api.ErrAudit},
		"audit cut, head too":  {repack(t, good, edit(`DELETE FROM audit WHERE seq = 2; UPDATE audit_head SET seq = 1, hash = (SELECT hash FROM audit WHERE seq = 1)`)), nil, ErrBackup},
		"orphaned device":      {repack(t, good, edit(`UPDATE devices SET connect_key = 'x'`)), nil, ErrDamaged},
		"no CA":                {repack(t, good, edit(`DELETE FROM secrets`)), nil, ErrDamaged},
		"of a newer version":   {repack(t, good, edit(`UPDATE goose_db_version SET version_id = 9999 WHERE version_id = 1`)), nil, ErrNewer},
		"encrypted":            {sealed.Bytes(), nil, ErrBackupEncrypted},
		"encrypted for others": {sealed.Bytes(), []age.Identity{foreign}, ErrBackupEncrypted},
		"encrypted, cut":       {sealed.Bytes()[:sealed.Len()-20], []age.Identity{identity}, ErrBackup},
		"encrypted, good":      {sealed.Bytes(), []age.Identity{foreign, identity}, nil},
		"good":                 {good, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			file, folder := filepath.Join(t.TempDir(), "backup"), filepath.Join(parent, "restored")
			if err := os.WriteFile(file, test.backup, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Restore(t.Context(), file, folder, RestoreOptions{Identities: test.identities})
			if !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			entries, err := os.ReadDir(parent)
			if want := map[bool]int{true: 1, false: 0}[test.want == nil]; err != nil || len(entries) != want {
				t.Errorf("left behind: %v, %v", entries, err)
			}
		})
	}
}

func TestRestoreReplacesNothing(t *testing.T) {
	folder, good := backedUp(t)
	file := filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, there := range []string{folder, filepath.Dir(file)} {
		if _, err := Restore(t.Context(), file, there, RestoreOptions{}); !errors.Is(err, atomicfile.ErrInTheWay) {
			t.Errorf("%s: %v", there, err)
		}
	}
	if _, err := Restore(t.Context(), file, file, RestoreOptions{}); err == nil {
		t.Error("a file was replaced")
	}
	if _, err := WriteBackup(t.Context(), t.TempDir(), file, nil); !errors.Is(err, ErrNoDatabase) {
		t.Errorf("where no directory is: %v", err)
	}
	if err := os.Remove(filepath.Join(folder, KeyName)); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteBackup(t.Context(), folder, file+"2", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without its key: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, KeyName)); err == nil {
		t.Error("a backup made a key")
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestParseRecipients(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{"": 0, identity.Recipient().String(): 1, "age1nonsense": -1, "ssh-ed25519 AAAA": -1} {
		got, err := ParseRecipients(strings.Fields(text))
		if want < 0 && err == nil || want >= 0 && (err != nil || len(got) != want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func FuzzReadBackup(f *testing.F) {
	_, good := backedUp(f)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(ageMagic + "v1\n-> X25519 x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		folder := t.TempDir()
		b, err := readBackup(bytes.NewReader(data), folder, nil)
		if err == nil && b.Format != backupFormat {
			t.Errorf("%+v", b)
		}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != KeyName && e.Name() != DatabaseName {
				t.Errorf("it made %s", e.Name())
			}
		}
	})
}
