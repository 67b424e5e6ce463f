package directory

import (
	"context"
	"slices"
	"time"

	"firstday.dev/api"
)

const (
	// overviewSpan is how far back an overview counts.
	overviewSpan = 24 * time.Hour
	// endingSoon is how long before its end something is told of. Certificates have
	// a longer time of their own, see expiryWarning.
	endingSoon = 7 * 24 * time.Hour
	// endedLately is how long after its end it still is.
	endedLately = 24 * time.Hour
	// maxEndings bounds the list, of each kind.
	maxEndings = 20
)

// Overview tells how the fleet stands, and what ends soon.
func (d *Directory) Overview(ctx context.Context) (*api.Overview, error) {
	now := d.now()
	o := &api.Overview{Time: now, Since: now.Add(-overviewSpan)}
	if err := d.countFleet(ctx, o); err != nil {
		return nil, err
	}
	counts := []struct {
		to    *int
		query string
		value []any
	}{
		{&o.Enrolled, `SELECT COUNT(*) FROM fleet WHERE enrolled_at >= $1`, []any{millis(o.Since)}},
		{&o.SignedIn, `SELECT COUNT(*) FROM fleet WHERE device IN (SELECT device FROM device_events WHERE kind = $1 AND at >= $2)`, []any{api.EventBound, millis(o.Since)}},
	}
	for _, c := range counts {
		if err := d.store.read.QueryRowContext(ctx, c.query, c.value...).Scan(c.to); err != nil {
			return nil, err
		}
	}
	var err error
	o.Problems, err = readRows(ctx, d.store.read, scanProblemCount, `SELECT problem, COUNT(*) AS n FROM device_problems GROUP BY problem ORDER BY n DESC, problem LIMIT $1`, api.MaxOverviewProblems)
	if err != nil {
		return nil, err
	}
	o.Ending, err = d.endings(ctx, now)
	return o, err
}

func scanProblemCount(row scanner) (p api.ProblemCount, err error) {
	return p, row.Scan(&p.Problem, &p.Devices)
}

// standingCount is how many devices stand alike.
type standingCount struct {
	state                api.DeviceState
	people, trouble, off bool
	devices              int
}

func scanStanding(row scanner) (c standingCount, err error) {
	return c, row.Scan(&c.state, &c.people, &c.trouble, &c.off, &c.devices)
}

// countFleet counts where devices stand, in one look at an index.
func (d *Directory) countFleet(ctx context.Context, o *api.Overview) error {
	counts, err := readRows(ctx, d.store.read, scanStanding, `SELECT state, people, trouble, ssap_off, COUNT(*) FROM fleet GROUP BY state, people, trouble, ssap_off`)
	if err != nil {
		return err
	}
	for _, c := range counts {
		o.Devices += c.devices
		if c.state == api.DevicePending {
			o.Pending += c.devices
		} else if !c.people {
			o.Waiting += c.devices
		}
		if c.trouble {
			o.Trouble += c.devices
		}
		if c.off {
			o.Off += c.devices
		}
	}
	return nil
}

// endings gives what ends soon, or just has. Providers do not say when the secrets
// end that they gave.
func (d *Directory) endings(ctx context.Context, now time.Time) ([]api.Ending, error) {
	soon, lately := millis(now.Add(endingSoon)), millis(now.Add(-endedLately))
	var list []api.Ending
	for _, q := range []struct {
		kind  api.EndingKind
		query string
		value []any
	}{
		// An order's key ends with the order.
		{api.EndingKey, `SELECT id, label, expires_at, max_uses - uses FROM connect_keys
			WHERE revoked_at = 0 AND order_id = '' AND uses < max_uses AND expires_at > $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3`, []any{lately, soon, maxEndings}},
		{api.EndingUses, `SELECT id, label, expires_at, max_uses - uses FROM connect_keys
			WHERE revoked_at = 0 AND order_id = '' AND max_uses >= 10 AND uses * 10 >= max_uses * 9 AND expires_at >= $1 ORDER BY expires_at LIMIT $2`, []any{soon, maxEndings}},
		{api.EndingToken, `SELECT id, name, expires_at, 0 FROM tokens WHERE revoked_at = 0 AND expires_at > $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3`, []any{lately, soon, maxEndings}},
		{api.EndingOrder, `SELECT id, po, expires_at, quantity - used FROM orders
			WHERE closed_at = 0 AND completed_at = 0 AND expires_at > $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3`, []any{lately, soon, maxEndings}},
	} {
		found, err := readRows(ctx, d.store.read, func(row scanner) (api.Ending, error) {
			e := api.Ending{Kind: q.kind}
			var ends int64
			err := row.Scan(&e.ID, &e.Name, &ends, &e.Left)
			e.Ends = fromMillis(ends)
			return e, err
		}, q.query, q.value...)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	list = append(list, d.endingCertificates(now)...)
	slices.SortStableFunc(list, func(a, b api.Ending) int { return a.Ends.Compare(b.Ends) })
	return list, nil
}

// endingCertificates are those that nobody renewed. The one that the directory's
// own CA gives it renews itself.
func (d *Directory) endingCertificates(now time.Time) (list []api.Ending) {
	ends := map[string]time.Time{"ca": d.ca.cert.NotAfter}
	if d.web != nil {
		ends["browsers"] = d.web.notAfter()
	}
	for name, end := range ends {
		if !end.IsZero() && end.Before(now.Add(expiryWarning)) {
			list = append(list, api.Ending{Kind: api.EndingCertificate, Name: name, Ends: end})
		}
	}
	return list
}
