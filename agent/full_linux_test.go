package agent

import (
	"context"
	"crypto/tls"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testmount"
)

// filling is a directory during whose answer to an enrolment the disk fills up.
type filling struct {
	directory
	fill func()
}

func (f filling) Enroll(ctx context.Context, r *api.EnrollRequest) (*api.EnrollResponse, error) {
	answer, err := f.directory.Enroll(ctx, r)
	f.fill()
	return answer, err
}

// The disk is full before the device has a key, when the directory has taken it,
// and when there is news. As soon as there is room all goes on, and the device
// took one use of its key.
func TestDiskIsFull(t *testing.T) {
	testmount.Apart(t, func() { diskIsFull(t) })
}

func diskIsFull(t *testing.T) {
	disk := testmount.Disk(t, 4<<20)
	d := testdirectory.New(t)
	m := newMachine(t)
	m.dir = disk
	m.limits.Random = func() float64 { return 0 }
	if err := os.MkdirAll(m.Layout().Data, 0o755); err != nil {
		t.Fatal(err)
	}
	m.bring(d.At, d.MustMint(api.NewConnectKey{}))
	var first sync.Once
	full := make(chan func(), 1) // once the first enrolment was answered
	m.limits.dial = func(at api.Directory, certificate func() (*tls.Certificate, error)) (directory, error) {
		c, err := dialDirectory(at, certificate)
		return filling{c, func() { first.Do(func() { full <- testmount.Fill(t, disk) }) }}, err
	}

	room := testmount.Fill(t, disk)
	end := m.run()
	time.Sleep(300 * time.Millisecond)
	if _, err := os.Stat(m.Layout().DeviceKey()); err == nil {
		t.Error("the key is there, on a full disk")
	}
	if uses := uses(t, d); uses != 0 {
		t.Errorf("without a key it took %d uses", uses)
	}
	room()
	empty := <-full
	if _, err := os.Stat(m.Layout().Device()); err == nil {
		t.Error("the record is there, on a full disk")
	}
	empty()
	m.becomes("enrolment", done)
	if uses := uses(t, d); uses != 1 {
		t.Errorf("it took %d uses", uses)
	}

	room = testmount.Fill(t, disk)
	d.Change(func(s *api.Settings) { s.Windows.Text = "changed" })
	heard := func() bool {
		r, err := readRecord(m.Layout().Device(), d.At)
		return err == nil && r != nil && r.Heard.Settings.Text == "changed"
	}
	if heard() {
		t.Error("news is kept on a full disk")
	}
	room()
	eventually(t, "the news", heard)
	end()
}

func uses(t *testing.T, d *testdirectory.Service) int {
	t.Helper()
	keys, err := d.Keys(t.Context(), uuid.Nil)
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	return keys[0].Uses
}
