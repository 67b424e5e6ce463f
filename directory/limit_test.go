package directory

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(3, 30*time.Second)
		begin := time.Now()
		for _, step := range []struct {
			at         time.Duration
			key        string
			retryAfter int
		}{
			{0, "a", 0}, {0, "a", 0}, {0, "a", 0},
			{0, "a", 10}, {0, "a", 10}, // what is refused takes nothing
			{0, "b", 0},
			{9*time.Second + time.Millisecond, "a", 1},
			{10 * time.Second, "a", 0}, {10 * time.Second, "a", 10},
			{35 * time.Second, "a", 0}, {35 * time.Second, "a", 0}, {35 * time.Second, "a", 5},
			{time.Hour, "a", 0}, {time.Hour, "a", 0}, {time.Hour, "a", 0}, {time.Hour, "a", 10}, // no more than three, however long it waited
		} {
			time.Sleep(step.at - time.Since(begin))
			if left, ok := l.left(step.key); left != step.retryAfter || ok != (step.retryAfter == 0) {
				t.Errorf("%v: %s has %d, %v left, want %d", step.at, step.key, left, ok, step.retryAfter)
			}
			if wait, ok := l.take(step.key); wait != step.retryAfter || ok != (step.retryAfter == 0) {
				t.Errorf("%v: %s takes %d, %v, want %d", step.at, step.key, wait, ok, step.retryAfter)
			}
		}
		if l.order.Len() != 1 || len(l.keys) != 1 {
			t.Errorf("after an hour it remembers %d keys, %d in order", len(l.keys), l.order.Len())
		}
	})
}

// Whoever sends as many keys as there are is forgotten first where he came
// first, and who keeps trying is remembered.
func TestLimitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(1, time.Minute)
		l.most = 100
		for i := range 1000 {
			l.take(fmt.Sprint(i))
			if _, ok := l.take("persistent"); ok != (i == 0) {
				t.Fatalf("after %d others: %v", i, ok)
			}
			if len(l.keys) > 100 || l.order.Len() != len(l.keys) {
				t.Fatalf("it remembers %d keys, %d in order", len(l.keys), l.order.Len())
			}
		}
		if _, ok := l.take("0"); !ok {
			t.Error("the first of the others is remembered still")
		}
		if _, ok := l.take("999"); ok {
			t.Error("the last of the others is forgotten already")
		}
	})
}

func TestLimitAtOnce(t *testing.T) {
	l := newLimit(10, time.Hour)
	var in atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, ok := l.take("a"); ok {
				in.Add(1)
			}
		})
	}
	wg.Wait()
	if in.Load() != 10 {
		t.Errorf("%d got in", in.Load())
	}
}

func TestAddressKey(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7":            "192.0.2.7",
		"::ffff:192.0.2.7":     "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1": "2001:db8:1:2::/64",
		"2001:db8:1:3::1":      "2001:db8:1:3::/64",
		"fe80::1%eth0":         "fe80::/64",
		"@":                    "@",
		"":                     "",
	} {
		if got := addressKey(address); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
}
