package packages

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

const (
	// zipMode is that of files that are unpacked: a kit holds keys.
	zipMode = 0o600
	// zipUTF8 says that names are UTF-8, and zipVersion what is needed to unpack.
	zipUTF8    = 0x800
	zipVersion = 20
)

// OpenFile opens a file of a kit that is ready.
func (p *Packages) OpenFile(ctx context.Context, id uuid.UUID, name string) (io.ReadSeekCloser, *api.PackageFile, error) {
	job, err := p.kit(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	n := slices.IndexFunc(job.Files, func(f api.PackageFile) bool { return f.Name == name })
	if n < 0 {
		return nil, nil, api.Refuse(api.CodeNotFound, "the kit has no file %.60q", name)
	}
	r, err := p.openNumber(ctx, id, n)
	return r, &job.Files[n], err
}

// kit gives the job whose kit is ready.
func (p *Packages) kit(ctx context.Context, id uuid.UUID) (*api.PackageJob, error) {
	job, err := p.d.PackageJob(ctx, id)
	if err == nil && job.State != api.PackageReady {
		err = api.Refuse(api.CodePackageNotReady, "the job is %s", job.State)
	}
	return job, err
}

func (p *Packages) openNumber(ctx context.Context, id uuid.UUID, n int) (io.ReadSeekCloser, error) {
	place, err := p.d.PackagePlaceOf(ctx, id)
	if err != nil {
		return nil, err
	}
	r, err := p.store.open(ctx, kitFile(id, place.Keep, n))
	if err != nil {
		p.tell(ctx, "a file of a kit cannot be opened", fmt.Errorf("%s: %w", p.store, err))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, api.Refuse(api.CodePackageStore, "it has lost a file of the kit")
		}
		return nil, api.Refuse(api.CodePackageStore, "it did not give the file; the directory's log says why")
	}
	return r, nil
}

// ServeFile sends a file of a kit, or the part of it that is asked for.
func (p *Packages) ServeFile(w http.ResponseWriter, r *http.Request, actor string, id uuid.UUID, name string) error {
	f, info, err := p.OpenFile(r.Context(), id, name)
	if err != nil {
		return err
	}
	defer f.Close()
	if r.Header.Get("Range") == "" {
		if err := p.d.NotePackageDownload(r.Context(), actor, id, name); err != nil {
			return err
		}
	}
	download(w, info.Name, info.SHA256)
	http.ServeContent(w, r, "", time.Time{}, f)
	return nil
}

// download lets a browser keep what is sent as a file, whatever it is.
func download(w http.ResponseWriter, name, sum string) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", disposition(name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "private, no-store")
	h.Set("ETag", strconv.Quote(sum))
}

// disposition names a file as RFC 6266 does: each byte that might mean something
// is escaped.
func disposition(name string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_"
	escaped := make([]byte, 0, len(name))
	for _, c := range []byte(name) {
		if strings.IndexByte(plain, c) >= 0 {
			escaped = append(escaped, c)
		} else {
			escaped = fmt.Appendf(escaped, "%%%02X", c)
		}
	}
	return "attachment; filename*=UTF-8''" + string(escaped)
}

// ServeZip sends a kit as one zip.
func (p *Packages) ServeZip(w http.ResponseWriter, r *http.Request, actor string, id uuid.UUID) error {
	job, err := p.kit(r.Context(), id)
	if err != nil {
		return err
	}
	size, err := zipSize(job)
	if err != nil {
		return err
	}
	// The store is asked before anything is sent: then it can still be refused.
	first, err := p.openNumber(r.Context(), id, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(first.Close(), p.d.NotePackageDownload(r.Context(), actor, id, "kit.zip")); err != nil {
		return err
	}
	download(w, cmp.Or(job.Request.Label, "kit-"+id.String())+".zip", fmt.Sprintf("%s-%d", id, job.ReadyAt.UnixMilli()))
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.WriteHeader(http.StatusOK)
	// Who gets less than was said knows that something is missing.
	p.tell(r.Context(), "a kit was sent in part", p.WriteZip(r.Context(), w, id))
	return nil
}

// WriteZip writes a kit as one zip, of which the same kit always gives the same
// bytes. Nothing in it is compressed: packages are already.
func (p *Packages) WriteZip(ctx context.Context, w io.Writer, id uuid.UUID) error {
	job, err := p.kit(ctx, id)
	if err != nil {
		return err
	}
	return writeZip(w, job, func(n int, to io.Writer) error {
		f, err := p.openNumber(ctx, id, n)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(to, io.LimitReader(f, job.Files[n].Size))
		return err
	})
}

// zipSize gives the size of the zip before it is written. It depends on where in
// it each file begins, so it is written to nowhere.
func zipSize(job *api.PackageJob) (int64, error) {
	var n counter
	err := writeZip(&n, job, func(i int, to io.Writer) error {
		_, err := io.CopyN(to, zeros{}, job.Files[i].Size)
		return err
	})
	return int64(n), err
}

// zeros are without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func writeZip(w io.Writer, job *api.PackageJob, write func(n int, to io.Writer) error) error {
	z := zip.NewWriter(w)
	for n, f := range job.Files {
		h := &zip.FileHeader{
			Name: f.Name, Flags: zipUTF8, Method: zip.Store, ReaderVersion: zipVersion,
			CRC32: f.CRC32, CompressedSize64: uint64(f.Size), UncompressedSize64: uint64(f.Size),
		}
		h.SetMode(zipMode)
		h.SetModTime(job.ReadyAt) //nolint:staticcheck // what is written raw has no other time
		to, err := z.CreateRaw(h)
		if err != nil {
			return err
		}
		if err := write(n, to); err != nil {
			return err
		}
	}
	return z.Close()
}
