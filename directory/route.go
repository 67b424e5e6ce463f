package directory

import (
	"net/http"
	"reflect"
	"strings"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// route is a call: what serves it, and what the API's document says of it.
type route struct {
	method, path string
	summary      string
	security     string // of the document: token, certificate or nothing
	roles        []api.Role
	query        []string     // names of what may stand there
	in, out      reflect.Type // nil: nothing
	file         bool         // a POST takes a file, a GET gives one
	handler      http.HandlerFunc
}

// none is what a call takes that takes nothing, and answers that has nothing to
// say.
type none struct{}

// listOf is an answer of several.
type listOf[T any] struct {
	Items []T `json:"items"`
}

// list gives [] where there are none.
func list[T any](items []T, err error) (*listOf[T], error) {
	if items == nil {
		items = []T{}
	}
	return &listOf[T]{items}, err
}

// caller is who makes a call, with what stands in its path.
type caller struct {
	*http.Request
	token  *api.Token // who administers
	actor  string     // the same, for the audit log
	device uuid.UUID  // who calls, where a device does
	id     uuid.UUID  // {id} of the path
}

// newRoute makes a route of what answers its call. who finds out who calls.
func newRoute[In, Out any](d *Directory, pattern, summary string, most int64, who func(*http.Request) (*caller, error), answer func(*caller, *In) (*Out, error)) route {
	method, path, _ := strings.Cut(pattern, " ")
	path, query, _ := strings.Cut(path, "?")
	r := route{method: method, path: path, summary: summary, in: typeOf[In](), out: typeOf[Out]()}
	if query != "" {
		r.query = strings.Split(query, "&")
	}
	r.handler = d.call(most, func(req *http.Request) (any, error) {
		c, err := who(req)
		if err != nil {
			return nil, err
		}
		if text := req.PathValue("id"); text != "" {
			if c.id, err = uuid.Parse(text); err != nil {
				return nil, api.Refuse(api.CodeBadRequest, "%.60q is no id", text)
			}
		}
		in := new(In)
		if r.in != nil {
			if in, err = read[In](req); err != nil {
				return nil, err
			}
		}
		return answer(c, in)
	})
	return r
}

func typeOf[T any]() reflect.Type {
	if t := reflect.TypeFor[T](); t != reflect.TypeFor[none]() {
		return t
	}
	return nil
}

// admin is a call of those who have a token with one of the roles.
func admin[In, Out any](d *Directory, pattern, summary string, roles []api.Role, answer func(*caller, *In) (*Out, error)) route {
	method, path, _ := strings.Cut(pattern, " ")
	r := newRoute(d, method+" "+api.PathAdmin+path, summary, api.MaxMessage, func(req *http.Request) (*caller, error) {
		token, err := d.authorise(req, roles)
		if err != nil {
			return nil, err
		}
		return &caller{Request: req, token: token, actor: "token:" + token.Name}, nil
	}, answer)
	r.security, r.roles = "token", roles
	return r
}

// ofDevice is a call that only enrolled devices may make. Whether the device is
// one still, each call finds out itself.
func ofDevice[In, Out any](d *Directory, path, summary string, answer func(*caller, *In) (*Out, error)) route {
	r := newRoute(d, "POST "+path, summary, api.MaxDeviceMessage, func(req *http.Request) (*caller, error) {
		id, err := d.known.device(req)
		return &caller{Request: req, device: id}, err
	}, answer)
	r.security = "certificate"
	return r
}

// ofAnybody is a call that needs no proof of who makes it.
func ofAnybody[In, Out any](d *Directory, pattern, summary string, answer func(*caller, *In) (*Out, error)) route {
	return newRoute(d, pattern, summary, api.MaxDeviceMessage, func(req *http.Request) (*caller, error) { return &caller{Request: req}, nil }, answer)
}

// routes are all calls.
func (d *Directory) routes() []route {
	return append(d.deviceRoutes(), d.adminRoutes()...)
}
