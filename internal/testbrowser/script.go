package testbrowser

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Hear has a function called with each text that a page gives to the global function
// of that name. It must not wait, nor use the browser.
func (b *Browser) Hear(name string, hear func(string)) {
	b.tb.Helper()
	b.mu.Lock()
	if b.said == nil {
		b.said = make(map[string]func(string))
	}
	b.said[name] = hear
	b.mu.Unlock()
	call(b, runtime.Enable, cdp.Empty{})
	call(b, runtime.AddBinding, runtime.AddBindingParams{Name: name})
}

// Before has a script run in each page before its own.
func (b *Browser) Before(script string) {
	b.tb.Helper()
	call(b, page.Enable, page.EnableParams{})
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
}

// Run runs a script in the page.
func (b *Browser) Run(script string) {
	b.tb.Helper()
	get(b, "running "+script, chromedp.Evaluate[bool]("("+script+", true)"))
}

// Tell runs a script in whatever page there is, from any goroutine. Where there is none
// any more, nothing happens.
func (b *Browser) Tell(script string) {
	_, _ = chromedp.Run(b.tab, chromedp.Evaluate[bool]("("+script+", true)"))
}

// Is tells what a script finds.
func (b *Browser) Is(script string) string {
	b.tb.Helper()
	return get(b, script, chromedp.Evaluate[string]("String("+script+")"))
}

// Await waits until a script finds that something holds.
func (b *Browser) Await(condition string) { b.tb.Helper(); b.await(condition) }

// Key presses keys where the focus is.
func (b *Browser) Key(keys string, options ...chromedp.KeyOption) {
	b.tb.Helper()
	get(b, "keys", chromedp.KeyEvent(keys, options...))
}

// axeCore is the file that scripts/setup.sh fetches, and its checksum.
const (
	axeCore    = "axe-core-4.10.2.js"
	axeCoreSum = "b511cd9dec01c76f4b2ad1723b66b6db37d4c2eb4ed199076e1829d9ee7b75e3"
)

// Axe has axe-core look at the page, and fails the test for each thing that it finds.
// Where axe-core is not installed it skips the test, but not under CI=true.
func (b *Browser) Axe(what string) {
	b.tb.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		b.tb.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(cache, "firstday", axeCore))
	if sum := sha256.Sum256(script); err != nil || hex.EncodeToString(sum[:]) != axeCoreSum {
		const missing = "axe-core is not installed; `make setup` installs it"
		if os.Getenv("CI") == "true" {
			b.tb.Fatal(missing)
		}
		b.tb.Skip(missing)
	}
	if b.Is("typeof axe") != "object" {
		get(b, "loading axe", chromedp.Evaluate[bool](string(script)+";true"))
	}
	const look = `axe.run(document, {resultTypes: ["violations"], preload: false}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html + ": " + n.failureSummary)))`
	found := get(b, "looking with axe", chromedp.Evaluate[[]string](look, chromedp.EvalAwaitPromise))
	slices.Sort(found)
	if len(found) > 0 {
		b.tb.Errorf("%s: %s", what, strings.Join(found, "\n"))
	}
}
