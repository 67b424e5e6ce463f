package simulate

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

//go:embed window
var windowFiles embed.FS

// Window shows a device's screen in browsers on this machine, so that IT sees
// what employees will see: the same [signin.Screen] that the real surfaces draw,
// the accounts beside it, and what happens behind it. It answers only those who
// know its address with the key in it.
type Window struct {
	m      *Machine
	origin string // of the page
	key    string

	mu      sync.Mutex
	changed chan struct{} // closed when there is something new
	screen  signin.Screen
	shown   *signin.Machine
	events  []Event
}

// NewWindow makes one that remembers what happens, see [Window.Tell].
func NewWindow() *Window {
	return &Window{key: rand.Text(), changed: make(chan struct{}), screen: signin.Screen{State: signin.Hidden}}
}

// maxEvents bounds those that a window remembers.
const maxEvents = 2000

// Tell adds to what happens behind the screen.
func (w *Window) Tell(e Event) {
	w.change(func() {
		if len(w.events) < maxEvents {
			w.events = append(w.events, e)
		}
	})
}

func (w *Window) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.changed)
	w.changed = make(chan struct{})
}

// Serve shows a device until the context ends. It tells the address to open as
// soon as it answers there.
func (w *Window) Serve(ctx context.Context, m *Machine, l net.Listener, at func(address string)) error {
	w.m, w.origin = m, "http://"+l.Addr().String()
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &http.Server{
		Handler: w.handler(), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return running },
	}
	ended := make(chan error, 2)
	go func() { ended <- s.Serve(l) }()
	go func() { ended <- m.watch(running, w.show) }()
	at(w.origin + "/?key=" + w.key)
	failed := <-ended // or the context ended
	cancel()
	err := s.Close()
	<-ended //nolint:errcheck // it ended because the other did
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(failed, err)
}

// show takes the screen as the device has it.
func (w *Window) show(shown *signin.Machine, s signin.Screen) error {
	w.m.tellScreen(&s)
	w.change(func() { w.shown, w.screen = shown, s })
	return nil
}

// The pages hold nothing of others, and no script but ours.
const windowPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (w *Window) handler() http.Handler {
	files, err := fs.Sub(windowFiles, "window")
	if err != nil {
		panic(err) // it is embedded
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /state", w.stream)
	mux.HandleFunc("POST /act", posted(w.act))
	mux.HandleFunc("POST /login", posted(w.login))
	mux.HandleFunc("POST /restart", posted(w.restart))
	protected := http.NewCrossOriginProtection().Handler(w.admit(mux))
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("Content-Security-Policy", windowPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		protected.ServeHTTP(rw, r)
	})
}

const windowCookie = "firstday-window"

// admit lets in who brings the key in the address, and then in a cookie. The host
// must be the one that was told: a name that somebody points here is not.
func (w *Window) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if "http://"+r.Host != w.origin {
			http.Error(rw, "no such host", http.StatusMisdirectedRequest)
			return
		}
		if key := r.URL.Query().Get("key"); w.isKey(key) {
			http.SetCookie(rw, &http.Cookie{Name: windowCookie, Value: key, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
			http.Redirect(rw, r, "/", http.StatusSeeOther)
			return
		}
		if cookie, err := r.Cookie(windowCookie); err != nil || !w.isKey(cookie.Value) {
			http.Error(rw, "open the address that firstday simulate told, with its key", http.StatusForbidden)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

func (w *Window) isKey(s string) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(w.key)) == 1
}

// view is what a browser draws.
type view struct {
	Device   Device         `json:"device"`
	Screen   *signin.Screen `json:"screen"`
	QR       *picture       `json:"qr,omitempty"`
	Accounts []shownAccount `json:"accounts"`
	Events   []Event        `json:"events"` // those that are new
}

// shownAccount is one of the accounts that a sign-in screen lists.
type shownAccount struct {
	Name     string `json:"name"`
	FullName string `json:"fullName"`
}

// stream sends a view now and whenever there is another, as server-sent events.
func (w *Window) stream(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(rw)
	sent := 0
	for {
		w.mu.Lock()
		changed, screen := w.changed, w.screen
		v := view{Screen: &screen, Events: slices.Clone(w.events[sent:])}
		sent = len(w.events)
		w.mu.Unlock()
		if err := w.complete(r.Context(), &v); err != nil {
			return
		}
		b, err := json.Marshal(&v)
		if err != nil {
			return
		}
		if _, err = rw.Write(slices.Concat([]byte("data: "), b, []byte("\n\n"))); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// complete adds what is not the screen's.
func (w *Window) complete(ctx context.Context, v *view) error {
	v.Device, v.QR = w.m.Device(), draw(v.Screen.QR)
	list, err := w.m.accounts.List(ctx)
	v.Accounts = []shownAccount{}
	for _, a := range list {
		if !a.Disabled {
			v.Accounts = append(v.Accounts, shownAccount{a.Name, a.FullName})
		}
	}
	return err
}

// maxPosted bounds what a browser sends, in bytes.
const maxPosted = 16 << 10

// posted answers a call that takes JSON. What is wrong is for the person in front
// of the browser.
func posted[In any](answer func(context.Context, *In) error) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		in := new(In)
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxPosted))
		if err == nil {
			err = json.Unmarshal(body, in)
		}
		if err != nil {
			http.Error(rw, "malformed", http.StatusBadRequest)
			return
		}
		switch err := answer(r.Context(), in); {
		case err == nil:
			rw.WriteHeader(http.StatusNoContent)
		case errors.Is(err, signin.ErrStale):
			http.Error(rw, err.Error(), http.StatusConflict)
		default:
			http.Error(rw, err.Error(), http.StatusUnprocessableEntity)
		}
	}
}

// pressed is what a person did on the screen with the serial number.
type pressed struct {
	Serial int64             `json:"serial"`
	Name   signin.ActionName `json:"name"`
	Fields map[string]string `json:"fields"`
}

func (w *Window) act(ctx context.Context, p *pressed) error {
	w.mu.Lock()
	shown := w.shown
	w.mu.Unlock()
	if shown == nil || p.Serial == 0 {
		return signin.ErrStale
	}
	return shown.Act(ctx, signin.Action{Serial: p.Serial, Name: p.Name, Fields: p.Fields})
}

// login tries the password of an account, as the system's own sign-in would.
func (w *Window) login(_ context.Context, in *struct {
	Name     string     `json:"name"`
	Password api.Secret `json:"password"`
}) error {
	if !w.m.accounts.CheckPassword(in.Name, in.Password.Reveal()) {
		w.m.told.note(StepAccount, in.Name+" cannot sign in", "the password is wrong")
		return errors.New("The password is incorrect. Try again.") //nolint:staticcheck // a person reads it
	}
	w.m.told.good(StepAccount, in.Name+" signs in, and sees the desktop", "")
	return nil
}

func (w *Window) restart(ctx context.Context, _ *struct{}) error {
	return w.m.reboot(context.WithoutCancel(ctx), "somebody restarts the device")
}
