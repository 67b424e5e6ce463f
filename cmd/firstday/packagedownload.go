package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"firstday.dev/api"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/kit"
)

func newPackageDownload() *cobra.Command {
	var output, zip string
	c := &cobra.Command{
		Use:   "download ID",
		Short: "Fetch a kit from the directory, once it is ready",
		Long: `Download waits until the kit is ready, fetches it, and compares each file with its
checksum. The kit is there as a whole or not at all.`,
		Example: `  firstday package download 019f… -o kit
  firstday package download 019f… --zip kit.zip`,
		Args: cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			job, err := awaitPackage(c, client, id)
			if err != nil {
				return err
			}
			if zip != "" {
				if err := downloadZip(c, client, job, zip); err != nil {
					return err
				}
				return show(c, job, func(w *text) { w.line("%s holds the kit of package %s", zip, job.ID) })
			}
			if err := downloadKit(c, client, job, output); err != nil {
				return err
			}
			return show(c, job, func(w *text) { w.line("%s holds the kit of package %s", output, job.ID) })
		}),
	}
	c.Flags().StringVarP(&output, "output", "o", "kit", "folder for the kit")
	c.Flags().StringVar(&zip, "zip", "", "file for the kit as one zip")
	c.MarkFlagsMutuallyExclusive("output", "zip")
	_ = c.MarkFlagDirname("output")
	_ = c.MarkFlagFilename("zip", "zip")
	return c
}

// What others may do with a kit that was fetched: it holds keys.
const (
	kitFolderMode = 0o700
	kitFileMode   = 0o600
)

// mustBeFree allows a folder that is not there, or empty.
func mustBeFree(folder string) error {
	if entries, err := os.ReadDir(folder); err == nil && len(entries) > 0 {
		return &fs.PathError{Op: "download", Path: folder, Err: fmt.Errorf("%w: a folder that is not empty", atomicfile.ErrInTheWay)}
	}
	return nil
}

// downloadKit fetches a kit into a folder that is not there yet, or empty.
func downloadKit(c *cobra.Command, client *api.Client, job *api.PackageJob, output string) error {
	if err := mustBeFree(output); err != nil {
		return err
	}
	dir, err := atomicfile.CreateDir(output, kitFolderMode)
	if err != nil {
		return err
	}
	defer dir.Close()
	bars := newProgress(c)
	defer bars.close()
	var done, total int64
	for _, f := range job.Files {
		total += f.Size
	}
	for _, f := range job.Files {
		if err := api.CheckFileName(f.Name); err != nil {
			return fmt.Errorf("%w: the directory says that the kit has a file %w", kit.ErrIntegrity, err)
		}
		err := downloadFile(c, client, job, f, filepath.Join(dir.Path(), f.Name), func(n int) {
			done += int64(n)
			bars.step("downloading", done, total)
		})
		if err != nil {
			return err
		}
	}
	return dir.Commit()
}

func downloadFile(c *cobra.Command, client *api.Client, job *api.PackageJob, f api.PackageFile, path string, wrote func(n int)) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, kitFileMode)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if err := client.DownloadPackageFile(c.Context(), job.ID, f.Name, io.MultiWriter(file, sum, written(wrote))); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("%s: %w: it is not what the directory says", f.Name, kit.ErrIntegrity)
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return file.Close()
}

// written is told how many bytes go by.
type written func(n int)

func (w written) Write(p []byte) (int, error) {
	w(len(p))
	return len(p), nil
}

func downloadZip(c *cobra.Command, client *api.Client, job *api.PackageJob, output string) error {
	f, err := atomicfile.Create(output, kitFileMode)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := client.DownloadPackage(c.Context(), job.ID, f); err != nil {
		return err
	}
	return f.Commit()
}

func newPackageRetry() *cobra.Command {
	var wifi, arguments []string
	c := &cobra.Command{
		Use:   "retry ID",
		Short: "Build a kit again that failed or was cancelled",
		Long: `Retry queues the same request again. Passwords and arguments that it had were
forgotten when it ended, and have to be given again.`,
		Example: `  firstday package retry 019f… --wifi Acme=wifi.key`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			s := new(api.PackageSecrets)
			passwords, err := readPackageSecrets(wifi)
			if err != nil {
				return err
			}
			for ssid, password := range passwords {
				s.WiFi = append(s.WiFi, api.PackageWiFi{SSID: ssid, Password: password})
			}
			given, err := readPackageSecrets(arguments)
			if err != nil {
				return err
			}
			for upload, a := range given {
				u, err := parseID(upload)
				if err != nil {
					return err
				}
				s.Payloads = append(s.Payloads, api.PackagePayload{Upload: u, Arguments: &a})
			}
			job, err := client.RetryPackage(c.Context(), id, s)
			if err != nil {
				return err
			}
			return show(c, job, func(w *text) { w.line("package %s is queued", job.ID) })
		}),
	}
	c.Flags().StringArrayVar(&wifi, "wifi", nil, "Wi-Fi network of the request, and the file with its password: SSID=FILE; repeat for others")
	c.Flags().StringArrayVar(&arguments, "arguments", nil, "upload of the request, and the file with its arguments: ID=FILE; repeat for others")
	return c
}
