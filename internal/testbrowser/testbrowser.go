// Package testbrowser lets tests look at pages with headless Chromium, as a person
// would.
package testbrowser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"firstday.dev/internal/testtool"
)

// Browser is a window of Chromium. Elements are named by selectors of CSS.
// Whatever does not work ends the test.
type Browser struct {
	// Context is for the functions of package chromedp.
	context.Context
	tb testing.TB

	mu         sync.Mutex
	complaints []string
}

// patience bounds each thing that a test does in a browser.
const patience = 30 * time.Second

// New starts a browser that ends with the test. Flags are Chromium's, without
// their hyphens.
func New(tb testing.TB, flags map[string]any) *Browser {
	tb.Helper()
	o := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(testtool.Need(tb, "chromium", "chromium-browser", "google-chrome")),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	for name, value := range flags {
		o = append(o, chromedp.Flag(name, value))
	}
	allocated, free := chromedp.NewExecAllocator(context.Background(), o...)
	ctx, end := chromedp.NewContext(allocated)
	tb.Cleanup(func() { end(); free() })
	b := &Browser{Context: ctx, tb: tb}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		tb.Fatal(err)
	}
	b.Size(1280, 860)
	return b
}

// listen takes note of what the browser complains of: scripts that fail, what a
// policy forbids, what is not found.
func (b *Browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			b.complaints = append(b.complaints, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// Complaints are those of the browser so far.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.complaints...)
}

// Do lets the browser do something.
func (b *Browser) Do(what string, action chromedp.Action[chromedp.Void]) {
	b.tb.Helper()
	get(b, what, action)
}

func get[T any](b *Browser, what string, action chromedp.Action[T]) T {
	b.tb.Helper()
	ctx, cancel := context.WithTimeout(b, patience)
	defer cancel()
	out, err := chromedp.Run(ctx, action)
	if err != nil {
		b.tb.Fatalf("%s: %v; the page shows %q, the browser complains %q", what, err, b.text(), b.Complaints())
	}
	return out
}

// text is what the page shows, for an error.
func (b *Browser) text() string {
	ctx, cancel := context.WithTimeout(b, 2*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(text), " ")
}

// Size makes the window of that size, in pixels.
func (b *Browser) Size(width, height int64) {
	b.tb.Helper()
	b.Do("size", chromedp.EmulateViewport(width, height))
}

// Open opens an address.
func (b *Browser) Open(address string) {
	b.tb.Helper()
	b.Do("open "+address, chromedp.Navigate(address))
}

// Click presses the first such element.
func (b *Browser) Click(selector string) {
	b.tb.Helper()
	b.Do("click "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Type types into the first such element, where a line feed is the Enter key.
func (b *Browser) Type(selector, text string) {
	b.tb.Helper()
	b.Do("type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// Attribute gives that of the first such element.
func (b *Browser) Attribute(selector, name string) string {
	b.tb.Helper()
	return get(b, selector, chromedp.AttributeValue(chromedp.CSS(selector), name)).Value
}

// See waits until the page shows the text.
func (b *Browser) See(text string) {
	b.tb.Helper()
	get(b, "see "+text, chromedp.PollFunction[bool](`text => !!document.body && document.body.innerText.includes(text)`,
		chromedp.WithPollingArgs(text), chromedp.WithPollingTimeout(patience)))
}

// SeeNo waits until no such element is shown.
func (b *Browser) SeeNo(selector string) {
	b.tb.Helper()
	b.Do("see no "+selector, chromedp.WaitNotVisible(chromedp.CSS(selector)))
}

// Photograph keeps a picture of the page in the folder that the environment
// variable PHOTOGRAPHS names, for people to look at. Without one it does nothing.
func (b *Browser) Photograph(name string) {
	b.tb.Helper()
	dir := os.Getenv("PHOTOGRAPHS")
	if dir == "" {
		return
	}
	picture := get(b, "photograph", chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s.png", strings.ToLower(b.tb.Name()), name)), picture, 0o600); err != nil {
		b.tb.Fatal(err)
	}
}
