package directory

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"

	"firstday.dev/api"
)

//go:embed pages
var pageFiles embed.FS

// page is what a template shows.
type page struct {
	Title        string
	Organisation string
	Logo         bool
	HelpURL      string
	Error        string
	Code         api.Code // of the error
	Request      string   // id, by which IT finds it in the log

	Device      *pageDevice
	UserCode    string
	Local       bool // whether the directory has passwords of its own
	Name        string
	QR          template.URL
	Secret      string
	Codes       []string
	Number      string
	MinPassword int
	Providers   []pageProvider
	Continue    string // where the page leads by itself

	template string
	status   int // of HTTP; 0: 200
	cookie   *http.Cookie
	next     bool // the step that the session has now, instead of a page
}

// pageDevice is the device that asks, as its user may recognise it.
type pageDevice struct{ Name, Model, Serial string }

// pageProvider is an identity provider that people may sign in with.
type pageProvider struct{ ID, Name string }

// pageTemplates are parsed once; a mistake in one ends every program that has
// them, and so every test.
var pageTemplates = parsePages("code", "login", "continue", "totp", "password", "enrol", "recovery", "confirm", "done", "problem")

func parsePages(names ...string) map[string]*template.Template {
	layout := template.Must(template.ParseFS(pageFiles, "pages/layout.html"))
	all := make(map[string]*template.Template)
	for _, name := range names {
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(pageFiles, "pages/"+name+".html"))
	}
	return all
}

// maxForm bounds what a page sends, in bytes.
const maxForm = 16 << 10

// contentSecurityPolicy allows nothing but our own style and pictures, and forms
// that are sent here. There is no script anywhere.
const contentSecurityPolicy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// pageCalls are the pages that people see.
func (d *Directory) pageCalls(mux *http.ServeMux) {
	style, err := fs.ReadFile(pageFiles, "pages/style.css")
	if err != nil {
		panic(err) // it is embedded
	}
	mux.HandleFunc("GET "+api.PathPages+"/style.css", static("text/css; charset=utf-8", style))
	if d.Logo != nil {
		mux.HandleFunc("GET "+api.PathPages+"/logo.png", static("image/png", d.Logo))
	}
	// Forms of other sites are refused by what browsers say of where they come
	// from.
	own := http.NewCrossOriginProtection()
	own.SetDenyHandler(d.page(func(*http.Request) (*page, error) {
		return nil, api.Refuse(api.CodeForbidden, "the form came from another site")
	}))
	serve := func(pattern string, f func(*http.Request) (*page, error)) {
		mux.Handle(pattern, own.Handler(d.page(f)))
	}
	serve("GET "+api.PathPages, d.firstPage)
	serve("POST "+api.PathPages+"/login", d.logIn)
	serve("POST "+api.PathPages+"/provider", d.chooseProvider)
	serve("GET "+api.PathCallback+"/{provider}", d.takeCallback)
	serve("GET "+api.PathPages+"/step", d.showStep)
	serve("POST "+api.PathPages+"/step", d.takeStep)
}

func static(kind string, content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		header := w.Header()
		header.Set("Content-Type", kind)
		header.Set("Cache-Control", "max-age=3600")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		_, _ = w.Write(content)
	}
}

// page makes a handler of a function that gives a page, or refuses one.
func (d *Directory) page(f func(*http.Request) (*page, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		p, err := guarded(f, r)
		if r.Context().Err() != nil && err != nil {
			return // nobody looks any more
		}
		if err != nil {
			p = d.problemPage(r, p, err)
		}
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Security-Policy", contentSecurityPolicy)
		header.Set("X-Frame-Options", "DENY")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		if p.cookie != nil {
			http.SetCookie(w, p.cookie)
		}
		if p.next {
			http.Redirect(w, r, api.PathPages+"/step", http.StatusSeeOther)
			return
		}
		p.Organisation, p.Logo, p.MinPassword = d.Organisation, d.Logo != nil, api.MinPassword
		var out bytes.Buffer
		if err := pageTemplates[p.template].ExecuteTemplate(&out, "page", p); err != nil {
			d.Log.ErrorContext(r.Context(), "a page cannot be written", "page", p.template, "error", err)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		header.Set("Content-Type", "text/html; charset=utf-8")
		if p.status != 0 {
			w.WriteHeader(p.status)
		}
		_, _ = out.WriteTo(w)
	})
}

// problemPage says what went wrong: on the page that was sent, if there is one,
// so that it can be sent again.
func (d *Directory) problemPage(r *http.Request, p *page, err error) *page {
	refused := d.refusal(r, rand.Text()[:12], err)
	problem := api.Explain(refused.Code)
	if p == nil {
		p = &page{template: "problem", Title: "This did not work"}
	}
	p.Error, p.Code, p.Request, p.status = problem.Employee, refused.Code, refused.Request, problem.Status
	if refused.RetryAfter > 0 {
		p.Error += " (" + strconv.Itoa(refused.RetryAfter) + " s)"
	}
	return p
}

// describe gives the device of a sign-in, as people may recognise it.
func (d *Directory) describe(ctx context.Context, s *signIn) (*pageDevice, error) {
	v, err := d.Device(ctx, s.device)
	if err != nil {
		return nil, err
	}
	model := strings.TrimSpace(v.Facts.Manufacturer + " " + v.Facts.Model)
	return &pageDevice{v.Facts.Name, model, v.Facts.Serial}, nil
}
