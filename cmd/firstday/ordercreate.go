package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/api"
	"firstday.dev/directory"
	"firstday.dev/internal/sheet"
	"firstday.dev/kit"
	"firstday.dev/station/order"
)

// newBundle is what the flags of order create say.
type newBundle struct {
	build
	order.Options
	serials, life         string
	platforms, recipients []string
}

func newOrderCreate() *cobra.Command {
	b := new(newBundle)
	c := &cobra.Command{
		Use:   "create",
		Short: "Make an order, and the sealed bundle for its partner",
		Long: `Create makes an order at the directory you are logged in to, mints a connect key
for each package of a kit, builds the kit and seals it into a bundle: the kit, what
was ordered, instructions as a page and on paper, checksums with a signature, and
scripts that verify all of it. The quantity is one quota over all packages; the
keys end with the last device.

The list of serial numbers is CSV or plain text, as spreadsheets save it: the column
called serial number (or the like in other languages), else the first one. A serial
number that is there twice is an error.

The signer's fingerprint is shown. Tell it to the partner in another way than the
bundle goes: whoever could change the bundle could change what vouches for it, too.`,
		Example: `  firstday order create --po PO-4711 --serials list.csv --tags sales -o PO-4711
  firstday order create --po PO-4712 --quantity 20 --partner "Box Ltd" --life 30d -o PO-4712 --zip
  firstday order create --po PO-4713 --serials list.csv -o PO-4713 --recipient age1…`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return b.run(c) },
	}
	f := c.Flags()
	f.StringVar(&b.PO, "po", "", "number of the purchase order")
	f.StringVar(&b.Partner, "partner", "", "who sets the laptops up")
	f.StringVar(&b.serials, "serials", "", "file with the serial numbers (default: whatever comes)")
	f.IntVar(&b.Quantity, "quantity", 0, "how many devices it is for (default: as many as there are serial numbers)")
	f.StringSliceVar(&b.Tags, "tags", nil, "tags that its devices get, with commas between")
	f.StringVar(&b.life, "life", "90d", "how long devices may come, in days (90d) or hours (36h)")
	f.StringVarP(&b.Output, "output", "o", "", "folder of the bundle")
	f.BoolVar(&b.Zip, "zip", false, "write the bundle as .zip, too")
	f.StringArrayVar(&b.recipients, "recipient", nil, "age recipient (age1…) to encrypt a .zip.age to; repeat for others")
	f.StringArrayVar(&b.platforms, "platform", []string{"windows", "macos"}, "platform there is a package for: windows or macos; repeat for both")
	b.flags(c, f)
	_ = c.MarkFlagRequired("po")
	_ = c.MarkFlagRequired("output")
	_ = c.MarkFlagDirname("output")
	_ = c.MarkFlagFilename("serials", "csv", "txt")
	_ = c.RegisterFlagCompletionFunc("platform", cobra.FixedCompletions([]string{"windows", "macos"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (b *newBundle) run(c *cobra.Command) (err error) {
	if err := b.read(); err != nil {
		return err
	}
	var platforms []kit.Platform
	for _, p := range []kit.Platform{kit.Windows, kit.MacOS} {
		for _, named := range b.platforms {
			switch {
			case named != string(kit.Windows) && named != string(kit.MacOS):
				return usageError{fmt.Errorf("--platform is %q; it must be windows or macos", named)}
			case named == string(p) && (len(platforms) == 0 || platforms[len(platforms)-1] != p):
				platforms = append(platforms, p)
			}
		}
	}
	if b.Kit, err = b.options(c, platforms...); err != nil {
		return err
	}
	client, err := clientOf(b.Kit.Config)
	if err != nil {
		return err
	}
	defer client.Close()
	bars := newProgress(c)
	defer bars.close()
	b.Kit.Progress = bars.step
	made, err := order.Create(c.Context(), client, b.Options)
	if errors.Is(err, api.CodeConflict) {
		return withHint(err, "firstday order close "+b.PO+" ends the one that is there, and its connect keys")
	}
	if err != nil {
		return err
	}
	bars.close()
	warnOf(c, made.Warnings)
	return show(c, made, func(w *text) { describeBundle(w, made) })
}

// read makes sense of the flags before anything is made.
func (b *newBundle) read() error {
	life, err := parseLife(b.life)
	if err != nil {
		return err
	}
	b.Life = api.Duration(life)
	if b.Recipients, err = directory.ParseRecipients(b.recipients); err != nil {
		return usageError{fmt.Errorf("--recipient: %w", err)}
	}
	if b.serials != "" {
		if b.Serials, err = readSerials(b.serials); err != nil {
			return err
		}
		if b.Quantity == 0 {
			b.Quantity = len(b.Serials)
		}
	}
	if err := b.Check(); err != nil {
		return usageError{err}
	}
	return nil
}

func readSerials(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return nil, errors.Join(err, &fs.PathError{Op: "read", Path: file, Err: fs.ErrInvalid})
	}
	return sheet.Serials(f, file)
}

// parseLife reads a span of time, in days, too: orders last long.
func parseLife(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	wrong := usageError{fmt.Errorf("--life is %q; it is a number of days or hours, such as 90d or 36h", text)}
	days, ok := strings.CutSuffix(text, "d")
	if !ok {
		life, err := time.ParseDuration(text)
		if err != nil || life <= 0 {
			return 0, wrong
		}
		return life, nil
	}
	n, err := strconv.Atoi(days)
	if err != nil || n <= 0 || int64(n) > int64(math.MaxInt64/day) {
		return 0, wrong
	}
	return time.Duration(n) * day, nil
}

func describeBundle(w *text, b *order.Created) {
	w.line("%s  %d devices, order %s, good until %s", b.Folder, b.Quantity, b.PO, b.ExpiresAt.Format(time.RFC3339))
	for _, p := range b.Packages {
		w.line("  package   %s  %s, connect key %s", p.File, size(p.Size), p.KeyID)
	}
	for _, file := range []string{b.Zip, b.Encrypted} {
		if file != "" {
			w.line("  also      %s", file)
		}
	}
	w.line("  signed    by %s", b.Signer.Subject)
	w.line("Guard it: whoever has it can enrol devices in place of those ordered.")
	w.line("Tell the partner this fingerprint in another way than the bundle goes, such as by telephone:")
	w.line("%s", b.Signer.SHA256)
}
