package directory

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"firstday.dev/internal/testtool"
)

// chromium is a person's browser, with scripts and all.
type chromium struct {
	t    *testing.T
	tab  context.Context
	base string // the directory's pages
	seen map[string]bool

	mu         sync.Mutex
	complaints []string
}

// chromiumTimeout is for a whole test: a page that never comes must not hold up
// the others.
const chromiumTimeout = 3 * time.Minute

func newChromium(t *testing.T, d *Directory) *chromium {
	t.Helper()
	known := sha256.Sum256(d.ca.cert.RawSubjectPublicKeyInfo)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(testtool.Need(t, "chromium", "chromium-browser", "google-chrome")), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(known[:])),
	)
	ctx, cancel := context.WithTimeout(context.Background(), chromiumTimeout)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	c := &chromium{t: t, base: d.PagesURL, seen: make(map[string]bool)}
	c.tab, cancel = chromedp.NewContext(ctx, chromedp.WithListener(c.listen))
	t.Cleanup(cancel)
	call(c, audits.Enable, cdp.Empty{})
	call(c, log.Enable, cdp.Empty{})
	return c
}

// listen notes whatever the browser has to complain of.
func (c *chromium) listen(event any) {
	complaint := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		complaint = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	case *runtime.EventConsoleAPICalled:
		complaint = "console: " + string(e.Type)
	case *runtime.EventExceptionThrown:
		complaint = "exception: " + e.ExceptionDetails.Text
	case *audits.EventIssueAdded:
		complaint = "issue: " + string(e.Issue.Code)
		if csp := e.Issue.Details.ContentSecurityPolicyIssueDetails; csp != nil {
			complaint += " " + csp.ViolatedDirective
		}
		if generic := e.Issue.Details.GenericIssueDetails; generic != nil {
			complaint += " " + string(generic.ErrorType)
		}
	default:
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.complaints = append(c.complaints, complaint)
}

// content checks that the browser had nothing to complain of, but for pages that
// refuse something.
func (c *chromium) content() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, complaint := range c.complaints {
		if !strings.Contains(complaint, "the server responded with a status of 4") || strings.Contains(complaint, ".css") {
			c.t.Errorf("the browser complains of %s", complaint)
		}
	}
}

func (c *chromium) do(actions ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	if err := chromedp.Do(c.tab, actions...); err != nil {
		c.t.Fatal(err)
	}
}

// get gives what an action finds.
func get[T any](c *chromium, action chromedp.Action[T]) T {
	c.t.Helper()
	found, err := chromedp.Run(c.tab, action)
	if err != nil {
		c.t.Fatal(err)
	}
	return found
}

// call sends a command of the DevTools' protocol.
func call[P, R any](c *chromium, command cdp.Command[P, R], params P) R {
	c.t.Helper()
	answer, err := chromedp.Call(c.tab, command, params)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer
}

// screen makes the window that of a telephone or a laptop, light or dark.
func (c *chromium) screen(phone, dark bool) {
	c.t.Helper()
	width, height, scheme := int64(1024), int64(860), "light"
	if phone {
		width, height = 390, 844
	}
	if dark {
		scheme = "dark"
	}
	call(c, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: phone})
	call(c, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

func (c *chromium) open(address string) { c.t.Helper(); c.do(chromedp.Navigate(address)) }

// shows waits for the page of a title, and looks at it as somebody would who
// cannot see it well.
func (c *chromium) shows(title string) {
	c.t.Helper()
	for {
		shown, err := chromedp.Run(c.tab, chromedp.Evaluate[string](`document.readyState == "complete" && document.querySelector("h1")?.textContent || ""`))
		if err == nil && shown == title {
			break
		}
		if c.tab.Err() != nil {
			c.t.Fatalf("%q never comes; shown is %q: %v", title, shown, c.tab.Err())
		}
		time.Sleep(10 * time.Millisecond)
	}
	if strings.HasPrefix(get(c, chromedp.Location()), c.base) {
		c.lookAt(title)
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
	for (const e of document.querySelectorAll("button, a.button, input:not([type=hidden], [hidden])")) if (e.getBoundingClientRect().height < 44) found.push("small: " + (e.name || e.textContent));
	const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
	if (new Set(ids).size != ids.length) found.push("an id is there twice");
	if (document.documentElement.scrollWidth > window.innerWidth) found.push("wider than the screen");
	return found.join("; ");
})()`

func (c *chromium) lookAt(title string) {
	c.t.Helper()
	if found := get(c, chromedp.Evaluate[string](faults)); found != "" {
		c.t.Errorf("the page %q: %s", title, found)
	}
	c.seen[title] = true
}

func (c *chromium) write(selector, text string) {
	c.t.Helper()
	field := chromedp.CSS(selector)
	c.do(chromedp.Clear(field), chromedp.SendKeys(field, text))
}

func (c *chromium) click(selector string) { c.t.Helper(); c.do(chromedp.Click(chromedp.CSS(selector))) }

func (c *chromium) text(selector string) string {
	c.t.Helper()
	return strings.TrimSpace(get(c, chromedp.Text(chromedp.CSS(selector))))
}

// screenshots are where pictures of the pages lie, for people to look at.
const screenshots = "../docs/screenshots"

// maxScreenshot bounds a picture, in bytes.
const maxScreenshot = 60 << 10

// picture takes one of the whole page, where the golden files are written.
func (c *chromium) picture(name string, phone, dark bool) {
	c.t.Helper()
	c.screen(phone, dark)
	if !*update {
		return
	}
	png := get(c, chromedp.CaptureScreenshot())
	if len(png) > maxScreenshot {
		c.t.Errorf("%s has %d bytes", name, len(png))
	}
	if err := os.WriteFile(filepath.Join(screenshots, name+".png"), png, 0o644); err != nil { //nolint:gosec // documentation
		c.t.Fatal(err)
	}
}
