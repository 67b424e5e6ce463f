package main

import (
	"context"
	"crypto/rand"
	"html/template"
	"log"
	"net/http"
	"sync"

	"github.com/pquerna/otp/totp"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// login is somebody whose password was right, and whose code is asked for.
type login struct{ request, user string }

// pages are what people see of the provider.
type pages struct {
	store    *store
	callback func(context.Context, string) string

	mu      sync.Mutex
	waiting map[string]login
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}} – Example Identity</title></head>
<body><h1>{{.Title}}</h1>
{{with .Error}}<p role="alert">{{.}}</p>{{end}}
<form method="post" action="{{.Action}}">
<input type="hidden" name="id" value="{{.ID}}">
{{range .Fields}}<p><label>{{.Label}} <input id="{{.Name}}" name="{{.Name}}" type="{{.Type}}" autocomplete="{{.Fill}}" required></label></p>
{{end}}<button id="next" type="submit">Next</button>
</form></body></html>
`))

type field struct{ Name, Label, Type, Fill string }

type form struct {
	Title, Error, Action, ID string
	Fields                   []field
}

func (p *pages) serve(mux *http.ServeMux, issuer *op.IssuerInterceptor) {
	mux.HandleFunc("GET /login/username", func(w http.ResponseWriter, r *http.Request) {
		askPassword(w, r.URL.Query().Get("authRequestID"), "")
	})
	mux.HandleFunc("POST /login/username", p.takePassword)
	mux.Handle("POST /login/code", issuer.Handler(http.HandlerFunc(p.takeCode)))
}

func show(w http.ResponseWriter, f form) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err := page.Execute(w, f); err != nil {
		log.Print(err)
	}
}

func askPassword(w http.ResponseWriter, request, wrong string) {
	show(w, form{"Sign in", wrong, "/login/username", request, []field{{"username", "Name", "text", "username"}, {"password", "Password", "password", "current-password"}}})
}

func askCode(w http.ResponseWriter, id, wrong string) {
	show(w, form{"Your second factor", wrong, "/login/code", id, []field{{"code", "Code of your app", "text", "one-time-code"}}})
}

func (p *pages) takePassword(w http.ResponseWriter, r *http.Request) {
	request, name := r.PostFormValue("id"), r.PostFormValue("username")
	if err := p.store.CheckUsernamePasswordSimple(name, r.PostFormValue("password")); err != nil {
		askPassword(w, request, err.Error())
		return
	}
	id := rand.Text()
	p.mu.Lock()
	p.waiting[id] = login{request, name}
	p.mu.Unlock()
	askCode(w, id, "")
}

func (p *pages) takeCode(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("id")
	p.mu.Lock()
	waiting, ok := p.waiting[id]
	p.mu.Unlock()
	if !ok {
		http.Error(w, "sign in first", http.StatusForbidden)
		return
	}
	u := p.store.people.named(waiting.user)
	if !totp.Validate(r.PostFormValue("code"), u.TOTP) {
		askCode(w, id, "that is not the code")
		return
	}
	if err := p.store.CheckUsernamePassword(u.Name, u.Password, waiting.request); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	p.mu.Lock()
	delete(p.waiting, id)
	p.mu.Unlock()
	http.Redirect(w, r, p.callback(r.Context(), waiting.request), http.StatusFound)
}
