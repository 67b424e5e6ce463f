package directory

import (
	"context"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// progressSteps are how long steps are.
var progressSteps = map[api.ProgressStep]time.Duration{api.ByHour: time.Hour, api.ByDay: 24 * time.Hour}

// OrderProgress tells how an order's devices came over time, by hour or day of
// UTC. A device that came again counts when it came first.
func (d *Directory) OrderProgress(ctx context.Context, id uuid.UUID, step api.ProgressStep) (*api.OrderProgress, error) {
	span := progressSteps[step]
	if span == 0 {
		return nil, api.Refuse(api.CodeBadRequest, "step %.20q is neither hour nor day", string(step))
	}
	o, err := d.Order(ctx, id)
	if err != nil {
		return nil, err
	}
	p := &api.OrderProgress{Expected: o.Quantity, From: o.CreatedAt, Until: o.ExpiresAt, Step: step, Points: []api.OrderedCount{}}
	for _, over := range []time.Time{o.CompletedAt, o.ClosedAt} {
		if !over.IsZero() && over.Before(p.Until) {
			p.Until = over
		}
	}
	counts, err := readRows(ctx, d.store.read, scanStep, `SELECT came_at / $1, COUNT(*) FROM order_units WHERE order_id = $2 AND came_at > 0 GROUP BY 1 ORDER BY 1`, span.Milliseconds(), id.String())
	for _, c := range counts {
		p.Seen += c.devices
		p.Points = append(p.Points, api.OrderedCount{Time: fromMillis(c.step * span.Milliseconds()), Seen: p.Seen})
	}
	return p, err
}

type stepCount struct {
	step    int64
	devices int
}

func scanStep(row scanner) (c stepCount, err error) { return c, row.Scan(&c.step, &c.devices) }
