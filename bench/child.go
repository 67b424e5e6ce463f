//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"

	"firstday.dev/ppkg/wim"
	"firstday.dev/ppkg/xpress"
)

// childMode as the first argument makes this program one of our contestants.
const childMode = "child"

var levels = map[string]xpress.Level{"fast": xpress.Fast, "default": xpress.Default, "best": xpress.Best}

var verbs = map[string]func([]string) error{
	"product": product, "classic": classic, "gzip": bareGzip, "tiny": tinyProduct,
	"service": serviceChild,
	"single":  singleKit, "further": furtherKits, "many": manyKits, "bare": bareCosts,
	"sticks": writeSticks,
}

// child does one thing once: capture LEVEL THREADS DIR FILE,
// verify THREADS FILE or extract THREADS FILE DIR, or something with installer
// packages. What writes ends by printing the process's peak memory. With the environment variable BENCH_PROFILE it
// writes a CPU profile there.
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
	if pack := verbs[verb]; pack != nil {
		return pack(args)
	}
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
	// What a program does that wants to stay small: without it, Go lets the
	// heap grow to twice of what is in use.
	debug.SetMemoryLimit(40 << 20)
	if err := wim.Write(context.Background(), f, image, wim.Options{Level: level, Threads: threads}); err != nil {
		return err
	}
	return printPeak()
}

// printPeak prints the peak of this process's resident memory in bytes.
func printPeak() error {
	peak, err := peakMemory()
	if err == nil {
		fmt.Println(peak)
	}
	return err
}

// peakMemory is the peak of this process's resident memory in bytes. The figure that the parent gets from wait4 would not do: it starts with the
// parent's own memory, since exec keeps it.
func peakMemory() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			var kib int64
			if _, err := fmt.Sscanf(value, "%d kB", &kib); err != nil {
				return 0, fmt.Errorf("VmHWM: %w", err)
			}
			return kib << 10, nil
		}
	}
	return 0, errors.New("no VmHWM in /proc/self/status")
}

func extract(r *wim.Reader, dir string, threads int) error {
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	err = r.Images[0].Extract(context.Background(), root, threads, nil)
	return errors.Join(err, root.Close())
}
