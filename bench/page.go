//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// page makes the Markdown page.
func (b *bench) page(races []race, peaks []peak, packages *installers, kits *batches, written *sticks, services *directories) (string, error) {
	version, err := exec.Command(b.wimlib, "--version").Output()
	if err != nil {
		return "", err
	}
	wimlib, _, _ := bytes.Cut(version, []byte("\n"))

	var p strings.Builder
	fmt.Fprintf(&p, `# Benchmarks

Made by `+"`make bench`"+` (%s).

- Machine: %s, %d cores, Linux, %s; files in memory (tmpfs).
- Against: %s, with `+"`--threads=%d`"+`, and cpio and gzip; ours with as many.
- Tree: %s: %.1f MB in %d files.
- Each measurement is a process of its own; the contestants take turns, one round
  to warm up and %d that count. Times are medians, ratios medians of the rounds' ratios.

## Windows images: time and size

| | ours | wimlib | ratio | target | size, ours | size, wimlib | ratio | target |
|---|---|---|---|---|---|---|---|---|
`, "`go run ./bench`", cpu(), runtime.NumCPU(), runtime.Version(), wimlib, b.threads,
		b.tree.origin, float64(b.tree.bytes)/1e6, b.tree.files, b.runs)
	for _, r := range races {
		fmt.Fprintf(&p, "| %s | %s | %s | %.2f | %s |", r.what,
			seconds(r.ours.median()), seconds(r.theirs.median()), r.timeRatio(), target(r.maxTime, r.timeRatio()))
		if r.maxSize == 0 {
			p.WriteString(" | | | |\n")
			continue
		}
		fmt.Fprintf(&p, " %.2f MB | %.2f MB | %.3f | %s |\n",
			float64(r.ours.size)/1e6, float64(r.theirs.size)/1e6, r.sizeRatio(), target(r.maxSize, r.sizeRatio()))
	}
	if peaks != nil {
		wimMemory(&p, peaks)
	}
	packages.page(&p)
	kits.page(&p)
	written.page(&p)
	services.page(&p)
	return p.String(), nil
}

func wimMemory(p *strings.Builder, peaks []peak) {
	fmt.Fprintf(p, `
## Windows images: memory

The highest resident size of a process that writes a WIM, with a soft limit of
40 MiB (debug.SetMemoryLimit). Target: at most %d MiB, whatever the payload.

| payload | | files | level | peak | |
|---|---|---|---|---|---|
`, maxPeak>>20)
	for _, k := range peaks {
		fmt.Fprintf(p, "| %s | %d MB | %d | %s | %.1f MiB | %s |\n",
			k.tree.origin, k.tree.bytes/1e6, k.tree.files, k.what, float64(k.rss)/(1<<20), verdict(k.rss <= maxPeak))
	}
}

// page adds the figures of installer packages.
func (i *installers) page(p *strings.Builder) {
	fmt.Fprintf(p, `
## macOS packages: time and size

A product archive of %s: %.1f MB in %d files.

| against | ours | theirs | ratio | target | size, ours | size, theirs | ratio | target |
|---|---|---|---|---|---|---|---|---|
`, i.tree.origin, float64(i.tree.bytes)/1e6, i.tree.files)
	for _, r := range i.races {
		fmt.Fprintf(p, "| %s | %s | %s | %.3f | %s |", r.what,
			seconds(r.ours.median()), seconds(r.theirs.median()), r.timeRatio(), target(r.maxTime, r.timeRatio()))
		if r.maxSize == 0 {
			p.WriteString(" | | | |\n")
			continue
		}
		fmt.Fprintf(p, " %.2f MB | %.2f MB | %.3f | %s |\n",
			float64(r.ours.size)/1e6, float64(r.theirs.size)/1e6, r.sizeRatio(), target(r.maxSize, r.sizeRatio()))
	}
	if i.peaks == nil {
		return
	}
	fmt.Fprintf(p, `
## macOS packages: memory

Soft limit and measurement as above. Target: at most %d MiB, whatever the payload.

| payload | | files | peak | |
|---|---|---|---|---|
`, maxInstallerPeak>>20)
	for _, k := range i.peaks {
		fmt.Fprintf(p, "| %s | %d MB | %d | %.1f MiB | %s |\n",
			k.tree.origin, k.tree.bytes/1e6, k.tree.files, float64(k.rss)/(1<<20), verdict(k.rss <= maxInstallerPeak))
	}
	p.WriteString(`
## macOS packages: many tiny files

| files | time | per file | peak |
|---|---|---|---|
`)
	for _, t := range i.tiny {
		fmt.Fprintf(p, "| %d | %s | %.1f µs | %.1f MiB |\n",
			t.files, seconds(t.took), float64(t.took.Microseconds())/float64(t.files), float64(t.rss)/(1<<20))
	}
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "**missed**"
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

func target(limit, got float64) string {
	switch {
	case limit == 0:
		return ""
	case got <= limit:
		return fmt.Sprintf("≤ %.2f met", limit)
	}
	return fmt.Sprintf("≤ %.2f **missed**", limit)
}

// cpu is the processor's name.
func cpu() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(data)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
