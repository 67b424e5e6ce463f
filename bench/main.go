//go:build linux

// Bench measures the WIM reader and writer of ppkg/wim against wimlib, and the
// writer of pkgbuild against the pipeline of cpio and gzip: the same tree of
// real programs and sources, the same machine, turn about, each measurement in a
// process of its own, all files in memory (tmpfs). It measures batches of kits
// against a kit alone and wimlib, sticks against dd, and the directory against a handler that does
// nothing.
//
//	go run ./bench          # or make bench
//	go run ./bench -runs 9 -tree DIR -o FILE
//	go run ./bench -only directory   # or batch, or sticks
//
// It prints a Markdown page and writes it to BENCHMARKS.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == childMode {
		fail(child(os.Args[2:]))
		return
	}
	b := &bench{}
	flag.IntVar(&b.runs, "runs", 7, "rounds to take the median of; at least 5")
	flag.IntVar(&b.threads, "threads", 2, "threads of either side")
	tree := flag.String("tree", "", "directory to capture (default: made from the Go tool chain)")
	memory := flag.Bool("memory", true, "also measure memory with a payload of 2 GB")
	dir := flag.String("dir", "/dev/shm", "where to work; a tmpfs")
	only := flag.String("only", "", "measure only the directory (directory), batches (batch) or sticks (sticks), and leave the rest of the page as it is")
	out := flag.String("o", "BENCHMARKS.md", "page to write; empty for none")
	flag.Parse()
	b.runs = max(b.runs, 5)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var page string
	var err error
	switch *only {
	case "":
		page, err = b.run(ctx, *dir, *tree, *memory)
	case "directory":
		page, err = b.runDirectory(ctx, *dir)
	case "batch":
		page, err = b.runBatches(ctx, *dir, *tree)
	case "sticks":
		page, err = b.runSticks(ctx, *dir, *tree)
	default:
		err = fmt.Errorf("there is no part %q", *only)
	}
	fail(err)
	fmt.Print(page)
	if *out == "" {
		return
	}
	if *only != "" {
		old, err := os.ReadFile(*out)
		fail(err)
		with := map[string]func(page, figures string) string{"directory": withDirectory, "batch": withBatches, "sticks": withSticks}[*only]
		page = with(string(old), page)
	}
	fail(os.WriteFile(*out, []byte(page), 0o644))
}

// withDirectory gives a whole page with other figures of the directory.
func withDirectory(page, figures string) string {
	others, _, _ := strings.Cut(page, directoryHeading)
	return others + figures
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}

// bench is one run of this program.
type bench struct {
	runs    int
	threads int
	wimlib  string // wimlib-imagex
	self    string // this program
	dir     string // everything below it is thrown away
	tree    tree
}

// open finds the contestants and makes the tree; close removes it.
func (b *bench) open(dir, source string) (err error) {
	if b.wimlib, err = exec.LookPath("wimlib-imagex"); err != nil {
		return fmt.Errorf("%w; `make setup` installs it", err)
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(dir, "firstday-bench-"); err != nil {
		return err
	}
	if b.tree, err = makeTree(filepath.Join(b.dir, "tree"), source); err != nil {
		return errors.Join(err, b.close())
	}
	return nil
}

func (b *bench) close() error { return os.RemoveAll(b.dir) }

func (b *bench) run(ctx context.Context, dir, source string, memory bool) (page string, err error) {
	if err := b.open(dir, source); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	rows, err := b.races(ctx)
	if err != nil {
		return "", err
	}
	var peaks []peak
	if memory {
		if peaks, err = b.peaks(ctx); err != nil {
			return "", err
		}
	}
	packages, err := b.installers(ctx, memory)
	if err != nil {
		return "", err
	}
	kits, err := b.batches(ctx)
	if err != nil {
		return "", err
	}
	written, err := b.sticks(ctx)
	if err != nil {
		return "", err
	}
	services, err := b.directories(ctx)
	if err != nil {
		return "", err
	}
	return b.page(rows, peaks, packages, kits, written, services)
}

// runBatches measures batches alone.
func (b *bench) runBatches(ctx context.Context, dir, source string) (page string, err error) {
	if err := b.open(dir, source); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	kits, err := b.batches(ctx)
	if err != nil {
		return "", err
	}
	var p strings.Builder
	kits.page(&p)
	return p.String(), nil
}

// runSticks measures sticks alone.
func (b *bench) runSticks(ctx context.Context, dir, source string) (page string, err error) {
	if err := b.open(dir, source); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	written, err := b.sticks(ctx)
	if err != nil {
		return "", err
	}
	var p strings.Builder
	written.page(&p)
	return p.String(), nil
}

// runDirectory measures the directory alone.
func (b *bench) runDirectory(ctx context.Context, dir string) (page string, err error) {
	if b.self, err = os.Executable(); err != nil {
		return "", err
	}
	if b.dir, err = os.MkdirTemp(dir, "firstday-bench-"); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	services, err := b.directories(ctx)
	if err != nil {
		return "", err
	}
	var p strings.Builder
	services.page(&p)
	return p.String(), nil
}
