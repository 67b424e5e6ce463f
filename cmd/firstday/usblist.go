package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"firstday.dev/internal/visible"
	"firstday.dev/station"
	"firstday.dev/station/media"
)

// listedDisk is a disk and what lies on it, as JSON.
type listedDisk struct {
	media.Disk
	Contents *station.OnStick `json:"contents,omitempty"`
	// Unread says why it is not known what lies on a stick.
	Unread string `json:"unread,omitempty"`
}

func newUSBList() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the sticks in this machine, and what is on each",
		Long: `List shows every USB stick and memory card: its name, the socket it is in, model,
size, file system and label, and what lies on it, of which nothing is verified.

With --all it shows the other disks, too, and why each is refused: the system runs
from it, it is built in, or it is no stick. Nothing is ever written to those.`,
		Example: `  firstday usb list
  firstday usb list --all
  firstday usb list --json | jq -r '.[].name'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			disks, err := media.List(c.Context())
			if err != nil {
				return err
			}
			sticks := slices.IndexFunc(disks, func(d media.Disk) bool { return d.Refusal != "" })
			if sticks < 0 {
				sticks = len(disks)
			}
			shown := disks
			if !all {
				shown = disks[:sticks]
			}
			listed := make([]listedDisk, len(shown))
			for i := range shown {
				listed[i] = lookAt(c.Context(), &shown[i])
			}
			if err := c.Context().Err(); err != nil {
				return err
			}
			return show(c, listed, func(w *text) {
				describeDisks(w, listed, time.Now())
				noSticks(w, sticks, len(disks)-sticks, all)
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "show disks that are refused, too, and why")
	return c
}

func lookAt(ctx context.Context, d *media.Disk) listedDisk {
	l := listedDisk{Disk: *d}
	if d.Refusal != "" {
		return l
	}
	var err error
	if l.Contents, err = station.LookAtDisk(ctx, d); err != nil {
		l.Unread = err.Error()
	}
	return l
}

// noSticks says so, and what it may be for.
func noSticks(w *text, sticks, refused int, all bool) {
	switch {
	case sticks > 0:
	case refused == 0:
		w.line("No disk is to be seen. In a container or a virtual machine a stick is there only if it is passed on.")
	case all:
		w.line("None of these is a stick.")
	default:
		w.line("No stick is plugged in. firstday usb list --all shows the other disks (%d), and why they are none.", refused)
	}
}

func describeDisks(w *text, disks []listedDisk, now time.Time) {
	if len(disks) == 0 {
		return
	}
	rows := [][]string{{"NAME", "PORT", "MODEL", "SIZE", "FILES", "LABEL", "ON IT"}}
	for _, d := range disks {
		var system, label string
		for _, v := range d.Volumes {
			if v.FileSystem != "" || v.Label != "" {
				system, label = v.FileSystem, v.Label
				break
			}
		}
		rows = append(rows, []string{d.Name, d.Port, strings.TrimSpace(d.Vendor + " " + d.Model), size(d.Size), system, label, remark(&d, now)})
	}
	columns(w, rows)
}

// remark says in a few words what a technician wants to know of a disk.
func remark(d *listedDisk, now time.Time) string {
	switch {
	case d.Refusal != "":
		return "refused: " + d.Refusal
	case d.Contents == nil:
		return "not known: " + d.Unread
	}
	words := onStick(d.Contents, now)
	if d.ReadOnly {
		words += "; write-protected"
	}
	return words
}

func onStick(on *station.OnStick, now time.Time) string {
	var words string
	switch on.State {
	case station.OnStickUnfinished:
		return "unfinished, write it again"
	case station.OnStickNothing:
		return "empty"
	case station.OnStickForeign:
		return "other files"
	case station.OnStickInFolders:
		return "a package in a folder, where Windows does not look: " + short(on.InFolders[0])
	case station.OnStickPackages:
		words = "package " + short(on.Packages[0])
	case station.OnStickKit:
		words = fmt.Sprintf("kit %.12s of %s, made %s", on.KitID, short(on.Organisation), on.Created.Format(time.DateOnly))
		switch {
		case on.Expired(now):
			words += ", expired " + on.ExpiresAt.Format(time.DateOnly)
		case on.ExpiresAt != nil:
			words += ", until " + on.ExpiresAt.Format(time.DateOnly)
		}
	}
	if n := len(on.Packages); n > 1 {
		words += fmt.Sprintf("; %d packages, of which Windows takes none by itself", n)
	}
	return words
}

// columns writes a table. What is in a cell stays there: no tabs, no line breaks.
func columns(w *text, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			cell = visible.Line(strings.ReplaceAll(cell, "\t", " "))
			row[i] = cell
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		w.line("%s", strings.TrimRight(line.String(), " "))
	}
}
