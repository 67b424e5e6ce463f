package directory

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// PackageBuilder has packages built, and keeps them and what goes into them.
type PackageBuilder interface {
	Queue(ctx context.Context, actor string, n *api.NewPackage) (*api.PackageJob, error)
	Cancel(ctx context.Context, actor string, id uuid.UUID) error
	Retry(ctx context.Context, actor string, id uuid.UUID, s *api.PackageSecrets) (*api.PackageJob, error)
	Upload(ctx context.Context, actor, name string, size int64, r io.Reader) (*api.PackageUpload, error)
	RemoveUpload(ctx context.Context, actor string, id uuid.UUID) error
	// ServeFile and ServeZip send a file of a kit, or all of them. An error says
	// that nothing was sent.
	ServeFile(w http.ResponseWriter, r *http.Request, actor string, id uuid.UUID, name string) error
	ServeZip(w http.ResponseWriter, r *http.Request, actor string, id uuid.UUID) error
}

// OfferPackages lets the directory build packages. Call it before [Directory.Handler].
func (d *Directory) OfferPackages(b PackageBuilder) { d.packages = b }

// builder gives who builds packages.
func (d *Directory) builder() (PackageBuilder, error) {
	if d.packages == nil {
		return nil, api.Refuse(api.CodePackagesOff, "it was started without a store of kits")
	}
	return d.packages, nil
}

// ofBuilder gives who builds packages to somebody who may touch that job: those
// who only mint keys for CI see the secrets of their own kits alone.
func (d *Directory) ofBuilder(c *caller) (PackageBuilder, error) {
	b, err := d.builder()
	if err != nil || c.token.Role != api.Builder {
		return b, err
	}
	job, err := d.PackageJob(c.Context(), c.id)
	if err == nil && job.CreatedBy != c.actor {
		err = api.Refuse(api.CodeForbidden, "the role %s may touch packages that it asked for itself; this one is %s's", c.token.Role, job.CreatedBy)
	}
	return b, err
}

func (d *Directory) packageRoutes() []route {
	return []route{
		admin(d, "POST /packages", "Have a kit built", minters, func(c *caller, in *api.NewPackage) (*api.PackageJob, error) {
			b, err := d.builder()
			if err != nil {
				return nil, err
			}
			return b.Queue(c.Context(), c.actor, in)
		}),
		admin(d, "GET /packages?before", "List kits that were asked for, the newest first, a page of those before the one named", everybody, func(c *caller, _ *none) (*listOf[*api.PackageJob], error) {
			return list(d.PackageJobs(c.Context(), parseUUID(c.URL.Query().Get("before"))))
		}),
		admin(d, "GET /packages/{id}", "Show what became of a kit that was asked for", everybody, func(c *caller, _ *none) (*api.PackageJob, error) {
			return d.PackageJob(c.Context(), c.id)
		}),
		admin(d, "POST /packages/{id}/cancel", "Build a kit no more, or withdraw it: its keys are revoked and its files deleted", minters, func(c *caller, _ *none) (*none, error) {
			b, err := d.ofBuilder(c)
			if err != nil {
				return nil, err
			}
			return new(none), b.Cancel(c.Context(), c.actor, c.id)
		}),
		admin(d, "POST /packages/{id}/retry", "Build a kit again that failed or was cancelled, with the secrets that it had", minters, func(c *caller, in *api.PackageSecrets) (*api.PackageJob, error) {
			b, err := d.ofBuilder(c)
			if err != nil {
				return nil, err
			}
			return b.Retry(c.Context(), c.actor, c.id, in)
		}),
		d.stream("GET /packages/{id}/files/{name}", "Download a file of a kit; ranges are answered", minters, func(w http.ResponseWriter, c *caller) error {
			b, err := d.ofBuilder(c)
			if err != nil {
				return err
			}
			return b.ServeFile(w, c.Request, c.actor, c.id, c.PathValue("name"))
		}),
		d.stream("GET /packages/{id}/kit.zip", "Download a kit as one zip", minters, func(w http.ResponseWriter, c *caller) error {
			b, err := d.ofBuilder(c)
			if err != nil {
				return err
			}
			return b.ServeZip(w, c.Request, c.actor, c.id)
		}),
		d.uploadRoute(),
		admin(d, "GET /packages/uploads", "List the installers that were uploaded for packages to carry, the newest first", minters, func(c *caller, _ *none) (*listOf[*api.PackageUpload], error) {
			return list(d.PackageUploads(c.Context()))
		}),
		admin(d, "POST /packages/uploads/{id}/remove", "Remove an uploaded installer", keepers, func(c *caller, _ *none) (*none, error) {
			b, err := d.builder()
			if err != nil {
				return nil, err
			}
			return new(none), b.RemoveUpload(c.Context(), c.actor, c.id)
		}),
	}
}

// stream makes a route of what sends a file, of any size and as slowly as its
// reader reads, as long as they do.
func (d *Directory) stream(pattern, summary string, roles []api.Role, send func(http.ResponseWriter, *caller) error) route {
	r := admin(d, pattern, summary, roles, func(*caller, *none) (*none, error) { return new(none), nil })
	r.file = true
	r.handler = func(w http.ResponseWriter, req *http.Request) {
		patient := &patientWriter{ResponseWriter: w, control: http.NewResponseController(w), patience: d.times.request}
		if err := d.streaming(req, roles, func(c *caller) error { return send(patient, c) }); err != nil && !patient.begun {
			d.call(api.MaxMessage, func(*http.Request) (any, error) { return nil, err })(w, req)
		}
	}
	return r
}

func (d *Directory) streaming(r *http.Request, roles []api.Role, f func(*caller) error) error {
	_, err := guarded(func(r *http.Request) (any, error) {
		token, err := d.authorise(r, roles)
		if err != nil {
			return nil, err
		}
		c := &caller{Request: r, token: token, actor: "token:" + token.Name}
		if text := r.PathValue("id"); text != "" {
			if c.id, err = uuid.Parse(text); err != nil {
				return nil, api.Refuse(api.CodeBadRequest, "%.60q is no id", text)
			}
		}
		return nil, f(c)
	}, r)
	return err
}

// uploadRoute takes a file of any size, as slowly as it comes, as long as it does.
func (d *Directory) uploadRoute() route {
	r := admin(d, "POST /packages/uploads?name", "Upload an installer, .msi or .exe, for packages to carry; the body is the file", minters, func(*caller, *none) (*api.PackageUpload, error) { return nil, nil })
	r.file = true
	r.handler = func(w http.ResponseWriter, req *http.Request) {
		var u *api.PackageUpload
		err := d.streaming(req, minters, func(c *caller) error {
			b, err := d.builder()
			if err != nil {
				return err
			}
			if c.ContentLength < 0 {
				return api.Refuse(api.CodeBadRequest, "the request does not say how long the file is")
			}
			body := &patientReader{Reader: c.Body, control: http.NewResponseController(w), patience: d.times.request}
			u, err = b.Upload(c.Context(), c.actor, c.URL.Query().Get("name"), c.ContentLength, body)
			return err
		})
		// The answer gets its own time, and what of the file is left is not waited for.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d.times.request))
		d.call(api.MaxMessage, func(*http.Request) (any, error) { return u, err })(w, req)
	}
	return r
}

// patientReader gives each part of a request's body its time to arrive.
type patientReader struct {
	io.Reader
	control  *http.ResponseController
	patience time.Duration
}

func (p *patientReader) Read(b []byte) (int, error) {
	now := time.Now()
	_ = p.control.SetReadDeadline(now.Add(p.patience))
	_ = p.control.SetWriteDeadline(now.Add(2 * p.patience))
	return p.Reader.Read(b)
}

// patientWriter gives each part of an answer its time to be read.
type patientWriter struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	begun    bool
}

func (p *patientWriter) WriteHeader(status int) {
	p.begun = true
	p.ResponseWriter.WriteHeader(status)
}

func (p *patientWriter) Write(b []byte) (int, error) {
	p.begun = true
	_ = p.control.SetWriteDeadline(time.Now().Add(p.patience))
	return p.ResponseWriter.Write(b)
}
