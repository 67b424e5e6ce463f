package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"firstday.dev/station"
	"firstday.dev/station/fat32"
)

func newUSB() *cobra.Command {
	c := &cobra.Command{
		Use:   "usb",
		Short: "Put kits onto USB sticks",
		Example: `  firstday usb list
  firstday usb write kit --all
  firstday usb verify --all
  firstday usb eject --all
  firstday usb image kit -o stick.img`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newUSBList(), newUSBWrite(), newUSBVerify(), newUSBRepair(), newUSBImage(), newUSBEject())
	return c
}

func newUSBImage() *cobra.Command {
	from := new(source)
	var output, size, label string
	c := &cobra.Command{
		Use:   "image KIT|ORDER",
		Short: "Make an image of a stick, for any tool that flashes sticks",
		Long: `Image verifies a kit and makes the image of a USB stick for both systems: an MBR
and a FAT32 volume with the kit in its root, where Windows finds its package, the
script run for Macs, and README.html for the person with the stick. Neither root
nor a stick is needed. Flash the image onto the whole stick, not into a file on it.

The same kit gives the same image; SOURCE_DATE_EPOCH sets the time of the files.
Sizes are as sticks are sold: 8G are 8,000,000,000 bytes; 8GiB are a little more.`,
		Example: `  firstday usb image kit -o stick.img
  firstday usb image kit -o stick.img --size 8G --label ACME --root acme-ca.pem
  firstday usb image kit -o stick.img --json | jq .kitId`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			o := station.ImageOptions{}
			if o.Size, err = parseSize(size); err != nil {
				return err
			}
			if at, given, err := buildTime(); err != nil {
				return err
			} else if given {
				o.Time = at
			}
			stick, _, err := from.open(c, args[0], label)
			if err != nil {
				return err
			}
			bars := newProgress(c)
			defer bars.close()
			o.Progress = bars.step
			defer func() { err = errors.Join(err, stick.Close()) }()
			image, err := stick.WriteImage(c.Context(), output, o)
			if err != nil {
				return err
			}
			bars.close()
			warnOf(c, stick.Warnings)
			return show(c, image, func(w *text) { describeImage(w, image) })
		},
	}
	from.flags(c)
	f := c.Flags()
	f.StringVarP(&output, "output", "o", "", "image to write")
	f.StringVar(&size, "size", "", "size of the stick, such as 8G (default: what the kit needs)")
	f.StringVar(&label, "label", station.DefaultLabel, "label of the volume")
	_ = c.MarkFlagRequired("output")
	_ = c.MarkFlagFilename("output", "img")
	return c
}

func warnOf(c *cobra.Command, warnings []string) {
	var list []problem
	for _, w := range warnings {
		list = append(list, problem{Message: w, head: w})
	}
	warn(c, list)
}

// units are what sizes may end with, the longer before the shorter.
var units = []struct {
	name string
	n    float64
}{{"MiB", 1 << 20}, {"GiB", 1 << 30}, {"MB", 1e6}, {"GB", 1e9}, {"M", 1e6}, {"G", 1e9}}

// parseSize reads a size and makes it one of whole sectors; 0 if none is given.
func parseSize(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if size := n * u.n; err == nil && size > 0 && size <= math.MaxInt64/2 {
			return int64(size) &^ (fat32.SectorSize - 1), nil
		}
		break
	}
	return 0, usageError{fmt.Errorf("--size is %q; it is a number with M, G, MiB or GiB after it, such as 8G", s)}
}

func describeImage(w *text, i *station.Image) {
	w.line("%s  %s, %s, volume %s", i.File, size(i.Size), i.Label, i.Serial)
	for _, f := range i.Files {
		w.line("  %12d  %s", f.Size, f.Path)
	}
	w.line("kit       %s", i.KitID)
	w.line("Flash it onto a stick; firstday simulate %s tries it before.", i.File)
}
