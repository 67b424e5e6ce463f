package page

import (
	"errors"
	"slices"
	"strings"
	"time"

	"firstday.dev/agent/local"
)

// How long the service may take.
const (
	answerTime = 20 * time.Second
	watchTime  = 30 * time.Second
)

// maxTold is how much may wait for the page to take it.
const maxTold = 64

// errBroken: what the service says is not the protocol, or answers nothing.
var errBroken = errors.New("the agent's service does not speak the protocol")

// talk is one conversation with the service. It has no socket, no clock and no
// goroutine: what it is given is a block or a text of the page, what comes of it is
// in its fields.
type talk struct {
	out    []byte   // what is to be sent; who sends it wipes it
	screen string   // what the page is to be told, JSON; empty: nothing
	told   []string // after the screen, in this order

	serial  string
	address string // of the first page, for the other web view
	origins []string
	anchors [][]byte // by which that page's origin is known
	portal  string   // of the network that the device is in

	greeted, shown, typed bool
	askedFor              string // the screen for which a logon was asked
	logon                 *Logon

	acts       int   // actions without an answer
	refreshing bool  // refresh has none
	logonAsked bool  // logon has none
	asks       []ask // what the page has asked; the first one is sent

	watchedAt, actedAt, refreshedAt, logonAt, askedAt time.Time
}

// ask is a request of the page that the service answers with pairs.
type ask struct {
	verb    string
	request []byte // with its fields; empty once it is sent
}

// begin greets.
func begin(surface, session string, now time.Time) *talk {
	t := &talk{watchedAt: now}
	t.send(strings.TrimSuffix("hello 1 "+surface+" "+session, " "))
	return t
}

func (t *talk) send(line string) { t.out = append(append(grow(t.out, len(line)+1), line...), '\n') }

// note has the page told something.
func (t *talk) note(json string) {
	if len(t.told) < maxTold {
		t.told = append(t.told, json)
	}
}

// take takes what the service says.
func (t *talk) take(b *local.Block, now time.Time) error {
	kind := b.Word(0)
	switch {
	case kind == "error":
		return t.refused(b, now)
	case !t.greeted:
		if kind != "hello" || b.Word(1) != "1" {
			return errBroken
		}
		t.greeted = true
		t.watch(now)
	case kind == "screen":
		t.takeScreen(b, now)
	case kind == "ok":
		return t.answered(b, now)
	}
	return nil // others are of a later version
}

// watch waits for another screen than the present one.
func (t *talk) watch(now time.Time) {
	t.watchedAt = now
	serial := t.serial
	if serial == "" {
		serial = "0"
	}
	t.send("watch " + serial)
}

func (t *talk) takeScreen(b *local.Block, now time.Time) {
	t.serial, t.shown = b.Word(1), true
	t.takePages(b)
	t.screen = screenJSON(b)
	t.watch(now)
	// Once for each screen, and if somebody has typed here: the service gives it to
	// nobody else.
	if b.Value("logon") == "yes" && t.typed && !t.logonAsked && t.askedFor != t.serial {
		t.logonAsked, t.logonAt, t.askedFor = true, now, t.serial
		t.send("logon " + t.serial)
	}
}

// takePages takes which pages the sign-in may show. The one with the number stays
// while that is typed.
func (t *talk) takePages(b *local.Block) {
	page := b.Value("page")
	if page == "" && b.Value("state") == "number" {
		return
	}
	t.address, t.origins, t.anchors = page, nil, b.Anchors
	for _, p := range b.Pairs {
		if p[0] == "origin" {
			t.origins = append(t.origins, p[1])
		}
	}
}

func (t *talk) answered(b *local.Block, now time.Time) error {
	switch verb := b.Word(1); verb {
	case "watch":
		t.watch(now)
	case "act":
		t.acts = max(0, t.acts-1)
	case "refresh":
		if t.refreshing {
			t.refreshing = false
			t.note(noteJSON("refreshed", b.Value("code"), b.Value("message")))
		}
	case "logon":
		defer clear(b.Logon)
		logon := readLogon(b.Logon)
		if !t.logonAsked || t.logon != nil || logon == nil {
			return errBroken
		}
		t.logonAsked, t.logon = false, logon
	default:
		if len(t.asks) > 0 && t.asks[0].verb == verb {
			t.keepPortal(b)
			t.answer(answerJSON(verb, b.Pairs), now)
		}
	}
	return nil
}

// keepPortal keeps where a network wants people to sign in to it.
func (t *talk) keepPortal(b *local.Block) {
	if b.Word(1) != "network" {
		return
	}
	t.portal = ""
	if address := b.Value("portal"); b.Value("internet") == "captive" && webAddress(address, "http", "https") != nil {
		t.portal = address
	}
}

// refused takes an error. What has none of its own is the answer to what the page
// has asked.
func (t *talk) refused(b *local.Block, now time.Time) error {
	switch word := b.Word(1); {
	case word == "stale" && t.acts > 0:
		t.acts--
		t.note(noteJSON("stale", "", ""))
	case word == "logon" && t.logonAsked:
		t.logonAsked = false
	case word == "refresh" && t.refreshing: // the one before is not answered yet
	case len(t.asks) > 0 && !slices.Contains(hangsUp, word):
		if t.asks[0].verb == "network" {
			t.portal = "" // for all that is known
		}
		t.answer(refusalJSON(t.asks[0].verb, word, b.Value("message")), now)
	default:
		return errBroken
	}
	return nil
}

// hangsUp are the errors after which the service does.
var hangsUp = []string{"malformed", "version", "hello"}

// answer has the page told what came of the first thing it asked, and sends the
// next one.
func (t *talk) answer(json string, now time.Time) {
	t.note(json)
	t.asks = t.asks[1:]
	t.sendAsk(now)
}

// sendAsk sends one request after the other, so that an error, which names no verb,
// belongs to it.
func (t *talk) sendAsk(now time.Time) {
	if len(t.asks) == 0 {
		return
	}
	request := t.asks[0].request
	t.out = append(grow(t.out, len(request)), request...)
	clear(request)
	t.asks[0].request, t.askedAt = nil, now
}

// left is how long the service has; none: hang up.
func (t *talk) left(now time.Time) time.Duration {
	least := time.Duration(1<<63 - 1)
	until := func(since time.Time, most time.Duration) { least = min(least, most-now.Sub(since)) }
	if t.greeted {
		until(t.watchedAt, watchTime)
	} else {
		until(t.watchedAt, answerTime)
	}
	if t.acts > 0 {
		until(t.actedAt, answerTime)
	}
	if t.refreshing {
		until(t.refreshedAt, answerTime)
	}
	if t.logonAsked {
		until(t.logonAt, answerTime)
	}
	if len(t.asks) > 0 {
		until(t.askedAt, answerTime)
	}
	return max(0, least)
}

// anew is for another page, which knows nothing: it is told all that is shown.
func (t *talk) anew(now time.Time) {
	if t.greeted {
		t.serial = "" // any screen is another one
		t.watch(now)
	}
}

// wipe forgets what was typed.
func (t *talk) wipe() {
	clear(t.out)
	t.out = nil
	for _, a := range t.asks {
		clear(a.request)
	}
	if t.logon != nil {
		t.logon.Wipe()
	}
}
