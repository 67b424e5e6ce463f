//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"strconv"

	"firstday.dev/ppkg/wim"
	"firstday.dev/ppkg/xpress"
)

// childMode as the first argument makes this program one of our contestants.
const childMode = "child"

var levels = map[string]xpress.Level{"fast": xpress.Fast, "default": xpress.Default, "best": xpress.Best}

// child does one thing once: capture LEVEL THREADS DIR FILE,
// verify THREADS FILE or extract THREADS FILE DIR. With the environment
// variable BENCH_PROFILE it writes a CPU profile there.
func child(args []string) error {
	if path := os.Getenv("BENCH_PROFILE"); path != "" {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	verb, args := args[0], args[1:]
	if verb == "capture" {
		level := levels[args[0]]
		threads, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return capture(args[2], args[3], level, threads)
	}
	threads, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	f, err := os.Open(args[1])
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r, err := wim.NewReader(f, info.Size())
	if err != nil {
		return err
	}
	switch verb {
	case "verify":
		return r.Verify(context.Background(), threads, nil)
	case "extract":
		return extract(r, args[2], threads)
	}
	return fmt.Errorf("no contestant %q", verb)
}

func capture(dir, file string, level xpress.Level, threads int) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	image := &wim.Image{
		FS:         os.DirFS(dir),
		Properties: []wim.Property{{Name: "NAME", Value: "bench"}},
	}
	return wim.Write(context.Background(), f, image, wim.Options{Level: level, Threads: threads})
}

func extract(r *wim.Reader, dir string, threads int) error {
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return r.Images[0].Extract(context.Background(), root, threads, nil)
}
