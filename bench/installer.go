//go:build linux

package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"firstday.dev/signing"
)

// installers are the figures of installer packages for macOS.
type installers struct {
	tree  tree
	races []race
	peaks []peak
	tiny  []tiny
}

// tiny is a package of many tiny files.
type tiny struct {
	files int
	took  time.Duration
	rss   int64
}

// maxInstallerPeak is what writing a package may take, whatever it holds.
const maxInstallerPeak = 96 << 20

// installerTree is how much a package holds in the races, in bytes.
const installerTree = 500_000_000

// installers lets our writer race against the pipeline that people use on
// Linux, and against the compression alone, which nothing can beat.
func (b *bench) installers(ctx context.Context, memory bool) (*installers, error) {
	in := func(name string) string { return filepath.Join(b.dir, name) }
	big, err := b.tree.manyTimes(in("payload"), installerTree)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(big.path) //nolint:errcheck // b.dir goes as a whole
	i := &installers{tree: big}
	if err := b.writeIdentity(in("chain.pem"), in("key.pem")); err != nil {
		return nil, err
	}
	archive := in("payload.cpio")
	pack := exec.CommandContext(ctx, "sh", "-c", `find . | cpio -o -H odc --quiet >"$0"`, archive)
	pack.Dir = big.path
	if out, err := pack.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cpio: %w\n%s", err, out)
	}
	threads := strconv.Itoa(b.threads)
	ours := &contestant{name: "product", output: in("ours.pkg"), argv: []string{b.self, childMode, "product", threads, big.path, in("ours.pkg")}}
	signed := &contestant{name: "signed product", output: in("signed.pkg"),
		argv: []string{b.self, childMode, "product", threads, big.path, in("signed.pkg"), in("chain.pem"), in("key.pem")}}
	classic := &contestant{name: "find | cpio | gzip", output: in("classic.pkg"), argv: []string{b.self, childMode, "classic", big.path, in("classic.pkg")}}
	bare := &contestant{name: "parallel gzip", output: in("bare.gz"), argv: []string{b.self, childMode, "gzip", threads, archive, in("bare.gz")}}
	for round := -1; round < b.runs; round++ {
		for _, c := range []*contestant{classic, ours, bare, signed} {
			fmt.Fprintf(os.Stderr, "\rpackages: round %d of %d: %-20s", round+1, b.runs, c.name)
			if err := c.run(ctx, round >= 0); err != nil {
				return nil, err
			}
		}
	}
	fmt.Fprintln(os.Stderr)
	i.races = []race{
		{"`find \\| cpio \\| gzip`, Bom and xar after it", ours, classic, 0.2, 1.03},
		{"parallel gzip of the same bytes, in one file", ours, bare, 1.15, 0},
		{"the same package, unsigned", signed, ours, 1.05, 0},
	}
	if !memory {
		return i, nil
	}
	if i.peaks, err = b.installerPeaks(ctx, big, ours.says); err != nil {
		return nil, err
	}
	i.tiny, err = b.tinyFiles(ctx)
	return i, err
}

// writeIdentity makes who signs: a key takes longer to make than a package to
// sign.
func (b *bench) writeIdentity(chain, key string) error {
	id, err := signing.Throwaway("Bench", time.Now())
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(id.Signer)
	if err != nil {
		return err
	}
	var certificates []byte
	for _, c := range id.Chain {
		certificates = append(certificates, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	if err := os.WriteFile(chain, certificates, 0o600); err != nil {
		return err
	}
	return os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

func (b *bench) installerPeaks(ctx context.Context, small tree, says string) ([]peak, error) {
	rss, err := strconv.ParseInt(says, 10, 64)
	if err != nil {
		return nil, err
	}
	list := []peak{{tree: small, rss: rss}}
	fmt.Fprintf(os.Stderr, "\rpackages: making 5 GB       ")
	large, err := b.tree.withLargeFiles(filepath.Join(b.dir, "big"), 5_000_000_000)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(large.path) //nolint:errcheck // b.dir goes as a whole
	file := filepath.Join(b.dir, "memory.pkg")
	c := &contestant{output: file, argv: []string{b.self, childMode, "product", strconv.Itoa(b.threads), large.path, file}}
	if err := c.run(ctx, true); err != nil {
		return nil, err
	}
	if rss, err = strconv.ParseInt(c.says, 10, 64); err != nil {
		return nil, err
	}
	return append(list, peak{tree: large, rss: rss}), os.Remove(file)
}

// tinyFiles packs a hundred thousand files, then a million: a step that grows
// with their square would show.
func (b *bench) tinyFiles(ctx context.Context) ([]tiny, error) {
	var list []tiny
	for _, n := range []int{100_000, 1_000_000} {
		fmt.Fprintf(os.Stderr, "\rpackages: %d tiny files        ", n)
		file := filepath.Join(b.dir, "tiny.pkg")
		c := &contestant{output: file, argv: []string{b.self, childMode, "tiny", strconv.Itoa(b.threads), strconv.Itoa(n), file}}
		if err := c.run(ctx, true); err != nil {
			return nil, err
		}
		rss, err := strconv.ParseInt(c.says, 10, 64)
		if err != nil {
			return nil, err
		}
		list = append(list, tiny{n, c.median(), rss})
	}
	fmt.Fprintln(os.Stderr)
	return list, nil
}
