package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/spf13/pflag"

	"firstday.dev/directory"
)

// operation is how a directory is run: what browsers see, who watches it, and
// what is in front of it.
type operation struct {
	web      directory.Web
	acme     bool
	order    directory.ACME
	acmeRoot string // file
	metrics  string // address
	proxies  []string
}

func (o *operation) flags(f *pflag.FlagSet) {
	f.StringVar(&o.web.CertFile, "tls-cert", "", "PEM file with a certificate that browsers trust, and those above it")
	f.StringVar(&o.web.KeyFile, "tls-key", "", "PEM file with its key")
	f.BoolVar(&o.acme, "acme", false, "get a certificate that browsers trust by ACME; the world must reach the directory at port 443 of its name")
	f.StringVar(&o.order.Directory, "acme-directory", "", "URL of the ACME directory (default: Let's Encrypt)")
	f.StringVar(&o.order.Email, "acme-email", "", "whom the ACME CA may write to")
	f.StringVar(&o.acmeRoot, "acme-root", "", "PEM file with the roots by which the ACME server itself is known (default: the system's)")
	f.StringVar(&o.metrics, "metrics", "", "address to answer Prometheus at, without TLS, such as 127.0.0.1:9464 (default: nowhere)")
	f.StringArrayVar(&o.proxies, "proxy-from", nil, "network of load balancers that speak the PROXY protocol, such as 10.0.0.0/8; repeat for others")
}

// apply says all of it in the directory's terms.
func (o *operation) apply(options *directory.Options) error {
	options.Version, options.Web = version, o.web
	if o.acme {
		options.Web.ACME = &o.order
	} else if o.order.Directory != "" || o.order.Email != "" || o.acmeRoot != "" {
		return usageError{fmt.Errorf("without --acme nothing is ordered")}
	}
	if o.acmeRoot != "" {
		data, err := os.ReadFile(o.acmeRoot)
		if err != nil {
			return err
		}
		o.order.Roots = x509.NewCertPool()
		if !o.order.Roots.AppendCertsFromPEM(data) {
			return usageError{fmt.Errorf("%s holds no certificate in PEM", o.acmeRoot)}
		}
	}
	for _, p := range o.proxies {
		network, err := netip.ParsePrefix(p)
		if err != nil {
			return usageError{fmt.Errorf("%q is no network, such as 10.0.0.0/8", p)}
		}
		options.Proxies = append(options.Proxies, network)
	}
	return nil
}

// serveMetrics answers Prometheus, if it may, until stop is called.
func (o *operation) serveMetrics(ctx context.Context, d *directory.Directory) (stop func() error, err error) {
	if o.metrics == "" {
		return func() error { return nil }, nil
	}
	l, err := net.Listen("tcp", o.metrics)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.ServeMetrics(ctx, l) }()
	d.Log.InfoContext(ctx, "Prometheus finds figures", "address", "http://"+l.Addr().String()+"/metrics")
	return func() error {
		cancel()
		return <-ended
	}, nil
}
