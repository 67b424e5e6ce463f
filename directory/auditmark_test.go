package directory

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"firstday.dev/api"
)

// lookAtAudit has the log verified, and gives the mark.
func lookAtAudit(t *testing.T, d *Directory) AuditMark {
	t.Helper()
	d.auditMark.mu.Lock()
	before := d.auditMark.mark
	d.auditMark.mu.Unlock()
	mark, err := d.verifyAudit(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	d.auditMark.mu.Lock()
	d.auditMark.mark = mark
	d.auditMark.mu.Unlock()
	return mark
}

// The log is verified from where it was before, and what is wrong with it is said.
func TestAuditMark(t *testing.T) {
	for name, c := range map[string]struct {
		change string
		later  time.Duration
		wrong  string
	}{
		"nothing changed":            {`SELECT 1`, 0, ""},
		"a new entry changed":        {`UPDATE audit SET actor = 'nobody' WHERE seq = 4`, 0, "entry 4 does not have its hash"},
		"the last verified changed":  {`UPDATE audit SET hash = 'x' WHERE seq = 3`, 0, "entry 3 is another one than it was"},
		"the end cut off":            {`DELETE FROM audit WHERE seq = 4`, 0, "it ends with entry 3, not with entry 4"},
		"cut off, with the head":     {`DELETE FROM audit WHERE seq >= 3; UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit WHERE seq = 2)`, 0, "entry 3 is another one than it was"},
		"one missing":                {`DELETE FROM audit WHERE seq = 3`, 0, "entry 3 is another one than it was"},
		"an old one changed, by now": {`UPDATE audit SET actor = 'nobody' WHERE seq = 1`, auditAnew + time.Minute, "entry 1 does not have its hash"},
	} {
		t.Run(name, func(t *testing.T) {
			var later atomic.Int64
			dir := t.TempDir()
			d, err := Open(t.Context(), Options{
				Organisation: "Acme", Database: filepath.Join(dir, "directory.db"), KeyFile: filepath.Join(dir, "directory.key"), Names: []string{"127.0.0.1"},
				Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			for range 3 {
				mint(t, d, api.NewConnectKey{})
			}
			if mark := lookAtAudit(t, d); mark.Wrong != "" || mark.Entries != 3 || mark.Time.IsZero() {
				t.Errorf("at first: %+v", mark)
			}
			mint(t, d, api.NewConnectKey{})
			if _, err := d.store.write.ExecContext(t.Context(), c.change); err != nil {
				t.Fatal(err)
			}
			later.Store(int64(c.later))
			mark := lookAtAudit(t, d)
			if c.wrong == "" && (mark.Wrong != "" || mark.Entries != 4) || !strings.Contains(mark.Wrong, c.wrong) {
				t.Errorf("then: %+v", mark)
			}
			// What is wrong stays wrong.
			if again := lookAtAudit(t, d); (again.Wrong == "") != (c.wrong == "") {
				t.Errorf("once more: %+v", again)
			}
		})
	}
}

// Who looks does not wait, and hears when it is done.
func TestAuditMarkInTheBackground(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		mint(t, d, api.NewConnectKey{})
		told := d.Subscribe(t.Context(), TopicAudit)
		if mark := d.AuditMark(); !mark.Time.IsZero() {
			t.Errorf("it was verified before anybody looked: %+v", mark)
		}
		for d.AuditMark().Time.IsZero() {
			hears(t, told, TopicAudit)
		}
		if mark := d.AuditMark(); mark.Entries != 1 || mark.Wrong != "" {
			t.Errorf("%+v", mark)
		}
	})
}
