package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/kit"
	"firstday.dev/station"
	"firstday.dev/station/winimage"
)

func newImage() *cobra.Command {
	c := &cobra.Command{
		Use:   "image",
		Short: "Put packages into Windows images, for those who image laptops",
		Example: `  firstday image add kit /mnt/windows
  firstday image add kit E:\ --way unattend
  firstday image unattend Autounattend.xml >with-firstday.xml`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newImageAdd(), newImageUnattend())
	return c
}

func newImageAdd() *cobra.Command {
	from := new(source)
	var replace bool
	var way string
	c := &cobra.Command{
		Use:   "add KIT|ORDER FOLDER",
		Short: "Put a kit's package into a Windows image or onto its setup medium",
		Long: `Add puts the Windows package of a kit and its catalog into a folder: a Windows
image that is mounted there or was applied to the disk (it has Windows\System32),
or the medium that Windows is installed from (it has sources\install.wim; what is
put under sources\$OEM$\$1 there, Setup copies to the drive C:). The kit is
verified before, and nothing outside of the folder is touched.

With --way recovery Windows finds the package in C:\Recovery\Customizations, at its
first screen and again when the laptop is reset. With --way unattend a command in
the answer file installs it before the first screen; an answer file that is there
is added to, and keeps what it says.

An image is used for longer than a stick: mint a key for it that holds as long
(firstday build --mint --mint-life 720h), and add the next kit with --replace.
docs/windows-images.md compares the ways.`,
		Example: `  wimlib-imagex apply install.wim 1 /mnt/windows
  firstday image add kit /mnt/windows --root acme-ca.pem
  firstday image add kit D:\mount --way unattend
  firstday image add kit E:\ --replace --json`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) (err error) {
			how, err := winimage.ParseWay(way)
			if err != nil {
				return usageError{fmt.Errorf("--way: %w", err)}
			}
			files, _, err := from.open(c, args[0], station.DefaultLabel)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, files.Close()) }()
			i := slices.IndexFunc(files.Manifest.Packages, func(p kit.Package) bool { return p.Platform == kit.Windows })
			if i < 0 {
				return fmt.Errorf("%s: %w: it has no package for Windows", args[0], kit.ErrNotAKit)
			}
			folder, err := winimage.Open(args[1])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, folder.Close()) }()
			added, err := folder.Add(c.Context(), files, &files.Manifest.Packages[i], how, replace)
			if err != nil {
				return err
			}
			warnOf(c, append(files.Warnings, aboutLife(files.Manifest)...))
			return show(c, added, func(w *text) { describeAdded(w, added) })
		},
	}
	from.flags(c)
	f := c.Flags()
	f.StringVar(&way, "way", string(winimage.Recovery), "how Windows comes to it: recovery or unattend")
	f.BoolVar(&replace, "replace", false, "take the place of another package of the name, such as an older kit's")
	_ = c.RegisterFlagCompletionFunc("way", cobra.FixedCompletions([]string{string(winimage.Recovery), string(winimage.Unattend)}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// imageLife is how long an image is at least in use.
const imageLife = 30 * 24 * time.Hour

// aboutLife says if the kit's key ends before the image does.
func aboutLife(m *kit.Manifest) []string {
	if m.ExpiresAt == nil || time.Until(*m.ExpiresAt) > imageLife {
		return nil
	}
	return []string{fmt.Sprintf("the kit enrols laptops until %s: the image is of no use after that", m.ExpiresAt.Format(time.DateOnly))}
}

func describeAdded(w *text, a *winimage.Added) {
	what := map[winimage.Kind]string{winimage.Image: "a Windows image", winimage.Media: "a medium that installs Windows"}[a.Kind]
	w.line("%s is %s.", a.Folder, what)
	for _, f := range a.Files {
		state := "put there"
		if f.Unchanged {
			state = "is there"
		}
		w.line("  %-9s %s", state, f.Path)
	}
	if a.Unchanged {
		w.line("Nothing was to be done.")
	}
}

func newImageUnattend() *cobra.Command {
	return &cobra.Command{
		Use:   "unattend [FILE]",
		Short: "Print an answer file with the command that installs the package",
		Long: `Unattend prints an answer file for Windows Setup with the command that installs
the package from C:\Windows\Setup\Firstday before the first screen: a new one, or
FILE with the command added. FILE itself stays as it is. Image add --way unattend
does the same in an image, and puts the package there.`,
		Example: `  firstday image unattend >Autounattend.xml
  firstday image unattend theirs.xml >Autounattend.xml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var answers []byte
			if len(args) > 0 {
				var err error
				if answers, err = os.ReadFile(args[0]); err != nil {
					return err
				}
			}
			answers, err := winimage.AddCommand(answers)
			if err != nil && len(args) > 0 {
				err = fmt.Errorf("%s: %w", args[0], err)
			}
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(answers)
			return err
		},
	}
}
