//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"firstday.dev/internal/testagents"
	"firstday.dev/kit"
	"firstday.dev/station"
	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
)

// sticks are the figures of many sticks written at once.
type sticks struct {
	bytes     int64        // of the image of a stick
	fast, usb *stickFigure // as fast as memory, and as a stick
}

type stickFigure struct {
	ours       *contestant
	dd, ddRead *contestant
	written    []time.Duration // until all were written and flushed
	all        []time.Duration // until all were read back and made whole
}

const (
	stickCount = 8
	stickSize  = 512 << 20
	stickSpeed = 60_000_000 // bytes a second, each
	stickNoise = 150_000_000
	minSticks  = 0.9
)

// writtenSticks is what a process tells of the sticks it wrote.
type writtenSticks struct{ Written, All time.Duration }

// sticks lets firstday and dd write the same bytes to the same block devices, which
// the kernel makes of files in memory. Both go past the page cache, in pieces of
// 1 MiB, and have the devices keep what was written.
func (b *bench) sticks(ctx context.Context) (_ *sticks, err error) {
	in := func(name string) string { return filepath.Join(b.dir, "sticks", name) }
	agents, err := testagents.Folder()
	if err != nil {
		return nil, err
	}
	defer testagents.Cleanup()
	if err := os.MkdirAll(in("sticks"), 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(in("")) //nolint:errcheck // b.dir goes as a whole
	if err := writeLargeKit(in); err != nil {
		return nil, err
	}
	build := &contestant{argv: []string{b.self, childMode, "single", in("firstday.yaml"), agents, in(""), "fast"}}
	if err := build.run(ctx, false); err != nil {
		return nil, err
	}
	r := new(sticks)
	if r.bytes, err = makeImage(ctx, in("kit"), in("stick.img")); err != nil {
		return nil, err
	}
	var devices []string
	defer func() {
		for _, d := range devices {
			_ = exec.Command("losetup", "--detach", d).Run() // the files go as a whole
		}
	}()
	for i := range stickCount {
		device, err := loopDevice(ctx, in(fmt.Sprintf("sticks/%d", i)))
		if err != nil {
			return nil, err
		}
		devices = append(devices, device)
	}
	eachDevice := func(command string) string {
		var script strings.Builder
		for _, d := range devices {
			fmt.Fprintf(&script, command+" & ", d)
		}
		return script.String() + "wait"
	}
	write := eachDevice("dd if=" + in("stick.img") + " of=%s bs=1M oflag=direct conv=fsync status=none")
	read := eachDevice(fmt.Sprintf("dd if=%%s bs=1M iflag=direct,count_bytes count=%d status=none | cmp - %s", r.bytes, in("stick.img")))
	ours := strings.Join(append([]string{b.self, childMode, "sticks", in("kit")}, devices...), " ")
	slow, err := slowDown(devices)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(slow)) }()
	inGroup := func(group, command string) []string {
		if group != "" {
			command = "echo $$ >" + filepath.Join(group, "cgroup.procs") + "; " + command
		}
		return []string{"sh", "-c", command}
	}
	for _, f := range []struct {
		figure **stickFigure
		group  string
	}{{&r.fast, ""}, {&r.usb, slow}} {
		*f.figure = &stickFigure{
			ours: &contestant{name: "sticks", argv: inGroup(f.group, ours)}, dd: &contestant{name: "dd", argv: inGroup(f.group, write)},
			ddRead: &contestant{name: "dd and cmp", argv: inGroup(f.group, write+"; "+read)},
		}
		if err := (*f.figure).race(ctx, b.runs); err != nil {
			return nil, err
		}
	}
	fmt.Fprintln(os.Stderr)
	return r, nil
}

// race lets the contestants take turns.
func (f *stickFigure) race(ctx context.Context, runs int) error {
	for round := -1; round < runs; round++ {
		for _, c := range []*contestant{f.ours, f.dd, f.ddRead} {
			fmt.Fprintf(os.Stderr, "\rsticks: round %d of %d: %-20s", round+1, runs, c.name)
			if err := c.run(ctx, round >= 0); err != nil {
				return err
			}
		}
		if round < 0 {
			continue
		}
		var took writtenSticks
		if err := json.Unmarshal([]byte(f.ours.says), &took); err != nil {
			return err
		}
		f.written, f.all = append(f.written, took.Written), append(f.all, took.All)
	}
	return nil
}

// slowDown makes a control group in which the devices are as fast as sticks, for
// reading and writing.
func slowDown(devices []string) (group string, err error) {
	group, err = os.MkdirTemp("/sys/fs/cgroup/blkio", "firstday-bench-")
	if err != nil {
		return "", fmt.Errorf("%w: sticks are measured where the kernel has the first version of the control group blkio", err)
	}
	for _, device := range devices {
		var s unix.Stat_t
		if err := unix.Stat(device, &s); err != nil {
			return "", err
		}
		limit := fmt.Sprintf("%d:%d %d", unix.Major(s.Rdev), unix.Minor(s.Rdev), stickSpeed)
		for _, file := range []string{"blkio.throttle.write_bps_device", "blkio.throttle.read_bps_device"} {
			if err := os.WriteFile(filepath.Join(group, file), []byte(limit), 0); err != nil {
				return "", err
			}
		}
	}
	return group, nil
}

// writeLargeKit writes the configuration of a kit that is large enough for the
// smallest image of it to be full, and its payload, which no compression shrinks.
func writeLargeKit(in func(string) string) error {
	const text = `version: 1
organisation: {name: Bench}
directory: {url: "https://directory.bench.example"}
connectKey: {file: connect.key}
windows: {payloads: [{file: payload.exe, arguments: /S}]}
`
	payload := make([]byte, stickNoise)
	_, _ = rand.NewChaCha8([32]byte{}).Read(payload) // it never fails
	copy(payload, "MZ")
	for name, content := range map[string][]byte{"firstday.yaml": []byte(text), "connect.key": []byte("fdk_the-connect-key-of-the-bench"), "payload.exe": payload} {
		if err := os.WriteFile(in(name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// makeImage makes the smallest image of a stick with the kit, for dd.
func makeImage(ctx context.Context, dir, to string) (size int64, err error) {
	s, err := station.Open(ctx, dir, station.DefaultLabel, kit.VerifyOptions{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if size, err = fat32.SizeFor(s, 0); err != nil {
		return 0, err
	}
	_, err = s.WriteImage(ctx, to, station.ImageOptions{Size: size})
	return size, err
}

func loopDevice(ctx context.Context, file string) (string, error) {
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return "", err
	}
	if err := os.Truncate(file, stickSize); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "losetup", "--find", "--show", file).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("losetup: %w: %s; sticks are measured by root only", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// writeSticks writes a kit to disks, as `firstday usb write --format` does:
// KIT DEVICE….
func writeSticks(args []string) (err error) {
	s, err := station.Open(context.Background(), args[0], station.DefaultLabel, kit.VerifyOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var targets []station.Target
	for _, device := range args[1:] {
		targets = append(targets, station.Target{Name: device, Format: true, Disk: &media.Disk{Name: filepath.Base(device), Path: device}})
	}
	var took writtenSticks
	began := time.Now()
	read := make(map[string]bool)
	run, err := s.Write(context.Background(), targets, station.WriteOptions{Event: func(e station.Event) {
		if e.Phase == station.Reading && !read[e.Target] {
			read[e.Target], took.Written = true, time.Since(began)
		}
	}})
	for _, r := range run.Sticks {
		if e := r.Err(); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", r.Target, e))
		}
	}
	if err != nil {
		return err
	}
	took.All = time.Since(began)
	return json.NewEncoder(os.Stdout).Encode(took)
}

// sticksHeading begins the part of the page that is about sticks.
const sticksHeading = "\n## Sticks: eight at once"

func (r *sticks) page(p *strings.Builder) {
	fmt.Fprintf(p, sticksHeading+`

A kit, onto %d block devices of %d MB that the kernel makes of files in memory, all at
once and past the page cache, in pieces of 1 MiB. dd writes the smallest image of the
same stick (%.1f MB), which it reads once for each device. Firstday formats the whole
device: FATs for all of it and the marker of an incomplete stick are in its time, and
it reads each file of the kit once and holds it against its checksum. MB/s are those of
the image. Sticks of %d MB/s are the devices slowed down by the kernel; at the speed of
memory both are bound by the processor, which hashes for one of them.

| | | firstday | | dd | | ratio | target |
|---|---|---|---|---|---|---|---|
`, stickCount, stickSize/1_000_000, float64(r.bytes)/1e6, stickSpeed/1_000_000)
	rate := func(d time.Duration) float64 { return float64(r.bytes) * stickCount / 1e6 / d.Seconds() }
	for _, of := range []struct {
		what   string
		figure *stickFigure
		target bool
	}{{fmt.Sprintf("sticks of %d MB/s", stickSpeed/1_000_000), r.usb, true}, {"memory", r.fast, false}} {
		f := of.figure
		for _, row := range []struct {
			what   string
			ours   []time.Duration
			theirs *contestant
			target bool
		}{
			{"written and flushed; dd conv=fsync", f.written, f.dd, of.target},
			{"… read back, compared, made whole; dd, then dd \\| cmp", f.all, f.ddRead, false},
		} {
			ratios := make([]float64, len(row.ours))
			for i, t := range row.theirs.times {
				ratios[i] = t.Seconds() / row.ours[i].Seconds()
			}
			met := ""
			if row.target {
				met = fmt.Sprintf("≥ %.1f %s", minSticks, verdict(median(ratios) >= minSticks))
			}
			fmt.Fprintf(p, "| %s | %s | %s | %.0f MB/s | %s | %.0f MB/s | %.2f | %s |\n", of.what, row.what,
				seconds(median(row.ours)), rate(median(row.ours)), seconds(row.theirs.median()), rate(row.theirs.median()), median(ratios), met)
		}
	}
}

// withSticks gives a whole page with other figures of sticks.
func withSticks(page, figures string) string {
	return withPart(page, figures, sticksHeading, directoryHeading)
}

// withPart gives a whole page with other figures in the part that begins with a
// heading, and ends where one of those that may follow begins.
func withPart(page, figures, heading string, next ...string) string {
	end := len(page)
	for _, n := range next {
		if i := strings.Index(page, n); i >= 0 {
			end = min(end, i)
		}
	}
	before, _, _ := strings.Cut(page[:end], heading)
	return before + figures + page[end:]
}
