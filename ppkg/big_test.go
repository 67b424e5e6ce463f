package ppkg

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// TestLargeFilesAreStreamed packs a file of 1 GiB in little memory. It takes
// some seconds, so it is only run on request.
func TestLargeFilesAreStreamed(t *testing.T) {
	if os.Getenv("FIRSTDAY_BIG") == "" {
		t.Skip("FIRSTDAY_BIG is not set")
	}
	const size = 1 << 30
	big := &File{Name: "big.bin", Size: size, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(&counter{}, size)), nil
	}}
	p := minimal()
	p.Settings = []Setting{Command{Name: "a", Line: "b", File: big}.Setting()}
	out, err := os.Create(filepath.Join(t.TempDir(), "big.ppkg"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()

	var peak uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
		}
	}()
	err = Write(context.Background(), out, p, Options{Time: testTime})
	close(stop)
	<-stopped
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("peak of the heap: %d MiB", peak>>20)
	if peak > 64<<20 {
		t.Errorf("heap of %d MiB", peak>>20)
	}
}

// counter is an endless file of numbers.
type counter struct{ n byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		c.n += byte(i >> 7)
		p[i] = c.n
	}
	return len(p), nil
}
