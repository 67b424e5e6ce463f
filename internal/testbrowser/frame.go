package testbrowser

import (
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// Frame gives what is in a frame that has a process of its own, as sandboxed ones do,
// by a part of its address. It is gone with that frame.
func (b *Browser) Frame(address string) *Browser {
	b.tb.Helper()
	for {
		all, err := chromedp.Targets(b.tab)
		if err == nil {
			for _, t := range all {
				if t.Type == "iframe" && strings.Contains(t.URL, address) {
					f := &Browser{tb: b.tb}
					tab, cancel := chromedp.NewContext(b.tab, chromedp.WithTargetID(t.TargetID), chromedp.WithListener(b.listen))
					b.tb.Cleanup(cancel)
					f.tab = tab
					return f
				}
			}
		}
		if b.tab.Err() != nil {
			b.tb.Fatalf("there is no frame of %s: %v", address, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
