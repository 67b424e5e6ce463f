package main

import (
	"io"
	"testing"
	"time"

	"github.com/vbauerster/mpb/v8"
)

// A step that ends early, or whose size was not what it was said to be, must not
// keep the program from ending.
func TestProgressEnds(t *testing.T) {
	p := &progress{counter: countBytes, pool: mpb.New(mpb.WithOutput(io.Discard), mpb.WithAutoRefresh())}
	p.step("packing", 500, 16<<20)
	p.step("hashing", 7, 3)
	p.step("empty", 0, 0)
	p.step("checksums", 1, 2)
	ended := make(chan struct{})
	go func() { p.close(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the bars never end")
	}
}
