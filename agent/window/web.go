package window

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
)

// browsed is what the window with the pages shows besides a screen.
type browsed struct {
	where   string // the origin of the page; empty: there is none yet
	refused string // where the page wanted to lead last, though it may not
	shown   bool   // the first page is there
}

// newWebPage is newPage round a page, which has most of the room: what stands there
// says whose page it is, and on which device.
func newWebPage(s *local.Screen, b browsed, now time.Time) *page {
	p := newPage(s, now)
	device := p.fact(factDevice)
	p.facts = []fact{{id: factAddress, label: wordPageOf, value: cmp.Or(short(b.where, maxAddress), wordNoPage)}}
	if device != nil {
		p.device = strings.Join([]string{wordDevice + ":", device.value}, " ")
		if device.detail != "" {
			p.device += " · " + device.detail
		}
	}
	switch {
	case !s.Online:
		p.message = wordOffline
	case s.State == signin.Number || s.Code != "":
	case b.refused != "":
		p.message = fmt.Sprintf(wordRefused, short(b.refused, maxAddress))
	case b.shown:
		p.message = ""
	default:
		p.message = wordOpening
	}
	return p
}

// Sizes of the window round a page, and the least height of that. The window is not
// narrower than that with a code.
const (
	webWidth, webHeight = 1000, 920
	leastPage           = 280
)

// arrangeWeb is arrange for the window round a page.
func arrangeWeb(p *page, screenW, screenH, dpi int, m measure) *layout {
	less := *p
	for {
		for scale := float64(dpi) / 96; scale >= leastScale; scale *= shrink {
			if l := arrangeWebAt(&less, screenW, screenH, scale, m); l.browser.h >= l.px(leastPage) && l.w >= l.px(slim) {
				return l
			}
		}
		if less.device != "" {
			less.device = ""
		} else if !less.drop() {
			return arrangeWebAt(&less, screenW, screenH, leastScale, m)
		}
	}
}

func arrangeWebAt(p *page, screenW, screenH int, scale float64, m measure) *layout {
	a := &arrangement{&layout{scale: scale}, m}
	a.w = min(a.px(webWidth), screenW-2*around)
	high := min(a.px(webHeight), screenH-2*around)
	a.stripe = rect{0, 0, a.w, a.px(stripeSize)}
	left, width := a.px(margin), a.w-2*a.px(margin)
	y := a.px(stripeSize + margin/2)
	y = a.put("title", roleTitle, p.title, left, y, width) + a.px(4)
	y = a.put("message", roleText, p.message, left, y, width) + a.px(8)
	y = a.put("device", roleDetail, p.device, left, y, width) + a.px(8)
	y = a.field(p, left, y)
	y = a.facts(p.facts, left, y, width) + a.px(12)
	// Tab leads into the page by a control that nobody sees, since it is not ours.
	a.boxes = append(a.boxes, box{id: "page", role: rolePage, text: wordPage, rect: rect{left, y - 1, 1, 1}})
	foot := &arrangement{&layout{scale: scale, w: a.w}, m}
	foot.footer(p, left, 0, width)
	a.browser = rect{0, y, a.w, max(0, high-y-foot.h)}
	a.footer(p, left, a.browser.bottom(), width)
	if p.rtl {
		a.mirror()
	}
	return a.layout
}
