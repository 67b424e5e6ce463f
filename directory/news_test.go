package directory

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
)

// hears waits until all of the topics were told.
func hears(t *testing.T, told <-chan []Topic, wanted ...Topic) {
	t.Helper()
	missing := slices.Clone(wanted)
	for len(missing) > 0 {
		select {
		case topics, open := <-told:
			if !open {
				t.Fatalf("nobody told of %v", missing)
			}
			missing = slices.DeleteFunc(missing, func(topic Topic) bool { return slices.Contains(topics, topic) })
		case <-time.After(30 * time.Second):
			t.Fatalf("nobody told of %v", missing)
		}
	}
}

// Whoever looks at a page hears of what another replica changes.
func TestNewsOnAnyReplica(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		told := last.Subscribe(t.Context(), Topics...)
		key := mint(t, first, api.NewConnectKey{})
		hears(t, told, TopicKeys, TopicAudit)
		l := newLaptop(t, "S1")
		e := enroll(t, first, l, key.Secret)
		hears(t, told, TopicKeys, TopicDevices, TopicOrders, TopicAudit)
		l.facts.Name = "renamed"
		if _, err := first.CheckIn(t.Context(), e.DeviceID, &api.CheckInRequest{Facts: &l.facts}); err != nil {
			t.Fatal(err)
		}
		hears(t, told, TopicDevices)
		newUser(t, first, "ann")
		hears(t, told, TopicUsers)
		change(t, first, func(s *api.Settings) { s.Windows.SSAP = false })
		hears(t, told, TopicSettings)
		stranger := newLaptop(t, "S2")
		if err := first.RevokeKey(t.Context(), "token:ann", key.ID); err != nil {
			t.Fatal(err)
		}
		hears(t, told, TopicKeys)
		if _, err := first.Enroll(t.Context(), stranger.request(t, key.Secret), "192.0.2.7"); err == nil {
			t.Error("a revoked key lets a device in")
		}
		hears(t, told, TopicKeys)
	})
}

// However much changes, a subscriber is told at most four times a second, in the end
// of everything, and only of what it asked for.
func TestNewsComesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closing, stop := context.WithCancel(t.Context())
		d := &Directory{closing: closing}
		told := d.Subscribe(t.Context(), TopicKeys, TopicUsers)
		var heard [][]Topic
		ended := make(chan bool)
		go func() {
			for topics := range told {
				heard = append(heard, topics)
			}
			close(ended)
		}()
		for range 1000 { // a second
			d.news.tell(TopicKeys, TopicAudit)
			time.Sleep(time.Millisecond)
		}
		d.news.tell(TopicUsers)
		time.Sleep(time.Second)
		stop()
		<-ended
		if len(heard) < 4 || len(heard) > 6 {
			t.Errorf("it was told %d times", len(heard))
		}
		if last := heard[len(heard)-1]; !slices.Contains(last, TopicUsers) {
			t.Errorf("what came last was %v", last)
		}
		for _, topics := range heard {
			if slices.Contains(topics, TopicAudit) {
				t.Error("it was told of what it did not ask for")
			}
		}
		if len(d.news.subscribers) != 0 {
			t.Errorf("%d subscribers are left", len(d.news.subscribers))
		}
	})
}

// A reader that is slow holds up nobody, and hears of all in the end.
func TestNewsForTheSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		d := &Directory{closing: t.Context()}
		told := d.Subscribe(ctx, Topics...)
		d.news.tell(TopicOrders)
		synctest.Wait() // it is being told of orders, and does not listen
		for _, topic := range []Topic{TopicKeys, TopicUsers, TopicDevices, "of a newer replica"} {
			d.news.tell(topic)
		}
		if diff := cmp.Diff([]Topic{TopicOrders}, <-told); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]Topic{TopicDevices, TopicUsers, TopicKeys}, <-told); diff != "" {
			t.Error(diff)
		}
		leave()
		if _, open := <-told; open {
			t.Error("it is told more after it left")
		}
	})
}
