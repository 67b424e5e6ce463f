// Package console is where administrators work: pages on the directory, made on
// the server, that work without scripts and change by themselves with one.
package console

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"firstday.dev/api"
	"firstday.dev/directory"
)

// Path is where the console lies on the directory.
const Path = api.PathConsole

// Console answers whatever is asked for below [Path].
type Console struct {
	directory *directory.Directory
	log       *slog.Logger
	languages []*language
	table     []route
	mux       *http.ServeMux
}

// New makes the console of a directory, in all languages that there are.
func New(d *directory.Directory) (*Console, error) {
	languages, err := readLanguages()
	if err != nil {
		return nil, err
	}
	return newConsole(d, languages)
}

func newConsole(d *directory.Directory, languages []*language) (*Console, error) {
	c := &Console{directory: d, log: d.Log, languages: languages, mux: http.NewServeMux()}
	for _, l := range languages {
		if err := l.parse(); err != nil {
			return nil, fmt.Errorf("the pages in %s: %w", l.Name, err)
		}
	}
	own := http.NewCrossOriginProtection()
	own.SetDenyHandler(c.refuseForeign())
	c.table = c.routes()
	for _, r := range c.table {
		c.mux.Handle(r.method+" "+Path+r.path, own.Handler(c.serve(r)))
	}
	c.mux.HandleFunc("GET "+Path+"events", c.events)
	c.mux.Handle("GET "+assetPath, serveAssets())
	c.mux.Handle("GET "+windowPath, serveWindow())
	c.mux.Handle(Path, c.serve(route{serve: nowhere}))
	return c, nil
}

// ServeHTTP answers.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// routes are all pages and forms of the console.
func (c *Console) routes() []route {
	return slices.Concat(c.frameRoutes(), c.homeRoutes(), c.deviceRoutes(), c.keyRoutes(), c.auditRoutes(), c.signInRoutes(), c.accountRoutes(), c.administratorRoutes(), c.tokenRoutes(), c.userRoutes(), c.orderRoutes(), c.settingsRoutes(), c.providerRoutes())
}
