package console

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	stdpath "path"
	"runtime/debug"
	"slices"
	"strings"

	"firstday.dev/api"
)

// route is a page, or what a form does.
type route struct {
	method string // GET or POST
	path   string // below Path, such as keys/{id}
	// roles are who may. Nobody in it: whoever comes, signed in or not.
	roles []api.Role
	// fresh asks for a proof of who sits there that is not older than api.ConsoleProof.
	fresh bool
	// most bounds what is sent, in bytes; 0: maxForm.
	most  int64
	serve func(*visit) (*page, error)
}

// Who may do what.
var (
	readers = []api.Role{api.Owner, api.Technician, api.Auditor}
	keepers = []api.Role{api.Owner, api.Technician}
	owners  = []api.Role{api.Owner}
)

// maxForm bounds what a form sends, in bytes.
const maxForm = 64 << 10

// Where people sign in, and where they prove who they are once more. Both are told
// in to=PATH where to go on.
const (
	pathSignIn = Path + "sign-in"
	pathProve  = Path + "prove"
)

func nowhere(v *visit) (*page, error) {
	return nil, api.Refuse(api.CodeNotFound, "there is no page %.100q", v.URL.Path)
}

// serve makes a handler of a route.
func (c *Console) serve(r route) http.Handler {
	most := r.most
	if most == 0 {
		most = maxForm
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		req.Body = http.MaxBytesReader(w, req.Body, most)
		v := &visit{Request: req, console: c, language: c.choose(req)}
		p, err := c.answer(v, r)
		if req.Context().Err() != nil && err != nil {
			return // nobody looks any more
		}
		if err != nil {
			p = v.problem(p, err)
		}
		c.write(w, v, p)
	})
}

// answer asks who comes, then gives the page.
func (c *Console) answer(v *visit, r route) (p *page, err error) {
	defer func() {
		if thrown := recover(); thrown != nil { // a mistake of ours ends one request
			err = fmt.Errorf("panic: %v\n%s", thrown, debug.Stack())
		}
	}()
	signedOut := c.attend(v)
	if len(r.roles) > 0 {
		if signedOut != nil {
			return c.leadToSignIn(v, signedOut)
		}
		if !slices.Contains(r.roles, v.Administrator.Role) {
			return nil, api.Refuse(api.CodeForbidden, "the role %s may not; %v may", v.Administrator.Role, r.roles)
		}
		if r.fresh && !c.directory.Proved(v.Session) {
			return &page{to: pathProve + "?" + url.Values{"to": {v.back()}}.Encode()}, nil
		}
	}
	if v.Method == http.MethodPost {
		if err := v.readForm(); err != nil {
			return nil, err
		}
	}
	return r.serve(v)
}

// attend finds out who comes. Pages for whoever comes do without.
func (c *Console) attend(v *visit) error {
	s, err := c.directory.ConsoleSession(v.Request)
	if err != nil {
		return err
	}
	v.Session, v.Administrator = s, s.Administrator
	return nil
}

// leadToSignIn leads to where people sign in. Only refusals do: when the database does
// not answer, nobody is signed out.
func (c *Console) leadToSignIn(v *visit, err error) (*page, error) {
	var refused *api.Error
	if !errors.As(err, &refused) {
		return nil, err
	}
	return &page{to: pathSignIn + "?" + url.Values{"to": {v.back()}}.Encode()}, nil
}

// back is the page to come back to: this one, or that of the form that was sent.
func (v *visit) back() string {
	if v.Method == http.MethodGet {
		return v.URL.RequestURI()
	}
	if from, err := url.Parse(v.Referer()); err == nil && from.Host == v.Host {
		if path := from.RequestURI(); local(path) {
			return path
		}
	}
	return Path
}

// local tells addresses of the console from those that lead elsewhere.
func local(path string) bool {
	u, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(path, Path) || strings.ContainsAny(u.Path, "\\\r\n\t") {
		return false
	}
	return strings.HasPrefix(stdpath.Clean(u.Path)+"/", Path)
}

// refuseForeign answers forms of other sites, as browsers say where they come from.
func (c *Console) refuseForeign() http.Handler {
	return c.serve(route{serve: func(*visit) (*page, error) {
		return nil, api.Refuse(api.CodeForbidden, "the form came from another site")
	}})
}

// What browsers may do with pages: show our own styles and pictures, run our own
// scripts, send forms here. Pages that are shown within others say so.
const (
	contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors "
	inNoFrame             = "'none'"
	inOwnFrame            = "'self'"
)

// protect sets the headers of every page.
func protect(header http.Header, framed bool) {
	ancestors, options := inNoFrame, "DENY"
	if framed {
		ancestors, options = inOwnFrame, "SAMEORIGIN"
	}
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", contentSecurityPolicy+ancestors)
	header.Set("X-Frame-Options", options)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Vary", "Cookie, Accept-Language")
}

// write sends what a visit came to.
func (c *Console) write(w http.ResponseWriter, v *visit, p *page) {
	header := w.Header()
	protect(header, p.Framed)
	if p.Private {
		header.Set("Referrer-Policy", "no-referrer")
	}
	for _, cookie := range p.cookies {
		http.SetCookie(w, cookie)
	}
	switch {
	case p.download != nil:
		c.download(w, v, p.download)
		return
	case p.to != "":
		if p.said != nil {
			http.SetCookie(w, p.said.cookie())
		}
		http.Redirect(w, v.Request, p.to, http.StatusSeeOther)
		return
	}
	said, spent := v.said()
	var out bytes.Buffer
	if err := v.language.write(&out, v.show(p, said)); err != nil {
		c.log.ErrorContext(v.Context(), "a page cannot be written", "page", p.Template, "error", err)
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	if spent != nil {
		http.SetCookie(w, spent)
	}
	header.Set("Content-Type", "text/html; charset=utf-8")
	if p.status != 0 {
		w.WriteHeader(p.status)
	}
	_, _ = out.WriteTo(w) // who does not read it asks again
}

// problem says what went wrong: on the page that was sent, if there is one, so that
// it can be sent again.
func (v *visit) problem(p *page, err error) *page {
	request := rand.Text()[:12]
	var refused *api.Error
	log := v.console.log.With("request", request, "path", v.URL.Path)
	if !errors.As(err, &refused) {
		refused = &api.Error{Code: api.CodeInternal}
		if v.console.directory.Unavailable(err) {
			refused.Code = api.CodeUnavailable
		}
		log.ErrorContext(v.Context(), "a page of the console failed", "error", err)
	} else {
		log.InfoContext(v.Context(), "refused", "code", refused.Code, "detail", refused.Detail)
	}
	if p == nil {
		p = &page{Title: "This did not work", Template: "problem"}
	}
	what := api.Explain(refused.Code)
	p.status = what.Status
	p.failure = &failure{Code: refused.Code, Sentence: sentence(what.IT), Detail: refused.Detail, Request: request, RetryAfter: refused.RetryAfter}
	return p
}
