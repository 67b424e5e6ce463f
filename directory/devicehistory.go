package directory

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// What is remembered of a device's history: of each kind so many events, so that
// one that comes again and again pushes none of the others out, for so long.
const (
	eventsKept = 100
	eventLife  = 400 * 24 * time.Hour
)

// event notes what happened to a device. Empty details are left out.
func (t *transaction) event(device uuid.UUID, kind api.EventKind, code api.Code, actor string, detail map[string]string) error {
	for name, text := range detail {
		if text == "" {
			delete(detail, name)
		}
	}
	b, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	n, err := t.exec(`INSERT INTO device_events (device, number, at, kind, code, actor, detail)
		SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6 FROM device_events WHERE device = $1 ON CONFLICT DO NOTHING`,
		device.String(), millis(t.d.now()), kind, code, actor, string(b))
	if err != nil {
		return err
	}
	if n == 0 {
		return errAgain // another event took the number
	}
	t.topics = append(t.topics, TopicDevices)
	_, err = t.exec(`DELETE FROM device_events WHERE device = $1 AND kind = $2
		AND number <= (SELECT number FROM device_events WHERE device = $1 AND kind = $2 ORDER BY number DESC LIMIT 1 OFFSET $3)`, device.String(), kind, eventsKept)
	return err
}

// EventPage is how many events a page of a device's history holds.
const EventPage = 100

// DeviceEvents gives what happened to a device, the last first, from before the
// event of that number on; 0: the last. There are at most [EventPage].
func (d *Directory) DeviceEvents(ctx context.Context, id uuid.UUID, before int64) ([]*api.DeviceEvent, error) {
	if err := d.mustExist(ctx, id); err != nil {
		return nil, err
	}
	return readRows(ctx, d.store.read, scanEvent, `SELECT number, at, kind, code, actor, detail FROM device_events
		WHERE device = $1 AND ($2 <= 0 OR number < $2) ORDER BY number DESC LIMIT $3`, id.String(), before, EventPage)
}

func scanEvent(row scanner) (*api.DeviceEvent, error) {
	e := new(api.DeviceEvent)
	var at int64
	var detail string
	if err := row.Scan(&e.Number, &at, &e.Kind, &e.Code, &e.Actor, &detail); err != nil {
		return nil, err
	}
	e.Time = fromMillis(at)
	return e, json.Unmarshal([]byte(detail), &e.Detail)
}

// noteTry notes that somebody tried to sign in on a device, and could not. What
// they typed is not kept: now and then it is a password.
func (d *Directory) noteTry(ctx context.Context, device uuid.UUID, user *api.User, address string, why error) {
	code := api.CodeOf(why)
	if code == "" {
		return // a mistake of ours, or the database's
	}
	actor, name := "page", ""
	if user != nil {
		actor, name = "user:"+user.ID.String(), user.Name
	}
	err := d.change(ctx, func(t *transaction) error {
		return t.event(device, api.EventSignIn, code, actor, map[string]string{"user": name, "remote": address})
	})
	if err != nil {
		d.Log.WarnContext(ctx, "a try to sign in is not in the device's history", "device", device, "code", code, "error", err)
	}
}

// maxNotedProblems bounds how many an event names.
const maxNotedProblems = 5

// noteTrouble tells what a device reports and did not before, or that all is well.
func (t *transaction) noteTrouble(id uuid.UUID, before, now []string) error {
	known := make(map[string]bool)
	for _, p := range before {
		known[p] = true
	}
	var fresh []string
	for _, p := range now {
		if !known[p] {
			fresh = append(fresh, p)
		}
	}
	actor := "device:" + id.String()
	switch {
	case len(fresh) > 0:
		count := strconv.Itoa(len(fresh))
		return t.event(id, api.EventTrouble, "", actor, map[string]string{"problems": strings.Join(fresh[:min(len(fresh), maxNotedProblems)], "\n"), "count": count})
	case len(before) > 0 && len(now) == 0:
		return t.event(id, api.EventWell, "", actor, nil)
	}
	return nil
}

// forgetBatch is how many events one transaction forgets.
const forgetBatch = 1000

// forgetEvents forgets what happened too long ago.
func (d *Directory) forgetEvents(ctx context.Context) error {
	end := millis(d.now().Add(-eventLife))
	var errs []error
	for _, kind := range api.EventKinds {
		var old int
		err := d.store.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM device_events WHERE kind = $1 AND at < $2 LIMIT 1) AS one`, kind, end).Scan(&old)
		if err == nil && old > 0 {
			err = d.change(ctx, func(t *transaction) error {
				_, err := t.exec(`DELETE FROM device_events WHERE (device, number) IN (SELECT device, number FROM device_events WHERE kind = $1 AND at < $2 LIMIT $3)`, kind, end, forgetBatch)
				return err
			})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
