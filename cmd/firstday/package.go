package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"firstday.dev/api"
)

func newPackage() *cobra.Command {
	c := &cobra.Command{
		Use:   "package",
		Short: "Have the directory build packages, and fetch them",
		Long: `Package has the directory build kits: it mints their connect keys, builds, signs and
verifies them where its agents and its signer are, and offers what is whole for
download. On your own machine, firstday build does the same.`,
		Example: `  firstday package build --label "spring hires" --uses 50 -o kit
  firstday package list
  firstday package download 019f… -o kit`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	c.AddCommand(newPackageBuild(), newPackageList(), newPackageShow(), newPackageDownload(), newPackageRetry(),
		newChange("package cancel", "ID", "Build a kit no more, or withdraw it: its keys are revoked and its files deleted", "cancelled", parseID, (*api.Client).CancelPackage),
		newPackageUpload(), newPackageUploads(),
		newChange("package forget", "ID", "Remove an uploaded installer", "forgotten", parseID, (*api.Client).RemovePackageUpload))
	return c
}

func newPackageList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List kits that the directory was asked for, the newest first",
		Example: `  firstday package list --json`,
		Args:    cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			jobs, err := client.Packages(c.Context())
			if err != nil {
				return err
			}
			return show(c, jobs, func(w *text) {
				for i := range jobs {
					w.line("%s  %s  %s  %s", jobs[i].ID, packageState(&jobs[i]), platformsOf(&jobs[i]), jobs[i].Request.Label)
				}
			})
		}),
	}
}

func platformsOf(j *api.PackageJob) string {
	var words []string
	for _, p := range j.Request.Platforms {
		words = append(words, string(p))
	}
	return strings.Join(words, ", ")
}

// packageState says in a few words how far a job is.
func packageState(j *api.PackageJob) string {
	switch {
	case j.State == api.PackageBuilding && j.Total > 0:
		return fmt.Sprintf("building (%s, %d%%)", j.Step, j.Done*100/j.Total)
	case j.State == api.PackageReady:
		return "ready since " + j.ReadyAt.Format(time.RFC3339)
	case j.Error != nil:
		return string(j.State) + ": " + string(j.Error.Code)
	}
	return string(j.State)
}

func newPackageShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show what became of a kit that the directory was asked for",
		Example: `  firstday package show 019f…`,
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			job, err := client.Package(c.Context(), id)
			if err != nil {
				return err
			}
			return show(c, job, func(w *text) { describePackageJob(w, job) })
		}),
	}
}

func describePackageJob(w *text, j *api.PackageJob) {
	w.line("%s  %s", j.ID, packageState(j))
	w.line("  asked for  by %s, %s", j.CreatedBy, j.CreatedAt.Format(time.RFC3339))
	w.line("  for        %s; %d devices each, within %v", platformsOf(j), j.Request.Uses, time.Duration(j.Request.Life))
	if j.Error != nil {
		for _, line := range strings.Split(j.Error.Text, "\n") {
			w.line("  error      %s", line)
		}
		w.line("  hint       %s", api.Explain(j.Error.Code).Remedy)
	}
	for _, k := range j.Keys {
		w.line("  package    %s for %s, connect key %s", k.PackageID, k.Platform, k.KeyID)
	}
	for _, f := range j.Files {
		w.line("  file       %s  %s  %s", f.SHA256, f.Name, size(f.Size))
	}
}

// awaitPackage waits until a job has ended, and shows how far it is.
func awaitPackage(c *cobra.Command, client *api.Client, id uuid.UUID) (*api.PackageJob, error) {
	const pause = time.Second
	bars := newProgress(c)
	defer bars.close()
	for {
		job, err := client.Package(c.Context(), id)
		if err != nil {
			return nil, err
		}
		switch {
		case job.State == api.PackageReady:
			return job, nil
		case job.Error != nil:
			return nil, fmt.Errorf("building package %s: %w", id, api.Refuse(job.Error.Code, "%s", job.Error.Text))
		case job.State.Ended():
			return nil, fmt.Errorf("building package %s: %w", id, api.Refuse(api.CodePackageNotReady, "it was %s", job.State))
		case job.Step != "":
			bars.step(job.Step, job.Done, job.Total)
		}
		if err := pausing(c.Context(), pause); err != nil {
			return nil, err
		}
	}
}

func pausing(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
