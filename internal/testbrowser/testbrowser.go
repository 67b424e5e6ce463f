// Package testbrowser lets tests look at pages with headless Chromium, as a person
// would, with scripts and all.
package testbrowser

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"firstday.dev/internal/testtool"
)

// Browser is a window of Chromium. Elements are named by selectors of CSS, and the
// first one counts. Whatever does not work ends the test.
type Browser struct {
	tb  testing.TB
	tab context.Context

	mu         sync.Mutex
	complaints []string
	weight     int                     // of what came over the wire, see Weigh
	said       map[string]func(string) // what hears what a page says, see Hear
}

// timeout is for a whole test: a page that never comes must not hold up others.
const timeout = 3 * time.Minute

// New starts a browser that ends with the test. It takes servers that have one of
// the public keys for trusted, given as Base64 of the SHA-256 of their
// SubjectPublicKeyInfo.
func New(tb testing.TB, trusted ...string) *Browser {
	tb.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(testtool.Need(tb, "chromium", "chromium-browser", "google-chrome")), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(tb.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", strings.Join(trusted, ",")),
	)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	tb.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	tb.Cleanup(cancel)
	b := &Browser{tb: tb}
	b.tab, cancel = chromedp.NewContext(ctx, chromedp.WithListener(b.listen))
	tb.Cleanup(cancel)
	call(b, audits.Enable, cdp.Empty{})
	call(b, log.Enable, cdp.Empty{})
	b.Screen(false, false)
	return b
}

// listen notes whatever the browser has to complain of.
func (b *Browser) listen(event any) {
	complaint := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if isRefusedPage(e.Entry) {
			return
		}
		complaint = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	case *runtime.EventConsoleAPICalled:
		complaint = "console: " + string(e.Type)
	case *runtime.EventExceptionThrown:
		complaint = "exception: " + e.ExceptionDetails.Text
	case *audits.EventIssueAdded:
		if c := e.Issue.Details.CookieIssueDetails; c != nil && c.Operation == audits.CookieOperationReadCookie {
			return // a frame without an origin is sent none, as it should be
		}
		complaint = "issue: " + string(e.Issue.Code)
		if csp := e.Issue.Details.ContentSecurityPolicyIssueDetails; csp != nil {
			complaint += " " + csp.ViolatedDirective
		}
		if generic := e.Issue.Details.GenericIssueDetails; generic != nil {
			complaint += " " + string(generic.ErrorType)
		}
	case *network.EventLoadingFinished:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.weight += int(e.EncodedDataLength)
		return
	case *runtime.EventBindingCalled:
		b.mu.Lock()
		defer b.mu.Unlock()
		if hear := b.said[e.Name]; hear != nil {
			hear(e.Payload)
		}
		return
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, complaint)
}

// isRefusedPage reports whether the browser tells of an answer that refuses a page,
// which is no fault; a style sheet or a script that is refused is one. A page's query
// may hold anything.
func isRefusedPage(e *log.Entry) bool {
	u, err := url.Parse(e.URL)
	return err == nil && strings.Contains(e.Text, "the server responded with a status of 4") && path.Ext(u.Path) != ".css" && path.Ext(u.Path) != ".js"
}

// Content checks that the browser had nothing to complain of, but for answers that
// refuse something.
func (b *Browser) Content() {
	b.tb.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, complaint := range b.complaints {
		b.tb.Errorf("the browser complains of %s", complaint)
	}
}

// get gives what an action finds.
func get[T any](b *Browser, what string, action chromedp.Action[T]) T {
	b.tb.Helper()
	found, err := chromedp.Run(b.tab, action)
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.tb.Fatalf("%s: %v; the browser complains of %q", what, err, b.complaints)
	}
	return found
}

// call sends a command of the DevTools' protocol.
func call[P, R any](b *Browser, command cdp.Command[P, R], params P) R {
	b.tb.Helper()
	answer, err := chromedp.Call(b.tab, command, params)
	if err != nil {
		b.tb.Fatal(err)
	}
	return answer
}

// Screen makes the window that of a telephone or a laptop, light or dark.
func (b *Browser) Screen(phone, dark bool) {
	b.tb.Helper()
	width, height, scheme := int64(1024), int64(860), "light"
	if phone {
		width, height = 390, 844
	}
	if dark {
		scheme = "dark"
	}
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: phone})
	b.Prefer("prefers-color-scheme", scheme)
}

// Prefer sets what the person has asked the system for: names and values of CSS'
// media features, in place of any before.
func (b *Browser) Prefer(pairs ...string) {
	b.tb.Helper()
	var features []*emulation.MediaFeature
	for i := 0; i+1 < len(pairs); i += 2 {
		features = append(features, &emulation.MediaFeature{Name: pairs[i], Value: pairs[i+1]})
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
}

// Open opens an address.
func (b *Browser) Open(address string) {
	b.tb.Helper()
	get(b, "opening "+address, chromedp.Navigate(address))
}

// Location is where the browser is.
func (b *Browser) Location() string { b.tb.Helper(); return get(b, "location", chromedp.Location()) }

// Click presses an element.
func (b *Browser) Click(selector string) {
	b.tb.Helper()
	get(b, "pressing "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Write writes into an empty or emptied field. A line feed is the Enter key.
func (b *Browser) Write(selector, text string) {
	b.tb.Helper()
	b.await(fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, selector))
	get(b, "emptying "+selector, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q).value = ""`, selector)))
	get(b, "writing into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Text is what an element shows.
func (b *Browser) Text(selector string) string {
	b.tb.Helper()
	return strings.TrimSpace(get(b, "reading "+selector, chromedp.Text(chromedp.CSS(selector))))
}

// Attribute is that of an element.
func (b *Browser) Attribute(selector, name string) string {
	b.tb.Helper()
	return get(b, "reading "+selector, chromedp.AttributeValue(chromedp.CSS(selector), name)).Value
}

// See waits until the page shows the text.
func (b *Browser) See(text string) {
	b.tb.Helper()
	b.await(fmt.Sprintf(`document.body?.innerText.includes(%q)`, text))
}

// SeeTitle waits until the page is there whose first heading is the text.
func (b *Browser) SeeTitle(text string) {
	b.tb.Helper()
	b.await(fmt.Sprintf(`document.readyState == "complete" && document.querySelector("h1")?.textContent == %q`, text))
}

// SeeNo waits until no such element is shown.
func (b *Browser) SeeNo(selector string) {
	b.tb.Helper()
	b.await(fmt.Sprintf(`!document.querySelector(%q)?.checkVisibility()`, selector))
}

// await waits for a condition, on whatever page is there by then.
func (b *Browser) await(condition string) {
	b.tb.Helper()
	for {
		holds, err := chromedp.Run(b.tab, chromedp.Evaluate[bool]("!!("+condition+")"))
		if err == nil && holds {
			return
		}
		if b.tab.Err() != nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.tb.Fatalf("never: %s: %v; the browser complains of %q", condition, b.tab.Err(), b.complaints)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// faults are what makes a page hard to use. It gives the names of them.
const faults = `(() => {
	const found = [];
	const named = e => e.labels?.length || e.getAttribute("aria-label");
	if (document.querySelectorAll("h1").length != 1) found.push("not one heading");
	if (!document.title || !document.documentElement.lang) found.push("no title or language");
	if (!document.querySelector("main")) found.push("no main part");
	for (const e of document.querySelectorAll("input:not([type=hidden], [hidden])")) if (!named(e)) found.push("no label: " + e.name);
	for (const e of document.querySelectorAll("img:not([alt])")) found.push("no alternative: " + e.src);
	for (const e of document.querySelectorAll("button, a.button, input:not([type=hidden], [hidden])")) if (e.checkVisibility() && (/checkbox|radio/.test(e.type) && e.closest("label") || e).getBoundingClientRect().height < 44) found.push("small: " + (e.name || e.textContent));
	const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
	if (new Set(ids).size != ids.length) found.push("an id is there twice");
	if (document.documentElement.scrollWidth > window.innerWidth) found.push("wider than the screen");
	return found;
})()`

// Look looks at the page as somebody would who cannot see it well.
func (b *Browser) Look() {
	b.tb.Helper()
	for _, fault := range slices.Sorted(slices.Values(get(b, "looking", chromedp.Evaluate[[]string](faults)))) {
		b.tb.Errorf("the page %s: %s", b.Location(), fault)
	}
}

// Picture is one of what the window shows, a PNG.
func (b *Browser) Picture() []byte {
	b.tb.Helper()
	return get(b, "taking a picture", chromedp.CaptureScreenshot())
}
