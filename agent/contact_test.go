package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"firstday.dev/api"
	"firstday.dev/internal/statefile"
)

func TestBackOffDoublesUpToItsLimit(t *testing.T) {
	c := &contact{random: func() float64 { return 1 }}
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	want := firstWait
	for range 20 {
		if got := c.step(now, errors.New("refused")); got != want {
			t.Fatalf("waits %v, want %v", got, want)
		}
		want = min(2*want, longestWait)
	}
	if wait := c.step(now, nil); c.State != EnrolmentDone || c.LastError != "" || wait != 0 {
		t.Errorf("after an answer: %+v, waits %v", c.Enrolment, wait)
	}
	if got := c.step(now, errors.New("refused")); got != firstWait {
		t.Errorf("after an answer it waits %v", got)
	}
}

func TestJitterIsHalfTheWait(t *testing.T) {
	now := time.Now()
	for _, r := range []float64{0, 0.25, 0.999} {
		c := &contact{random: func() float64 { return r }}
		want := firstWait/2 + time.Duration(r*float64(firstWait/2))
		if got := c.step(now, errors.New("refused")); got != want {
			t.Errorf("random %v: waits %v, want %v", r, got, want)
		}
	}
}

func TestRefusalsAreForPeople(t *testing.T) {
	now := time.Now()
	c := &contact{random: func() float64 { return 1 }}
	if wait := c.step(now, api.Refuse(api.CodeKeySpent, "")); c.State != EnrolmentRefused || c.Code != api.CodeKeySpent || wait != settledWait {
		t.Errorf("%+v, waits %v", c.Enrolment, wait)
	}
	if p := c.problem(); !strings.Contains(p, "as often as it may be") {
		t.Errorf("status says %q", p)
	}
	busy := &api.Error{Code: api.CodeTooMany, RetryAfter: 3000}
	if wait := c.step(now, busy); c.State != EnrolmentNoDirectory || c.Code != "" || wait != 3000*time.Second {
		t.Errorf("%+v, waits %v", c.Enrolment, wait)
	}
}

func TestExpiredKeyIsSaidAtTheMomentItExpires(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	expiry := now.Add(20 * time.Minute)
	c := &contact{random: func() float64 { return 1 }, Enrolment: Enrolment{KeyExpiresAt: &expiry}}
	c.begin(now)
	if c.State != EnrolmentPending {
		t.Fatalf("at first: %v", c.State)
	}
	for now.Before(expiry) {
		if c.State == EnrolmentKeyExpired {
			t.Fatalf("expired at %v", now)
		}
		now = now.Add(c.step(now, errors.New("refused")))
	}
	if now.Sub(expiry) > firstWait {
		t.Errorf("the attempt after the expiry is %v late", now.Sub(expiry))
	}
	if wait := c.step(now, errors.New("refused")); c.State != EnrolmentKeyExpired || wait != settledWait {
		t.Errorf("then: %+v, waits %v", c.Enrolment, wait)
	}
	if p := c.problem(); !strings.Contains(p, "expired") {
		t.Errorf("status says %q", p)
	}
	c.begin(now)
	if c.State != EnrolmentKeyExpired {
		t.Errorf("after a restart: %v", c.State)
	}
}

// The service's own loop, with the real report and log but no network, over
// a day that takes no time.
func TestRunReportsWhileNobodyAnswers(t *testing.T) {
	e := sample("1.2.3")
	e.Payloads = nil
	b := deliver(t, e)
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		m.tile = nil // what the watchdog finds has the directory asked at once
		if err := os.MkdirAll(m.Layout().Data, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := statefile.WriteBytes(m.Layout().Enrollment(), b.raw); err != nil {
			t.Fatal(err)
		}
		a := m.program("1.2.3", false)
		knocks := 0
		a.Random = func() float64 { return 0.5 }
		a.dial = func(api.Directory, func() (*tls.Certificate, error)) (directory, error) {
			return nobody{knocks: &knocks}, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.Run(ctx) }()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		r, err := readReport(m.Layout().Report())
		if err != nil {
			t.Fatal(err)
		}
		if r.Enrolment.State != EnrolmentNoDirectory || r.Enrolment.LastError != "no route to host" || r.Enrolment.Attempts != knocks {
			t.Errorf("report: %+v", r.Enrolment)
		}
		// 7.5 minutes on average, after the first few.
		if knocks < 190 || knocks > 210 {
			t.Errorf("%d attempts in a day", knocks)
		}
		if !r.Enrolment.NextAttempt.After(time.Now().Add(-time.Second)) {
			t.Errorf("next attempt %v, now %v", r.Enrolment.NextAttempt, time.Now())
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestRunWithoutAnEnrollmentSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.program("1.2.3", false).Run(ctx) }()
		synctest.Wait()
		r, err := readReport(m.Layout().Report())
		if err != nil || !strings.HasPrefix(r.Error, "reading the enrollment: ") {
			t.Errorf("report: %+v, %v", r, err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
