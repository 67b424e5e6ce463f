//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"firstday.dev/config"
	"firstday.dev/kit"
	"firstday.dev/ppkg/catalog"
)

// cost is what making something took.
type cost struct {
	Time, CPU time.Duration
}

// batchCosts is what a process tells of the kits it made.
type batchCosts struct {
	First   cost
	Further []cost
	Hashes  cost
	Size    int64         // of a package
	All     time.Duration // for the run of many
	Peak    int64         // of resident memory, bytes
}

// singleKit makes one kit as `firstday build` does: CONFIG AGENTS DIR LEVEL.
func singleKit(args []string) error {
	c, err := config.Load(args[0])
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(40 << 20)
	_, err = kit.Build(context.Background(), kit.Options{
		Config: c, Platforms: []kit.Platform{kit.Windows}, Agents: args[1], Output: filepath.Join(args[2], "kit"),
		Builder: "bench", Time: time.Now(), Level: levels[args[3]],
	})
	return err
}

// furtherKits makes a kit, and then as many further ones of the same payload,
// one after the other: CONFIG AGENTS DIR LEVEL COUNT.
func furtherKits(args []string) error {
	return withBatch(args, func(b *kit.Batch, c *config.Config, count int) (*batchCosts, error) {
		result := new(batchCosts)
		for i := range count + 1 {
			began := now()
			m, err := b.Build(context.Background(), kit.Row{Name: "kit", Config: c})
			if err != nil {
				return nil, err
			}
			took := now().minus(began)
			if i == 0 {
				result.First, result.Size = took, m.Packages[0].Size
			} else {
				result.Further = append(result.Further, took)
			}
			if err := os.RemoveAll(filepath.Join(args[2], "kit")); err != nil {
				return nil, err
			}
		}
		return result, nil
	})
}

// manyKits makes as many kits in one run, as `firstday build --batch` does, and
// removes those that are done, which would not all find room.
func manyKits(args []string) error {
	return withBatch(args, func(b *kit.Batch, c *config.Config, count int) (*batchCosts, error) {
		const kept = 8
		began := time.Now()
		_, err := b.BuildAll(context.Background(), count, func(i int) (kit.Row, error) {
			row := kit.Row{Name: strconv.Itoa(i), Config: c}
			return row, os.RemoveAll(filepath.Join(args[2], strconv.Itoa(i-kept)))
		})
		return &batchCosts{All: time.Since(began)}, err
	})
}

func withBatch(args []string, work func(b *kit.Batch, c *config.Config, count int) (*batchCosts, error)) error {
	count, err := strconv.Atoi(args[4])
	if err != nil {
		return err
	}
	c, err := config.Load(args[0])
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(40 << 20)
	b, err := kit.NewBatch(context.Background(), kit.Options{
		Config: c, Platforms: []kit.Platform{kit.Windows}, Agents: args[1], Output: args[2],
		Builder: "bench", Time: time.Now(), Level: levels[args[3]],
	})
	if err != nil {
		return err
	}
	result, err := work(b, c, count)
	if err := errors.Join(err, b.Close()); err != nil {
		return err
	}
	if result.Peak, err = peakMemory(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// now is the time, and that of the process on its processors.
func now() cost {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail
	return cost{time.Duration(time.Now().UnixNano()), time.Duration(u.Utime.Nano() + u.Stime.Nano())}
}

func (c cost) minus(o cost) cost { return cost{c.Time - o.Time, c.CPU - o.CPU} }

// bareCosts hashes a package as a catalog and SHA256SUMS need it, and lets the
// kernel copy it as further kits are, and does nothing else: FILE.
func bareCosts(args []string) error {
	data, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var costs batchCosts
	began := now()
	if _, err := catalog.Digest(bytes.NewReader(data)); err != nil {
		return err
	}
	costs.Hashes = now().minus(began)
	in, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer in.Close()
	for range batchSample {
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			return err
		}
		out, err := os.Create(args[0] + ".copy")
		if err != nil {
			return err
		}
		began := now()
		_, err = io.Copy(out, io.LimitReader(in, int64(len(data)))) // which os.File has the kernel do
		costs.Further = append(costs.Further, now().minus(began))
		if err := errors.Join(err, out.Close(), os.Remove(out.Name())); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(costs)
}
