package console

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"firstday.dev/api"
	"firstday.dev/directory"
)

// page is what a route gives: something to look at, to go to, or to keep.
type page struct {
	// Title is what the page is, such as Devices. Of is the name of the one thing
	// that it is about, and its heading then; it is data, whatever it says.
	Title sentence
	Of    string
	// Up is where the one thing is one of many.
	Up link
	// Template is the file below pages/, without .html. Data is what it shows.
	Template string
	Data     any
	// Topics are those of whose news the page wants to hear.
	Topics []directory.Topic
	// Framed pages may be shown within others of ours.
	Framed bool
	// Private pages have an address that is a secret: no other hears of it.
	Private bool
	// Scripts are further ones of assets/ that the page has, such as passkey.js.
	Scripts []string

	status   int // of HTTP; 0: 200
	failure  *failure
	cookies  []*http.Cookie
	to       string // where to go instead
	said     *said
	download *download
}

// link is an address of the console, and what it is.
type link struct {
	To   string
	Text sentence
}

// failure is what went wrong.
type failure struct {
	Code       api.Code
	Sentence   sentence
	Detail     string
	Request    string // by which it is found in the log
	RetryAfter int    // seconds
}

// download is a file to keep. It is written while it is made.
type download struct {
	Name, Type string
	Size       int64 // 0: not known
	Write      func(context.Context, io.Writer) error
}

// downloadTime is how long one piece of a download may take to be read.
const downloadTime = 30 * time.Second

func (c *Console) download(w http.ResponseWriter, v *visit, file *download) {
	header := w.Header()
	header.Set("Content-Type", file.Type)
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Name}))
	if file.Size > 0 {
		header.Set("Content-Length", fmt.Sprint(file.Size))
	}
	if err := file.Write(v.Context(), &slowly{w, http.NewResponseController(w)}); err != nil {
		if v.Context().Err() == nil {
			c.log.ErrorContext(v.Context(), "a download ended too early", "path", v.URL.Path, "error", err)
		}
		panic(http.ErrAbortHandler) // whoever reads must not take it for the whole
	}
}

// slowly lets who reads have time for each piece, not for the whole.
type slowly struct {
	io.Writer
	control *http.ResponseController
}

func (s *slowly) Write(p []byte) (int, error) {
	if err := s.control.SetWriteDeadline(time.Now().Add(downloadTime)); err != nil {
		return 0, err
	}
	return s.Writer.Write(p)
}

// view is what templates show.
type view struct {
	*page
	Organisation  string
	Logo          bool
	Administrator *api.Admin
	Rooms         []room
	Languages     []*language
	Language      *language
	Here          string // the address of the page
	Said          *said
	Failure       *failure
	visit         *visit
}

// room is a line of the navigation.
type room struct {
	link
	Icon    string
	Current string // of aria-current
	roles   []api.Role
}

// rooms are those of the console, in the order of the navigation. One without pages
// is not shown.
var rooms = []room{
	{link: link{Path, "Home"}, Icon: "home", roles: readers},
	{link: link{Path + "devices", "Devices"}, Icon: "devices", roles: readers},
	{link: link{Path + "users", "Users"}, Icon: "users", roles: readers},
	{link: link{Path + "keys", "Connect keys"}, Icon: "keys", roles: readers},
	{link: link{Path + "orders", "Orders"}, Icon: "orders", roles: readers},
	{link: link{Path + "packages", "Packages"}, Icon: "packages", roles: readers},
	{link: link{Path + "settings", "Settings"}, Icon: "settings", roles: readers},
	{link: link{Path + "administrators", "Administrators"}, Icon: "administrators", roles: []api.Role{api.Owner, api.Auditor}},
	{link: link{Path + "audit", "Audit log"}, Icon: "audit", roles: []api.Role{api.Owner, api.Auditor}},
}

func (v *visit) show(p *page, said *said) *view {
	if v.Method != http.MethodGet {
		p.Topics = nil // its address gives another page, without what was typed
	}
	w := &view{
		page: p, Organisation: v.console.directory.Organisation, Logo: v.console.directory.Logo != nil, Administrator: v.Administrator,
		Languages: v.console.languages, Language: v.language, Here: v.back(), Said: said, Failure: p.failure, visit: v,
	}
	for _, r := range rooms {
		if !v.may(r.roles) || !v.console.has("GET", r.To) {
			continue
		}
		if v.URL.Path == r.To || r.To != Path && strings.HasPrefix(v.URL.Path, r.To+"/") {
			r.Current = "page"
			if v.URL.Path != r.To {
				r.Current = "true"
			}
		}
		w.Rooms = append(w.Rooms, r)
	}
	return w
}

// has tells whether there is a page.
func (c *Console) has(method, path string) bool {
	for _, r := range c.table {
		if r.method == method && Path+strings.TrimSuffix(r.path, "{$}") == path {
			return true
		}
	}
	return false
}

// address is where a page is, such as keys/{id}; empty: the console has none.
func (c *Console) address(path, id string) string {
	if !c.has(http.MethodGet, Path+path) {
		return ""
	}
	return Path + strings.ReplaceAll(path, "{id}", id)
}

// May tells templates whether who looks may do what a form of the address does.
func (w *view) May(path string) bool {
	for _, r := range w.visit.console.table {
		if r.method == http.MethodPost && r.path == path {
			return w.visit.may(r.roles)
		}
	}
	panic("no form is sent to " + path)
}

// Typed is what stands in a field: what was typed, if the form was sent already.
func (w *view) Typed(name, otherwise string) string {
	v := w.visit
	if v.Method != http.MethodPost || v.PostForm == nil {
		return otherwise
	}
	return v.form(name)
}

// Chosen tells whether a field of several has a value.
func (w *view) Chosen(name, value string, otherwise bool) bool {
	v := w.visit
	if v.Method != http.MethodPost || v.PostForm == nil {
		return otherwise
	}
	for _, chosen := range v.forms(name) {
		if chosen == value {
			return true
		}
	}
	return false
}

// Wrong is what is wrong with a field; nil: nothing.
func (w *view) Wrong(name string) *said {
	if wrong, found := w.visit.wrongs[name]; found {
		return &wrong
	}
	return nil
}

// Wrongs tells how many fields have something wrong.
func (w *view) Wrongs() int { return len(w.visit.wrongs) }

// Asked is a parameter of the address.
func (w *view) Asked(name string) string { return clean(w.visit.query().Get(name)) }
