package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/kit"
	"firstday.dev/ppkg/xpress"
)

func newBuild() *cobra.Command {
	b := new(build)
	c := &cobra.Command{
		Use:   "build",
		Short: "Build a kit from firstday.yaml",
		Long: `Build makes a kit: a folder with a package for Windows and one for macOS, a
manifest, checksums, an SBOM and instructions for the person with the stick.

Every build is a package of its own to Windows. With SOURCE_DATE_EPOCH set, the
same inputs give the same packages instead.

With --batch, firstday.yaml is the template of many kits, and each row of the
table makes one. The first line names the columns: folder, the kit's folder, and
if you like platforms, batch and tags (of minted keys), and the values of
firstday.yaml that differ, such as organisation.name, directory.url,
connectKey.file, package.name, windows.computerName or windows.wifi[0].ssid. An
empty cell leaves what the template says; paths begin in the table's folder;
secrets never stand in the table. Everything is checked before the first kit is
built. What all kits carry is signed and compressed once. Run again, the command
builds what is missing or would be another, and keeps the rest. A report lies
beside the kits: batch.html, batch.csv and batch.json.`,
		Example: `  firstday build
  firstday build windows -c acme.yaml -o kits/acme
  firstday build --mint --mint-uses 50 --mint-batch PO-4711
  firstday build --batch customers.csv -c template.yaml -o kits
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) firstday build --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return b.run(c, kit.Windows, kit.MacOS) },
	}
	f := c.PersistentFlags()
	f.StringVarP(&b.output, "output", "o", "kit", "folder of the kit; with --batch of all kits, there kits if not given")
	f.StringVar(&b.batch, "batch", "", "build a kit for each row of this table (CSV)")
	_ = c.MarkPersistentFlagFilename("batch", "csv")
	_ = c.MarkPersistentFlagDirname("output")
	b.flags(c, f)
	f.BoolVar(&b.mint, "mint", false, "mint a connect key for each package, at the directory you are logged in to")
	f.IntVar(&b.key.Uses, "mint-uses", api.DefaultKeyUses, "how many devices a minted key brings")
	f.DurationVar(&b.life, "mint-life", time.Duration(api.DefaultKeyLife), "how long a minted key holds")
	f.StringVar(&b.key.Batch, "mint-batch", "", "delivery or order that the devices of minted keys are of")
	c.AddCommand(newBuildWindows(b), newBuildMacOS(b))
	return c
}

// flags are those of every command that builds a kit.
func (b *build) flags(c *cobra.Command, f *pflag.FlagSet) {
	f.StringVarP(&b.config, "config", "c", "firstday.yaml", "configuration file")
	f.StringVar(&b.agents, "agents", "", "folder of the agents (default: those that came with this program)")
	f.StringVar(&b.level, "level", "default", "compression of the Windows package: fast, default or best")
	f.BoolVar(&b.notarize, "notarize", false, "have the macOS package notarised by Apple, with the key under macos.notary")
	_ = cobra.MarkFlagFilename(f, "config", "yaml", "yml")
	_ = cobra.MarkFlagDirname(f, "agents")
	_ = c.RegisterFlagCompletionFunc("level", cobra.FixedCompletions([]string{"fast", "default", "best"}, cobra.ShellCompDirectiveNoFileComp))
}

func newBuildWindows(b *build) *cobra.Command {
	return &cobra.Command{
		Use:   "windows",
		Short: "Build the kit for Windows: package, catalog and papers",
		Long: `Build windows makes a kit with the provisioning package and its catalog. Copy
both, .ppkg and .cat, into the root of a USB stick.`,
		Example: `  firstday build windows
  firstday build windows -c acme.yaml -o kits/acme`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return b.run(c, kit.Windows) },
	}
}

func newBuildMacOS(b *build) *cobra.Command {
	return &cobra.Command{
		Use:   "macos",
		Short: "Build the kit for macOS: installer package, profile and papers",
		Long: `Build macos makes a kit with the installer package for Intel and Apple silicon,
and a profile for device management. No Mac is needed for it. Who signs stands
under macos.signing in firstday.yaml.`,
		Example: `  firstday build macos
  firstday build macos -c acme.yaml -o kits/acme`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return b.run(c, kit.MacOS) },
	}
}

// build is what the flags say.
type build struct {
	config, output, agents, level string
	batch                         string // a table
	notarize, mint                bool
	key                           api.NewConnectKey
	life                          time.Duration
}

// common are the options of any kit.
func (b *build) common(c *cobra.Command, platforms ...kit.Platform) (o kit.Options, err error) {
	o = kit.Options{Platforms: platforms, Output: b.output, Agents: b.agents, Builder: version, Prompt: prompter(c.Context())}
	if o.Level, err = parseLevel(b.level); err != nil {
		return o, err
	}
	if o.Time, o.Reproducible, err = buildTime(); err != nil {
		return o, err
	}
	if o.Agents == "" {
		o.Agents, err = kit.FindAgents()
	}
	return o, err
}

// options are those of the one kit of the configuration.
func (b *build) options(c *cobra.Command, platforms ...kit.Platform) (o kit.Options, err error) {
	cfg, err := loadConfig(c, b.config)
	if err != nil {
		return o, err
	}
	if o, err = b.common(c, platforms...); err != nil {
		return o, err
	}
	o.Config = cfg
	if b.notarize {
		o.Notary, err = configuredNotary(cfg)
	}
	return o, err
}

func (b *build) run(c *cobra.Command, platforms ...kit.Platform) error {
	if b.batch != "" {
		o, err := b.common(c, platforms...)
		if err != nil {
			return err
		}
		return b.runBatch(c, o)
	}
	o, err := b.options(c, platforms...)
	if err != nil {
		return err
	}
	keys := new(mint)
	if b.mint {
		if err := keys.open(o.Config, b); err != nil {
			return err
		}
		defer keys.Close()
		o.Mint = keys.mint
	}
	bars := newProgress(c)
	defer bars.close()
	o.Progress = bars.step
	m, err := kit.Build(c.Context(), o)
	if err != nil {
		return errors.Join(err, keys.revoke(c.Context()))
	}
	bars.close()
	return show(c, m, func(w *text) { describeKit(w, m, b.output) })
}

// loadConfig reads the configuration and tells its warnings at once.
func loadConfig(c *cobra.Command, file string) (*config.Config, error) {
	cfg, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	var warnings []problem
	for _, w := range cfg.Warnings {
		warnings = append(warnings, problemAt(w))
	}
	warn(c, warnings)
	return cfg, nil
}

// buildTime is SOURCE_DATE_EPOCH, or now
// (https://reproducible-builds.org/specs/source-date-epoch/).
func buildTime() (t time.Time, reproducible bool, err error) {
	epoch, ok := os.LookupEnv("SOURCE_DATE_EPOCH")
	if !ok {
		return time.Now().UTC().Truncate(time.Second), false, nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<33 {
		return t, false, usageError{fmt.Errorf("SOURCE_DATE_EPOCH is %q, not a number of seconds since 1970", epoch)}
	}
	return time.Unix(seconds, 0).UTC(), true, nil
}

func parseLevel(s string) (xpress.Level, error) {
	switch s {
	case "fast":
		return xpress.Fast, nil
	case "default":
		return xpress.Default, nil
	case "best":
		return xpress.Best, nil
	}
	return 0, usageError{fmt.Errorf("--level is %q; it must be fast, default or best", s)}
}

func describeKit(w *text, m *kit.Manifest, output string) {
	for _, p := range m.Packages {
		w.line("%s  %s", p.File, size(p.Size))
		w.line("  id        %s, version %s", p.ID, p.Version)
		w.line("  sha256    %s", p.SHA256)
		if p.Signer == nil {
			w.line("  signed    no")
		} else {
			w.line("  signed    by %s", p.Signer.Subject)
		}
		if p.Notarised {
			w.line("  notarised by Apple")
		}
		for _, c := range p.Contents {
			w.line("  carries   %s  %s  %s", c.File, size(c.Size), c.Version)
		}
	}
	for _, s := range m.Secrets {
		w.line("  secret    in %s: %s %s", s.Package, s.Kind, s.Name)
	}
	if m.ExpiresAt != nil {
		w.line("  expires   %s", m.ExpiresAt.Format(time.DateOnly))
	}
	w.line("The kit is in %s. INSTRUCTIONS*.md says what to do with it.", output)
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	default:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
}
