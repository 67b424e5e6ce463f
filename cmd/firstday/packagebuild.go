package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/api"
)

// newKit is what the flags of package build say.
type newKit struct {
	api.NewPackage
	life                          time.Duration
	platforms                     []string
	wifi, open, payloads, silence []string
	output                        string
}

func newPackageBuild() *cobra.Command {
	n := new(newKit)
	c := &cobra.Command{
		Use:   "build",
		Short: "Have a kit built",
		Long: `Build asks the directory for a kit, made of the firstday.yaml that its worker has
and of what the flags add. With --output it waits until the kit is ready, and
fetches it; else firstday package show tells how far it is.

Passwords and arguments are read from files, never from the command line; the
directory forgets them once the kit is built, or came to nothing.`,
		Example: `  firstday package build --label "spring hires" --uses 50 --wifi Acme=wifi.key -o kit
  firstday package build --platform windows --computer-name ACME-%SERIAL% --payload vpn.msi
  firstday package build --platform windows --payload setup.exe --arguments setup.exe=silent.txt`,
		Args: cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			if n.output != "" {
				if err := mustBeFree(n.output); err != nil {
					return err
				}
			}
			if err := n.read(c, client); err != nil {
				return err
			}
			job, err := client.BuildPackage(c.Context(), &n.NewPackage)
			if err != nil {
				return err
			}
			if n.output == "" {
				return show(c, job, func(w *text) { w.line("package %s is queued", job.ID) })
			}
			if job, err = awaitPackage(c, client, job.ID); err != nil {
				return err
			}
			if err := downloadKit(c, client, job, n.output); err != nil {
				return err
			}
			return show(c, job, func(w *text) { w.line("%s holds the kit of package %s", n.output, job.ID) })
		}),
	}
	f := c.Flags()
	f.StringVar(&n.Label, "label", "", "what it is for")
	f.StringArrayVar(&n.platforms, "platform", []string{"windows", "macos"}, "platform it is for: windows or macos; repeat for the other")
	f.DurationVar(&n.life, "life", time.Duration(api.DefaultKeyLife), "how long its connect keys hold")
	f.IntVar(&n.Uses, "uses", api.DefaultKeyUses, "how many devices the package for each platform brings")
	f.BoolVar(&n.Approval, "approval", false, "each device waits until somebody approves it")
	f.StringArrayVar(&n.Tags, "tag", nil, "tag that its devices get; repeat for others")
	f.StringVar(&n.Batch, "batch", "", "delivery or order that its devices are of")
	f.StringVar(&n.ComputerName, "computer-name", "", "template for names of Windows devices, such as ACME-%SERIAL%")
	f.StringArrayVar(&n.wifi, "wifi", nil, "Wi-Fi network for Windows devices, and the file with its password: SSID=FILE; repeat for others")
	f.StringArrayVar(&n.open, "open-wifi", nil, "Wi-Fi network without a password; repeat for others")
	f.StringArrayVar(&n.payloads, "payload", nil, "installer (.msi or .exe) that Windows devices run; repeat for others")
	f.StringArrayVar(&n.silence, "arguments", nil, "arguments of a payload, and the file with them: NAME=FILE; an .exe needs some, to be silent")
	f.StringVarP(&n.output, "output", "o", "", "folder for the kit; waits until it is ready")
	_ = c.MarkFlagDirname("output")
	return c
}

// read says it in the directory's terms, and uploads the payloads.
func (n *newKit) read(c *cobra.Command, client *api.Client) error {
	n.Life = api.Duration(n.life)
	for _, p := range n.platforms {
		n.Platforms = append(n.Platforms, api.Platform(p))
	}
	passwords, err := readPackageSecrets(n.wifi)
	if err != nil {
		return err
	}
	for _, ssid := range slices.Sorted(maps.Keys(passwords)) {
		n.WiFi = append(n.WiFi, api.PackageWiFi{SSID: ssid, Password: passwords[ssid]})
	}
	for _, ssid := range n.open {
		n.WiFi = append(n.WiFi, api.PackageWiFi{SSID: ssid, Security: "open"})
	}
	arguments, err := readPackageSecrets(n.silence)
	if err != nil {
		return err
	}
	for _, file := range n.payloads {
		u, err := uploadPayload(c, client, file)
		if err != nil {
			return err
		}
		payload := api.PackagePayload{Upload: u.ID}
		if a, given := arguments[u.Name]; given {
			payload.Arguments = &a
			delete(arguments, u.Name)
		}
		n.Payloads = append(n.Payloads, payload)
	}
	for name := range arguments {
		return usageError{fmt.Errorf("--arguments names %q, which is no --payload", name)}
	}
	return nil
}

// maxPackageSecret bounds a file with a password or arguments, in bytes.
const maxPackageSecret = 16 << 10

// readPackageSecrets reads what NAME=FILE names: one line each.
func readPackageSecrets(flags []string) (map[string]api.Secret, error) {
	secrets := make(map[string]api.Secret)
	for _, flag := range flags {
		i := strings.LastIndexByte(flag, '=')
		if i <= 0 || i == len(flag)-1 {
			return nil, usageError{fmt.Errorf("%q is not NAME=FILE", flag)}
		}
		name := flag[:i]
		if _, twice := secrets[name]; twice {
			return nil, usageError{fmt.Errorf("%q is given twice", name)}
		}
		f, err := os.Open(flag[i+1:])
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(io.LimitReader(f, maxPackageSecret+1))
		if err := f.Close(); err != nil {
			return nil, err
		}
		if err != nil {
			return nil, err
		}
		line := bytes.TrimRight(data, "\r\n")
		if len(data) > maxPackageSecret || bytes.ContainsAny(line, "\r\n") {
			return nil, usageError{fmt.Errorf("%s is longer than one line of %d bytes", flag[i+1:], maxPackageSecret)}
		}
		secrets[name] = api.Secret(line)
		clear(data)
	}
	return secrets, nil
}

func uploadPayload(c *cobra.Command, client *api.Client, file string) (*api.PackageUpload, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	bars := newProgress(c)
	defer bars.close()
	u, err := client.UploadPayload(c.Context(), filepath.Base(file), &counting{f, bars, 0, info.Size()}, info.Size())
	if err != nil {
		return nil, fmt.Errorf("uploading %s: %w", file, err)
	}
	return u, nil
}

// counting shows how far a file is read.
type counting struct {
	io.Reader
	bars        *progress
	done, total int64
}

func (r *counting) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.done += int64(n)
	r.bars.step("uploading", r.done, r.total)
	return n, err
}

func newPackageUpload() *cobra.Command {
	return &cobra.Command{
		Use:     "upload FILE",
		Short:   "Upload an installer for packages to carry",
		Example: `  firstday package upload vpn.msi`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			u, err := uploadPayload(c, client, args[0])
			if err != nil {
				return err
			}
			return show(c, u, func(w *text) { w.line("%s  %s  %s", u.ID, u.SHA256, u.Name) })
		}),
	}
}

func newPackageUploads() *cobra.Command {
	return &cobra.Command{
		Use:     "uploads",
		Short:   "List the installers that were uploaded, the newest first",
		Example: `  firstday package uploads`,
		Args:    cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			uploads, err := client.PackageUploads(c.Context())
			if err != nil {
				return err
			}
			return show(c, uploads, func(w *text) {
				for _, u := range uploads {
					w.line("%s  %s  %s  %s, by %s", u.ID, u.SHA256, u.Name, size(u.Size), u.CreatedBy)
				}
			})
		}),
	}
}
