package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"firstday.dev/directory"
	"firstday.dev/directory/packages"
	"firstday.dev/kit"
)

// What lies in a data folder unless another is named: the store of kits, and those
// that are being built.
const (
	storeFolder = "packages"
	workFolder  = "packages-work"
)

// packaging is what a process does about packages that the directory builds.
type packaging struct {
	packages.Options
	quota int64 // in GB
}

func (p *packaging) flags(c *cobra.Command, f *pflag.FlagSet, config string) {
	f.StringVar(&p.Config, config, "", "build the directory's packages from this firstday.yaml")
	f.StringVar(&p.Store, "package-store", "", "where kits lie: a folder, or an S3-compatible store, https://host/bucket/prefix; its credentials are in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in the file of AWS_SHARED_CREDENTIALS_FILE (default: packages in the data folder)")
	f.Int64Var(&p.quota, "package-quota", 0, "how much the store may hold, in GB (default: as much as there is)")
	f.StringVar(&p.Agents, "agents", "", "folder of the agents (default: those that came with this program)")
	f.BoolVar(&p.Notarize, "notarize", false, "have packages for macOS notarised by Apple, with the key under macos.notary of the configuration")
	f.StringVar(&p.Folder, "package-work", "", "folder in which kits are built (default: packages-work in the data folder)")
	_ = c.MarkFlagFilename(config, "yaml", "yml")
	_ = c.MarkFlagDirname("agents")
	_ = c.MarkFlagDirname("package-work")
}

// open lets the process have its part, if it is to have one. Close what it gives.
func (p *packaging) open(ctx context.Context, d *directory.Directory, data string) (stop func() error, err error) {
	if p.Config == "" && p.Store == "" {
		return func() error { return nil }, nil
	}
	if p.Config == "" && !d.OnPostgres() {
		return nil, usageError{errors.New("on SQLite the directory itself builds packages: name a firstday.yaml with --packages")}
	}
	if p.Store == "" {
		p.Store = filepath.Join(data, storeFolder)
	}
	if p.Folder == "" {
		p.Folder = filepath.Join(data, workFolder)
	}
	const gigabyte = 1e9
	p.Quota, p.Work, p.Version = p.quota*gigabyte, p.Config != "", version
	if p.Work && p.Agents == "" {
		if p.Agents, err = kit.FindAgents(); err != nil {
			return nil, err
		}
	}
	opened, err := packages.Open(ctx, d, p.Options)
	if errors.Is(err, packages.ErrStoreAddress) {
		err = usageError{fmt.Errorf("--package-store: %w", err)}
	}
	if err != nil {
		return nil, err
	}
	d.OfferPackages(opened)
	return opened.Close, nil
}

func newWorker() *cobra.Command {
	var p packaging
	var data string
	var debug bool
	c := &cobra.Command{
		Use:   "worker",
		Short: "Build packages for a directory on PostgreSQL",
		Long: `Worker takes up packages that were asked for at the directory, builds, signs and
verifies them, and puts them into the store that the directory's replicas offer them
from. Any number of workers may do so; the agents and who signs are needed only
where they run. One that is lost is missed within half a minute, and another builds
what it was at.

FIRSTDAY_DATABASE holds the URL of the directory's PostgreSQL, and the data folder a
copy of its key, directory.key.`,
		Example: `  FIRSTDAY_DATABASE=postgres://firstday@db/firstday firstday worker --data /etc/firstday --config firstday.yaml --package-store https://s3.acme.example/firstday`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := openWorker(c, data, p.Config, debug)
			if err != nil {
				return err
			}
			stop, err := p.open(c.Context(), d, data)
			if err != nil {
				return errors.Join(err, d.Close())
			}
			d.Log.InfoContext(c.Context(), "packages are built here", "store", p.Store)
			<-c.Context().Done()
			return errors.Join(stop(), d.Close())
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "", "folder with a copy of the directory's key")
	p.flags(c, f, "config")
	f.BoolVar(&debug, "debug", false, "log more")
	for _, name := range []string{"data", "config", "package-store"} {
		_ = c.MarkFlagRequired(name)
	}
	_ = c.MarkFlagDirname("data")
	return c
}

// openWorker opens the directory that a worker works for.
func openWorker(c *cobra.Command, data, config string, debug bool) (*directory.Directory, error) {
	database := os.Getenv(databaseVariable)
	if database == "" {
		return nil, usageError{errors.New(databaseVariable + " is not set: on SQLite serve itself builds packages, with --packages")}
	}
	cfg, err := loadConfig(c, config)
	if err != nil {
		return nil, err
	}
	o := directory.Options{
		Organisation: cfg.Organisation.Name, Database: database, KeyFile: filepath.Join(data, sealKeyFile), Version: version, Log: logger(c, debug),
	}
	// A key of its own would open nothing.
	if _, err := os.Stat(o.KeyFile); err != nil {
		return nil, withHint(err, "copy it from the data folder of firstday serve")
	}
	return directory.Open(c.Context(), o)
}
