//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"firstday.dev/internal/testagents"
)

// batches are the figures of kits built in a batch.
type batches struct {
	single, capture *contestant
	hashes, copies  time.Duration // on the processor, of a whole package and nothing else
	first           []cost
	further         []cost // the median of each round
	size            int64  // of a package
	many            batchCosts
	payload         int64
	load            string // of the machine when it began
}

const (
	batchPayload = 60_000_000 // bytes that the packages carry beside the agents
	batchSample  = 20         // further kits in a round
	batchMany    = 1000

	maxFurther    = 0.03
	maxFurtherCPU = 20 * time.Millisecond
	maxBatchPeak  = 256 << 20
)

// batches lets a kit that is built alone, further ones of a batch, and wimlib
// take turns.
func (b *bench) batches(ctx context.Context) (*batches, error) {
	in := func(name string) string { return filepath.Join(b.dir, "batch", name) }
	agents, err := testagents.Folder()
	if err != nil {
		return nil, err
	}
	defer testagents.Cleanup()
	for _, dir := range []string{in("tree"), in("kits")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	defer os.RemoveAll(in("")) //nolint:errcheck // b.dir goes as a whole
	r := &batches{payload: batchPayload}
	if r.load, err = loadAverage(); err != nil {
		return nil, err
	}
	if err := b.writeBatch(in, agents); err != nil {
		return nil, err
	}
	with := func(verb, dir string, more ...string) []string {
		return append([]string{b.self, childMode, verb, in("firstday.yaml"), agents, in(dir), "default"}, more...)
	}
	r.single = &contestant{name: "one kit", output: in("kit"), argv: with("single", "")}
	further := &contestant{name: "further kits", argv: with("further", "kits", strconv.Itoa(batchSample))}
	bare := &contestant{name: "hashes and copies", argv: []string{b.self, childMode, "bare", in("kit/Bench.ppkg")}}
	r.capture = &contestant{name: "wimlib", output: in("wimlib.wim"), argv: []string{
		b.wimlib, "capture", in("tree"), in("wimlib.wim"), "--compress=XPRESS", "--threads=" + strconv.Itoa(b.threads)}}
	var hashed, copied []time.Duration
	for round := -1; round < b.runs; round++ {
		for _, c := range []*contestant{r.single, r.capture, further, bare} {
			fmt.Fprintf(os.Stderr, "\rbatch: round %d of %d: %-20s", round+1, b.runs, c.name)
			if err := c.run(ctx, round >= 0); err != nil {
				return nil, err
			}
		}
		if round < 0 {
			continue
		}
		var costs, of batchCosts
		if err := json.Unmarshal([]byte(further.says), &costs); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(bare.says), &of); err != nil {
			return nil, err
		}
		r.first, r.size = append(r.first, costs.First), costs.Size
		r.further = append(r.further, medianCost(costs.Further))
		hashed, copied = append(hashed, of.Hashes.CPU), append(copied, medianCost(of.Further).CPU)
	}
	r.hashes, r.copies = median(hashed), median(copied)
	fmt.Fprintf(os.Stderr, "\rbatch: %d kits in one run            ", batchMany)
	many := &contestant{argv: with("many", "kits", strconv.Itoa(batchMany))}
	if err := many.run(ctx, true); err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr)
	return r, json.Unmarshal([]byte(many.says), &r.many)
}

// writeBatch writes the configuration, the payload and, for wimlib, the tree
// that goes into a package.
func (b *bench) writeBatch(in func(string) string, agents string) error {
	const text = `version: 1
organisation: {name: Bench}
directory: {url: "https://directory.bench.example"}
connectKey: {file: connect.key}
windows: {payloads: [{file: payload.exe, arguments: /S}]}
`
	for name, content := range map[string]string{"firstday.yaml": text, "connect.key": "fdk_the-connect-key-of-the-bench"} {
		if err := os.WriteFile(in(name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	out, err := os.Create(in("payload.exe"))
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := out.WriteString("MZ"); err != nil {
		return err
	}
	err = filepath.WalkDir(b.tree.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Size() < 1<<20 {
			return err // programs are large, and what installers are made of
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		at, err := out.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		if at == batchPayload {
			return fs.SkipAll
		}
		_, err = io.Copy(out, io.LimitReader(f, batchPayload-at))
		return err
	})
	if err != nil {
		return err
	}
	if info, err := out.Stat(); err != nil || info.Size() != batchPayload {
		return fmt.Errorf("the tree has no %d bytes of programs (%w)", batchPayload, err)
	}
	for _, file := range []string{in("payload.exe"), filepath.Join(agents, "firstday-agent-windows-amd64.exe"), filepath.Join(agents, "firstday-agent-windows-arm64.exe")} {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(in("tree"), filepath.Base(file)), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// loadAverage is that of the last minute.
func loadAverage() (string, error) {
	data, err := os.ReadFile("/proc/loadavg")
	load, _, _ := strings.Cut(string(data), " ")
	return load, err
}

func medianCost(costs []cost) cost {
	var times, cpus []time.Duration
	for _, c := range costs {
		times, cpus = append(times, c.Time), append(cpus, c.CPU)
	}
	return cost{median(times), median(cpus)}
}

// batchHeading begins the part of the page that is about batches.
const batchHeading = "\n## Batch: kits of one payload"

// withBatches gives a whole page with other figures of batches.
func withBatches(page, figures string) string {
	return withPart(page, figures, batchHeading, sticksHeading, directoryHeading)
}

func (r *batches) page(p *strings.Builder) {
	first, further := medianCost(r.first), medianCost(r.further)
	ratios := make([]float64, len(r.first))
	for i := range ratios {
		ratios[i] = float64(r.further[i].Time) / float64(r.first[i].Time)
	}
	ratio := median(ratios)
	perMany := r.many.All / batchMany
	wimlib := r.capture.median()
	fmt.Fprintf(p, batchHeading+`

Kits for Windows, unsigned, with the agents and an installer of %d MB; a package
has %.1f MB. The first kit of a batch compresses; further ones copy, in memory
(tmpfs), which shares no blocks. CPU is that of the process, by getrusage.
Machine of this part: %s, %d cores, with a load average of %s when it began.

| | time | CPU | | target |
|---|---|---|---|---|
| one kit, by a process of its own | %s | | | |
| the first kit of a batch | %s | %s | | |
| a further kit, one after the other | %s | %s | %.1f %% of the first's time | ≤ 3 %% %s |
| … on the processor | | %s | | ≤ %d ms %s |
| … of that, copying in the kernel, measured alone | | %s | | |
| SHA-1 and SHA-256 of one package, which further kits are spared | | %s | | |
| %d kits in one run, each | %s | | %.1f %% of the first's time | |
| wimlib-imagex capture of the same files | %s | | | |

%d kits in one run took %s, with a peak of %.1f MiB (target: ≤ %d MiB, %s);
wimlib-imagex %d times, by the median of %d, would take %s, without hashes,
catalogs and papers: %.2f times that.

All packages of a batch begin with the same bytes: the header, then what they
share. The digests of a further one, which its catalog and SHA256SUMS hold, go on
from what those of the first were after that. What is left is the copy, for the
most part; a file system that shares blocks is spared that, too.
`, r.payload/1e6, float64(r.size)/1e6, cpu(), runtime.NumCPU(), r.load,
		seconds(r.single.median()), seconds(first.Time), millis(first.CPU),
		millis(further.Time), millis(further.CPU), ratio*100, verdict(ratio <= maxFurther),
		millis(further.CPU), maxFurtherCPU.Milliseconds(), verdict(further.CPU <= maxFurtherCPU),
		millis(r.copies), millis(r.hashes), batchMany, millis(perMany), 100*float64(perMany)/float64(first.Time), seconds(wimlib),
		batchMany, seconds(r.many.All), float64(r.many.Peak)/(1<<20), maxBatchPeak>>20, verdict(r.many.Peak <= maxBatchPeak),
		batchMany, len(r.capture.times), seconds(batchMany*wimlib), float64(batchMany*wimlib)/float64(r.many.All))
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }
