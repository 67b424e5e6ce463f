// Package directory is the organisation's service: it takes devices that bring
// a connect key, tells them their settings, and keeps account of who did what.
// It lives in SQLite or, with several replicas, in PostgreSQL.
package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Options say where a directory lives.
type Options struct {
	// Organisation is whose directory it is: the name on the button.
	Organisation string
	// Database is a file for SQLite, or the URL of PostgreSQL (postgres://…).
	Database string
	// KeyFile holds the key that seals secrets in the database; it is made if
	// there is none. Replicas share it.
	KeyFile string
	// Names are the host names and addresses by which devices reach it.
	Names []string
	// PagesURL is where people find the sign-in pages, without a slash at the
	// end: https://directory.acme.example:8443.
	PagesURL string
	// Logo is the organisation's, a PNG; nil: there is none.
	Logo []byte
	// Web is how it shows itself to browsers.
	Web Web
	// Proxies are the networks of load balancers that tell whom they pass on, by
	// the PROXY protocol.
	Proxies []netip.Prefix
	// Version is the program's, for its metrics.
	Version string
	Log     *slog.Logger
	// Now is the clock; nil: the system's.
	Now func() time.Time
}

// Directory is one replica of the service. Its methods may be called at once.
type Directory struct {
	Options
	store     *store
	seal      *seal
	ca        *authority
	known     *certificates
	views     views
	seen      seen
	news      news
	auditMark auditMark

	limits    limits
	strangers strangers
	metrics   *metrics
	times     times
	web       webCertificate // nil: browsers see the own CA's
	outside   *http.Client   // for providers
	mounted   map[string]http.Handler
	parties   relyingParties
	packages  PackageBuilder // nil: it builds none

	background sync.WaitGroup
	closing    context.Context // ends when the directory closes
	stop       context.CancelFunc
}

// maxOrganisation bounds the organisation's name, in bytes.
const maxOrganisation = 200

// Open opens the database, or makes a directory in an empty one.
func Open(ctx context.Context, o Options) (*Directory, error) {
	if o.Organisation == "" || len(o.Organisation) > maxOrganisation || strings.ContainsFunc(o.Organisation, unicode.IsControl) {
		return nil, fmt.Errorf("the organisation's name is missing, longer than %d bytes, or holds control characters", maxOrganisation)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Directory{Options: o, limits: newLimits(), times: patience, outside: newOutside(patience.provider)}
	d.views.init()
	d.seen.init()
	d.strangers.init()
	d.auditMark.wake = make(chan struct{}, 1)
	var err error
	if d.seal, err = openSeal(o.KeyFile); err != nil {
		return nil, err
	}
	if d.store, err = openStore(ctx, o.Database); err != nil {
		return nil, err
	}
	if err := errors.Join(d.fillFleet(ctx), d.fillUsers(ctx), d.openAuthority(ctx)); err != nil {
		return nil, errors.Join(err, d.store.close())
	}
	d.known = newCertificates(d.ca)
	if err := d.openWeb(); err != nil {
		return nil, errors.Join(err, d.store.close())
	}
	d.metrics = newMetrics(d)
	d.closing, d.stop = context.WithCancel(context.WithoutCancel(ctx))
	d.background.Go(func() { d.keepSeen(d.closing) })
	d.background.Go(func() { d.keepAuditMark(d.closing) })
	if d.store.postgres {
		d.background.Go(func() { d.listen(d.closing) })
	}
	return d, nil
}

// Close ends what runs in the background, and writes what is not written yet.
func (d *Directory) Close() error {
	d.stop()
	d.background.Wait()
	d.outside.CloseIdleConnections()
	return d.store.close()
}

func (d *Directory) now() time.Time {
	if d.Now != nil {
		return d.Now().UTC()
	}
	return time.Now().UTC()
}
