package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/api"
	"firstday.dev/directory"
	"firstday.dev/directory/console"
)

// databaseVariable holds the URL of PostgreSQL, which may have a password in it.
const databaseVariable = "FIRSTDAY_DATABASE"

// What lies in the directory's data folder.
const (
	databaseFile = directory.DatabaseName
	sealKeyFile  = directory.KeyName
	ownerFile    = "owner.json"
)

// ownerTokenLife is how long the token in owner.json holds.
const ownerTokenLife = 30 * 24 * time.Hour

func newServe() *cobra.Command {
	var o directory.Options
	var run operation
	var building packaging
	var data, listen, logo string
	var debug bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the organisation's directory",
		Long: `Serve runs the directory that devices enrol with. It keeps all in one folder: an
SQLite database, and the key that seals the secrets in it. Where the environment
variable FIRSTDAY_DATABASE holds the URL of a PostgreSQL database, that is used,
and several replicas may share it, and a copy of the key.

The first start makes a CA, whose pin packages carry, and lets its owner in: the
file owner.json of the folder is for firstday login. So does each start when no
owner's token holds any more: who has the folder is never locked out. While no
owner can sign in to the console, each start prints a link, good once and for an
hour, by which somebody becomes the first one.

Devices know the directory by its pin. Browsers, on the same port, see a
certificate that they trust where one is given with --tls-cert and --tls-key,
which are read again when they change, or is got with --acme. Load balancers
must pass TLS through; see --proxy-from.

With --packages the directory also builds kits that are asked for with firstday
package. On PostgreSQL firstday worker may do so on other machines; the replicas
then need no more than --package-store.`,
		Example: `  firstday serve --organisation Acme --data /var/lib/firstday-directory --name directory.acme.example
  firstday serve --organisation Acme --data /var/lib/firstday-directory --name directory.acme.example --listen :443 --acme --acme-email it@acme.example
  firstday serve --organisation Acme --data /var/lib/firstday-directory --name directory.acme.example --tls-cert chain.pem --tls-key key.pem --metrics 127.0.0.1:9464
  firstday serve --organisation Acme --data /var/lib/firstday-directory --name directory.acme.example --packages firstday.yaml
  FIRSTDAY_DATABASE=postgres://firstday@db/firstday firstday serve --organisation Acme --data /etc/firstday --name directory.acme.example --proxy-from 10.0.0.0/8`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Log = logger(c, debug)
			if err := run.apply(&o); err != nil {
				return err
			}
			if err := os.MkdirAll(data, 0o700); err != nil {
				return err
			}
			o.KeyFile = filepath.Join(data, sealKeyFile)
			if o.Database = os.Getenv(databaseVariable); o.Database == "" {
				o.Database = filepath.Join(data, databaseFile)
			}
			if logo != "" {
				var err error
				if o.Logo, err = readLogo(logo); err != nil {
					return err
				}
			}
			d, err := directory.Open(c.Context(), o)
			if err != nil {
				return err
			}
			stop, err := run.serveMetrics(c.Context(), d)
			if err != nil {
				return errors.Join(err, d.Close())
			}
			rest, err := building.open(c.Context(), d, data)
			if err != nil {
				return errors.Join(err, stop(), d.Close())
			}
			err = serveDirectory(c, d, listen, filepath.Join(data, ownerFile))
			return errors.Join(err, rest(), stop(), d.Close())
		},
	}
	f := c.Flags()
	f.StringVar(&o.Organisation, "organisation", "", "name of the organisation, as employees know it")
	f.StringVar(&data, "data", "", "folder of the directory; made if there is none")
	f.StringVar(&listen, "listen", ":8443", "address to listen on")
	f.StringArrayVar(&o.Names, "name", nil, "host name or address by which devices reach it; repeat for others")
	f.StringVar(&o.PagesURL, "pages-url", "", "https:// address at which employees find the sign-in pages (default: that of the devices)")
	f.StringVar(&logo, "logo", "", "PNG of the organisation's logo, for the sign-in pages")
	run.flags(f)
	building.flags(c, f, "packages")
	f.BoolVar(&debug, "debug", false, "log each call")
	for _, name := range []string{"organisation", "data", "name"} {
		_ = c.MarkFlagRequired(name)
	}
	_ = c.MarkFlagDirname("data")
	_ = c.MarkFlagFilename("logo", "png")
	return c
}

// logger is what a service tells of itself.
func logger(c *cobra.Command, debug bool) *slog.Logger {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewJSONHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
}

// maxLogo bounds the picture, in bytes and in pixels each way.
const (
	maxLogo       = 1 << 20
	maxLogoPixels = 4096
)

func readLogo(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLogo+1))
	if err != nil {
		return nil, err
	}
	picture, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil || len(data) > maxLogo || picture.Width > maxLogoPixels || picture.Height > maxLogoPixels {
		return nil, usageError{fmt.Errorf("%s is no PNG of at most %d bytes and %d pixels each way", file, maxLogo, maxLogoPixels)}
	}
	return data, nil
}

// started is what is said of a directory that answers.
type started struct {
	api.Directory
	Console string `json:"console"`
	// OwnerLink is for the first owner, while there is none.
	OwnerLink      api.Secret `json:"ownerLink,omitempty"`
	OwnerLinkUntil time.Time  `json:"ownerLinkUntil,omitzero"`
}

// serveDirectory answers until somebody ends the program.
func serveDirectory(c *cobra.Command, d *directory.Directory, listen, owner string) error {
	ctx := c.Context()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return err
	}
	at := api.Directory{URL: "https://" + net.JoinHostPort(d.Names[0], port), Pin: d.Pin()}
	if d.PagesURL = strings.TrimSuffix(d.PagesURL, "/"); d.PagesURL == "" {
		d.PagesURL = at.URL
	}
	if err := (api.Directory{URL: d.PagesURL}).Check(); err != nil {
		return usageError{fmt.Errorf("--pages-url: %w", err)}
	}
	if err := letOwnerIn(ctx, d, at, owner); err != nil {
		return err
	}
	pages, err := console.New(d)
	if err != nil {
		return err
	}
	d.Mount(console.Path, pages)
	started := started{Directory: at, Console: d.PagesURL + api.PathConsole}
	first, err := d.InviteFirstOwner(ctx)
	if err != nil {
		return err
	}
	if first != nil {
		started.OwnerLink, started.OwnerLinkUntil = first.Link, first.ExpiresAt
	}
	err = show(c, started, func(w *text) {
		w.line("the directory of %s answers at %s", d.Organisation, at.URL)
		w.line("its pin is %s", at.Pin)
		w.line("its console is at %s", started.Console)
		if first != nil {
			w.line("its first owner joins by %s", first.Link.Reveal())
			w.line("once, and until %s; the next start gives another link", first.ExpiresAt.Local().Format(time.RFC3339))
		}
		if d.Web == (directory.Web{}) && d.PagesURL == at.URL {
			w.line("browsers do not know its CA, and phones warn of its sign-in pages: give --tls-cert, --acme or --pages-url")
		}
	})
	if err != nil {
		return err
	}
	directory.SaveMemory()
	return d.Serve(ctx, l)
}

// letOwnerIn makes a token where no owner has one that holds.
func letOwnerIn(ctx context.Context, d *directory.Directory, at api.Directory, file string) error {
	if has, err := d.HasOwner(ctx); has || err != nil {
		return err
	}
	token, err := d.CreateToken(ctx, "system", api.NewToken{Name: "owner", Role: api.Owner, Life: api.Duration(ownerTokenLife)})
	if err != nil {
		return err
	}
	l := login{Directory: at, Token: token.Secret}
	if err := l.save(file); err != nil {
		err = fmt.Errorf("keeping the owner's token: %w", err)
		return errors.Join(err, d.RevokeToken(ctx, "system", token.ID)) // the next start makes another
	}
	d.Log.InfoContext(ctx, "the owner may log in", "file", file, "until", token.ExpiresAt)
	return nil
}
