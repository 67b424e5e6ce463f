package packages

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testtool"
)

// browser makes requests as a program does that is not our client.
type browser struct {
	t     *testing.T
	at    string
	http  *http.Client
	token api.Secret
}

func (p *process) browse(t *testing.T, role api.Role) *browser {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: p.d.Handler(), ReadHeaderTimeout: time.Minute}
	tlsConfig := p.d.TLS()
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(tls.NewListener(l, tlsConfig)) }()
	trusting, err := (&api.Directory{URL: "https://" + l.Addr().String(), Pin: p.d.Pin()}).DeviceTLS()
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t, "https://" + l.Addr().String() + api.PathAdmin, &http.Client{Transport: &http.Transport{TLSClientConfig: trusting}}, p.token(t, role)}
	t.Cleanup(func() {
		b.http.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return b
}

// answer is what a request came to, without its body.
type answer struct {
	Status        string
	StatusCode    int
	ContentLength int64
	Header        http.Header
}

// ask makes a request and reads all of its answer.
func (b *browser) ask(method, path string, body io.Reader, headers ...string) (*answer, []byte) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.at+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.token.Reveal())
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	data, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		b.t.Fatal(err)
	}
	return &answer{resp.Status, resp.StatusCode, resp.ContentLength, resp.Header}, data
}

func TestDownloads(t *testing.T) {
	for name, at := range map[string]func(*room){"folder": func(*room) {}, "s3": func(r *room) { r.Store = newJudge(t).address() }} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			at(r)
			p := start(t, r, nil)
			job := p.await(t, p.mustQueue(t, forMacs(`spring "hires"`)), api.PackageReady)
			b := p.browse(t, api.Technician)
			path := "/packages/" + job.ID.String()
			var pkg api.PackageFile
			for _, f := range job.Files {
				if f.Name == "Acme.pkg" {
					pkg = f
				}
			}
			resp, all := b.ask(http.MethodGet, path+"/files/Acme.pkg", nil)
			tag := strconv.Quote(pkg.SHA256)
			if sum := sha256.Sum256(all); resp.StatusCode != http.StatusOK || hex.EncodeToString(sum[:]) != pkg.SHA256 || resp.ContentLength != pkg.Size || resp.Header.Get("ETag") != tag {
				t.Errorf("%s, %d bytes, %v", resp.Status, len(all), resp.Header)
			}
			if resp.Header.Get("Content-Type") != "application/octet-stream" || resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Content-Disposition") != "attachment; filename*=UTF-8''Acme.pkg" || !strings.Contains(resp.Header.Get("Cache-Control"), "no-store") {
				t.Errorf("%v", resp.Header)
			}
			resp, part := b.ask(http.MethodGet, path+"/files/Acme.pkg", nil, "Range", "bytes=1000-1999", "If-Range", tag)
			if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(part, all[1000:2000]) {
				t.Errorf("a part: %s, %d bytes", resp.Status, len(part))
			}
			if resp, _ = b.ask(http.MethodGet, path+"/files/Acme.pkg", nil, "Range", "bytes=99999999-"); resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
				t.Errorf("a part that is not there: %s", resp.Status)
			}
			if resp, _ = b.ask(http.MethodGet, path+"/files/Acme.pkg", nil, "If-None-Match", tag); resp.StatusCode != http.StatusNotModified {
				t.Errorf("what one has: %s", resp.Status)
			}
			for _, name := range []string{"other", "..%2f..%2fdirectory.key", "0", ".", "Acme.pkg%00"} {
				if resp, data := b.ask(http.MethodGet, path+"/files/"+name, nil); resp.StatusCode != http.StatusNotFound || !strings.Contains(string(data), "not_found") {
					t.Errorf("%s: %s %s", name, resp.Status, data)
				}
			}
			resp, one := b.ask(http.MethodGet, path+"/kit.zip", nil)
			_, two := b.ask(http.MethodGet, path+"/kit.zip", nil)
			if resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(one)) || !bytes.Equal(one, two) || resp.Header.Get("Content-Disposition") != "attachment; filename*=UTF-8''spring%20%22hires%22.zip" {
				t.Errorf("the zip: %s, %d and %d bytes, %v", resp.Status, len(one), len(two), resp.Header)
			}
			dir := t.TempDir()
			z, err := zip.NewReader(bytes.NewReader(one), int64(len(one)))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(dir, z); err != nil { // it compares the CRC-32 of each
				t.Fatal(err)
			}
			mustVerify(t, dir)
			if resp, _ := b.ask(http.MethodHead, path+"/kit.zip", nil); resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(one)) {
				t.Errorf("the zip's head: %s, %d", resp.Status, resp.ContentLength)
			}
			downloads := 0
			for e, err := range p.d.Audit(t.Context(), 0) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Action == "package.download" && e.Actor == "token:technician" {
					downloads++
				}
			}
			if downloads < 3 {
				t.Errorf("%d downloads are noted", downloads)
			}
		})
	}
}

// A store that loses a file, or goes away, gives nobody a part of a kit for all of it.
func TestDownloadsOfWhatTheStoreHasLost(t *testing.T) {
	j := newJudge(t)
	r := newRoom(t)
	r.Store = j.address()
	p := start(t, r, nil)
	job := p.await(t, p.mustQueue(t, forMacs("spring")), api.PackageReady)
	b := p.browse(t, api.Owner)
	path := "/packages/" + job.ID.String()
	j.down.Store(true)
	for _, what := range []string{"/files/Acme.pkg", "/kit.zip"} {
		if resp, data := b.ask(http.MethodGet, path+what, nil); resp.StatusCode != http.StatusBadGateway || !strings.Contains(string(data), "package_store") || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s %.200s", what, resp.Status, data)
		}
	}
	j.down.Store(false)
	last := len(job.Files) - 1
	if err := p.store.remove(t.Context(), kitFile(job.ID, 1, last)); err != nil {
		t.Fatal(err)
	}
	if resp, _ := b.ask(http.MethodGet, path+"/files/"+job.Files[last].Name, nil); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("%s", resp.Status)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.at+path+"/kit.zip", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.token.Reveal())
	resp, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Errorf("%d of %d bytes pass for all of it", n, resp.ContentLength)
	}
}

func TestUploads(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, r *room) {
		const most = 1000
		p := start(t, r, func(o *Options) { o.MaxUpload = most; o.Quota = 2500 })
		b := p.browse(t, api.Builder)
		const msi = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 an installer"
		for _, c := range []struct {
			name, body string
			status     int
		}{
			{"tool.msi", msi, http.StatusOK},
			{"TOOL.EXE", "MZ a program", http.StatusOK},
			{"tool.exe", msi, http.StatusBadRequest},
			{"tool.msi", "MZ a program", http.StatusBadRequest},
			{"tool.msi", "PK\x03\x04 a zip", http.StatusBadRequest},
			{"tool.exe", "M", http.StatusBadRequest},
			{"tool.exe", "", http.StatusBadRequest},
			{"tool.cmd", "MZ a program", http.StatusBadRequest},
			{"", "MZ a program", http.StatusBadRequest},
			{"../tool.exe", "MZ a program", http.StatusBadRequest},
			{`..\tool.exe`, "MZ a program", http.StatusBadRequest},
			{"con.exe", "MZ a program", http.StatusBadRequest},
			{"firstday-agent-amd64.exe", "MZ a program", http.StatusBadRequest},
			{"a\x1b[2J.exe", "MZ a program", http.StatusBadRequest},
			{strings.Repeat("x", 300) + ".exe", "MZ a program", http.StatusBadRequest},
			{"large.exe", "MZ" + strings.Repeat("x", most-1), http.StatusRequestEntityTooLarge},
			{"first.exe", "MZ" + strings.Repeat("x", most-2), http.StatusOK},
			{"second.exe", "MZ" + strings.Repeat("x", most-2), http.StatusOK},
			{"third.exe", "MZ" + strings.Repeat("x", most-2), http.StatusInsufficientStorage},
		} {
			query := url.QueryEscape(c.name)
			if resp, data := b.ask(http.MethodPost, "/packages/uploads?name="+query, strings.NewReader(c.body)); resp.StatusCode != c.status {
				t.Errorf("%q: %s %s", c.name, resp.Status, data)
			}
		}
		uploads, err := p.d.PackageUploads(t.Context())
		if err != nil || len(uploads) != 4 {
			t.Fatalf("%d uploads, %v", len(uploads), err)
		}
		// Who does not say how much comes is asked to.
		if resp, _ := b.ask(http.MethodPost, "/packages/uploads?name=x.exe", io.MultiReader(strings.NewReader("MZ"))); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("of unknown length: %s", resp.Status)
		}
		for _, u := range uploads {
			if err := p.RemoveUpload(t.Context(), "token:ann", u.ID); err != nil {
				t.Error(err)
			}
		}
		p.mustHaveNoUploads(t)
	})
}

func (p *process) mustHaveNoUploads(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		names, err := p.store.list(t.Context(), uploadsFolder)
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("in the store are %q", names)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Who hangs up in the middle leaves nothing, and takes no room.
func TestUploadThatBreaksOff(t *testing.T) {
	r := newRoom(t)
	const quota = 100_000
	p := start(t, r, func(o *Options) { o.Quota = quota })
	b := p.browse(t, api.Technician)
	for range 3 {
		conn, err := tls.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(b.at, "https://"), api.PathAdmin), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // on loopback
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(conn, "POST "+api.PathAdmin+"/packages/uploads?name=setup.exe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+b.token.Reveal()+
			"\r\nContent-Length: "+strconv.Itoa(quota)+"\r\n\r\nMZ"+strings.Repeat("x", quota/2))
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			defer resp.Body.Close()
		}
		if err == nil && resp.StatusCode != http.StatusBadRequest && resp.StatusCode != 499 {
			t.Errorf("%s", resp.Status)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		p.mustHaveNoUploads(t)
	}
	program := "MZ" + strings.Repeat("x", quota-2)
	deadline := time.Now().Add(time.Minute)
	for {
		_, err := p.Upload(t.Context(), "token:ann", "setup.exe", quota, strings.NewReader(program))
		if err == nil {
			return
		}
		if api.CodeOf(err) != api.CodePackageStoreFull || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// What is in the store and known to nobody goes; what may be needed stays.
func TestStoreIsTidiedUp(t *testing.T) {
	for name, at := range map[string]func(*room){"folder": func(*room) {}, "s3": func(r *room) { r.Store = newJudge(t).address() }} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			at(r)
			p := start(t, r, nil)
			job := p.await(t, p.mustQueue(t, forMacs("spring")), api.PackageReady)
			u, err := p.Upload(t.Context(), "token:ann", "setup.exe", 4, strings.NewReader("MZ__"))
			if err != nil {
				t.Fatal(err)
			}
			mustPut(t, p.store, kitFile(uuid.New(), 1, 0), []byte("of a job that nobody knows"))
			mustPut(t, p.store, kitFile(job.ID, 7, 0), []byte("of a worker that is to come"))
			mustPut(t, p.store, uploadFile(uuid.New()), []byte("of an upload that nobody knows"))
			mustPut(t, p.store, "kits/notes", []byte("of somebody else"))
			if err := p.tidy(t.Context()); err != nil {
				t.Fatal(err)
			}
			mustList(t, p.store, uploadsFolder, uploadFile(u.ID))
			want := []string{kitFile(job.ID, 7, 0), "kits/notes"}
			for n := range job.Files {
				want = append(want, kitFile(job.ID, 1, n))
			}
			names, err := p.store.list(t.Context(), kitsFolder)
			if err != nil || len(names) != len(want) {
				t.Errorf("%q, %v, want %q", names, err, want)
			}
			p.mustBeWhole(t, job)
		})
	}
}

// Each call is for some roles, and a builder touches its own kits alone.
func TestRoles(t *testing.T) {
	p := start(t, newRoom(t), nil)
	job := p.await(t, p.mustQueue(t, forMacs("of ann")), api.PackageReady) // token:ann, who is none of these
	const build = `{"label":"mine","platforms":["macos"]}`
	path := "/packages/" + job.ID.String()
	yes, no := http.StatusOK, http.StatusForbidden
	calls := []struct {
		method, path, body                    string
		owner, technician, auditor, ofBuilder int
	}{
		{"GET", "/packages", "", yes, yes, yes, yes},
		{"GET", path, "", yes, yes, yes, yes},
		{"GET", path + "/files/Acme.pkg", "", yes, yes, no, no},
		{"GET", path + "/kit.zip", "", yes, yes, no, no},
		{"GET", "/packages/uploads", "", yes, yes, no, yes},
		{"POST", "/packages/uploads?name=x.exe", "MZ__", yes, yes, no, yes},
		{"POST", "/packages/uploads/" + uuid.NewString() + "/remove", "", http.StatusNotFound, http.StatusNotFound, no, no},
		{"POST", path + "/retry", "{}", http.StatusConflict, http.StatusConflict, no, no},
		{"POST", "/packages/" + uuid.NewString() + "/cancel", "", http.StatusNotFound, http.StatusNotFound, no, http.StatusNotFound},
		{"POST", "/packages", build, yes, yes, no, yes},
		{"POST", "/packages", `{"platforms":["windows"],"wifi":[{"ssid":"HQ"}]}`, http.StatusBadRequest, http.StatusBadRequest, no, http.StatusBadRequest},
		{"POST", path + "/cancel", "", 0, 0, no, no},
	}
	for role, want := range map[api.Role]func(i int) int{
		api.Owner:      func(i int) int { return calls[i].owner },
		api.Technician: func(i int) int { return calls[i].technician },
		api.Auditor:    func(i int) int { return calls[i].auditor },
		api.Builder:    func(i int) int { return calls[i].ofBuilder },
	} {
		b := p.browse(t, role)
		for i, c := range calls {
			if want(i) == 0 {
				continue
			}
			if resp, data := b.ask(c.method, c.path, strings.NewReader(c.body)); resp.StatusCode != want(i) {
				t.Errorf("%s: %s %s: %s %.200s", role, c.method, c.path, resp.Status, data)
			}
		}
	}
	b := p.browse(t, api.Owner)
	b.token = "fdt_guess"
	for _, c := range calls {
		resp, _ := b.ask(c.method, c.path, strings.NewReader(c.body))
		if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusTooManyRequests {
			t.Errorf("a stranger: %s %s: %s", c.method, c.path, resp.Status)
		}
	}
	// A builder's own kit is the builder's.
	for _, j := range p.all(t) {
		if j.CreatedBy != "token:builder" {
			continue
		}
		p.await(t, j.ID, api.PackageReady)
		if resp, _ := p.browse(t, api.Builder).ask(http.MethodGet, "/packages/"+j.ID.String()+"/kit.zip", nil); resp.StatusCode != yes {
			t.Errorf("its own kit: %s", resp.Status)
		}
		return
	}
	t.Error("the builder built none")
}

// A directory that builds no packages says so.
func TestDirectoryThatBuildsNoPackages(t *testing.T) {
	r := newRoom(t)
	d, err := r.directory(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	b := (&process{room: r, d: d}).browse(t, api.Owner)
	for _, path := range []string{"/packages", "/packages/uploads?name=x.exe", "/packages/" + uuid.NewString() + "/cancel"} {
		if resp, data := b.ask(http.MethodPost, path, strings.NewReader(`{"platforms":["macos"]}`)); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(data), "packages_off") {
			t.Errorf("%s: %s %s", path, resp.Status, data)
		}
	}
}

// The zip is one to other programs, with the names and the time of the kit.
func TestZipIsReadByOthers(t *testing.T) {
	judge := testtool.Need(t, "7zz", "7z")
	r := newRoom(t)
	p := start(t, r, nil)
	r.configure(t, fmt.Sprintf(configured, "https://127.0.0.1:1", p.d.Pin())+"package: {name: Müller & Söhne}\n")
	job := p.await(t, p.mustQueue(t, forMacs("spring")), api.PackageReady)
	name := filepath.Join(t.TempDir(), "kit.zip")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.WriteZip(t.Context(), f, job.ID), f.Close()); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), judge, "t", name).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Everything is Ok") || strings.Contains(string(out), "Warn") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = exec.CommandContext(t.Context(), judge, "l", "-slt", name).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Müller & Söhne.pkg") || !strings.Contains(string(out), "Modified = "+job.ReadyAt.Format("2006-01-02")) {
		t.Errorf("%v\n%s", err, out)
	}
}
