package agent

import (
	"testing"
	"time"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
)

// The clocks of a device and its directory may be a day apart, either way: it
// enrols, hears of changes, renews its certificate, and somebody signs in.
func TestClocksADayApart(t *testing.T) {
	const day = 24 * time.Hour
	for name, apart := range map[string]time.Duration{"the device is a day behind": day, "the device is a day ahead": -day} {
		t.Run(name, func(t *testing.T) {
			now := func() time.Time { return time.Now().Add(apart) }
			d := testdirectory.NewAt(t, now)
			desk := sit(t, d)
			if off := time.Until(d.OnlyDevice().EnrolledAt); (off - apart).Abs() > time.Hour {
				t.Fatalf("the clocks are %v apart", off)
			}
			d.Change(func(s *api.Settings) { s.Windows.SSAP = false })
			desk.sees(signin.Hidden, "")
			d.Change(func(s *api.Settings) { s.Windows.SSAP = true })
			desk.sees(signin.Ready, "")
			ann := d.MustHire("ann")
			ann.Now = now // her telephone's is right
			desk.identifyAs(ann)
			desk.choosePassword()
			if done := desk.sees(signin.Done, ""); done.Account != "ann" {
				t.Errorf("%+v", done)
			}
		})
	}
}

// A certificate is renewed in time by the directory's clock, and the one that
// comes is good, though the clocks are a day apart.
func TestRenewalWithClocksADayApart(t *testing.T) {
	for _, apart := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		d := testdirectory.NewAt(t, func() time.Time { return time.Now().Add(apart) })
		m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
		end := m.run()
		m.becomes("enrolment", done)
		end()
		old := m.laterBy(d, 4)
		end = m.run()
		m.renews(d, old)
		end()
		end = m.run() // with the new one
		d.Change(func(s *api.Settings) { s.Windows.Text = "changed" })
		eventually(t, "news by the new certificate", func() bool {
			r, err := readRecord(m.Layout().Device(), d.At)
			return err == nil && r.Heard.Settings.Text == "changed"
		})
		end()
	}
}
