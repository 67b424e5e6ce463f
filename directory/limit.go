package directory

import (
	linked "container/list"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// limit lets each key, such as an address or a user's name, take so many
// attempts at once, and another one each time that a pause is over. It
// remembers the keys that were used last, at most so many: memory is bounded
// whatever the world sends.
type limit struct {
	attempts int
	pause    time.Duration
	most     int

	seed  maphash.Seed
	mu    sync.Mutex
	keys  map[uint64]*linked.Element // by hash: keys may be long
	order *linked.List               // of bucket, the one used last in front
}

type bucket struct {
	key  uint64
	full time.Time // when all attempts are there again
}

// mostKeys is how many keys a limit remembers: a few megabytes.
const mostKeys = 50_000

// newLimit lets each key take so many attempts in a time.
func newLimit(attempts int, in time.Duration) *limit {
	return &limit{
		attempts: attempts, pause: in / time.Duration(attempts), most: mostKeys,
		seed: maphash.MakeSeed(), keys: make(map[uint64]*linked.Element), order: linked.New(),
	}
}

// take takes an attempt. Where none is left it says after how many seconds there
// will be one.
func (l *limit) take(key string) (retryAfter int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.forget(now)
	hash := maphash.String(l.seed, key)
	element := l.keys[hash]
	if element == nil {
		element = l.order.PushFront(&bucket{hash, now})
		l.keys[hash] = element
	}
	l.order.MoveToFront(element)
	b := element.Value.(*bucket)
	if wait := l.wait(b, now); wait > 0 {
		return seconds(wait), false
	}
	if b.full.Before(now) {
		b.full = now
	}
	b.full = b.full.Add(l.pause)
	return 0, true
}

// left tells what take would, and takes nothing.
func (l *limit) left(key string) (retryAfter int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	element := l.keys[maphash.String(l.seed, key)]
	if element == nil {
		return 0, true
	}
	wait := l.wait(element.Value.(*bucket), time.Now())
	return seconds(wait), wait <= 0
}

// wait is how long there will be no attempt left.
func (l *limit) wait(b *bucket, now time.Time) time.Duration {
	return b.full.Sub(now) - time.Duration(l.attempts-1)*l.pause
}

// forget drops keys that have all attempts again, as if they had never been
// seen, and makes room for one more.
func (l *limit) forget(now time.Time) {
	for last := l.order.Back(); last != nil; last = l.order.Back() {
		b := last.Value.(*bucket)
		if b.full.After(now) && l.order.Len() < l.most {
			return
		}
		l.order.Remove(last)
		delete(l.keys, b.key)
	}
}

// seconds rounds up: who comes back then is not too early.
func seconds(d time.Duration) int { return max(0, int((d+time.Second-1)/time.Second)) }

// addressKey is how a limit knows whoever is behind an address. Of IPv6 a single
// subscriber has at least a network of /64.
func addressKey(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		return ip.String()
	}
	network, _ := ip.Prefix(64) // of IPv6, never fails
	return network.String()
}
