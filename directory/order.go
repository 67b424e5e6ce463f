package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// CreateOrder makes an order, for who is named. Connect keys are minted for it
// later; its quantity is that of all of them together.
func (d *Directory) CreateOrder(ctx context.Context, actor string, n api.NewOrder) (*api.Order, error) {
	if n.Life == 0 {
		n.Life = api.DefaultOrderLife
	}
	if err := n.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	tags, err := json.Marshal(n.Tags)
	if err != nil {
		return nil, err
	}
	now := d.now()
	o := &api.Order{
		ID: id, PO: n.PO, Partner: n.Partner, Quantity: n.Quantity, Listed: len(n.Serials) > 0, Tags: n.Tags,
		CreatedAt: now, CreatedBy: actor, ExpiresAt: now.Add(time.Duration(n.Life)).Truncate(time.Millisecond),
	}
	err = d.change(ctx, func(t *transaction) error {
		var other string
		err := t.QueryRowContext(ctx, `SELECT id FROM orders WHERE po = $1 AND closed_at = 0`, n.PO).Scan(&other)
		if other == id.String() {
			return nil // the attempt before this one was committed, and its answer lost
		}
		if err == nil {
			return api.Refuse(api.CodeConflict, "there is an order %q; close it first", n.PO)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		added, err := t.exec(`INSERT INTO orders (id, po, partner, quantity, listed, tags, created_at, created_by, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
			id.String(), n.PO, n.Partner, n.Quantity, bit(o.Listed), string(tags), millis(now), actor, millis(o.ExpiresAt))
		if err != nil {
			return err
		}
		if added == 0 {
			return errAgain // somebody made one of that number just now
		}
		t.audit(actor, "order.create", "order:"+id.String(), map[string]any{"po": n.PO, "partner": n.Partner, "quantity": n.Quantity, "serials": len(n.Serials), "expires": o.ExpiresAt})
		return t.expect(id, n.Serials)
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// expect notes the serial numbers of an order, many with each statement.
func (t *transaction) expect(order uuid.UUID, serials []string) error {
	const most = 1000 // rows: SQLite takes 32,766 values
	for len(serials) > 0 {
		batch := serials[:min(most, len(serials))]
		serials = serials[len(batch):]
		var rows strings.Builder
		values := []any{order.String()}
		for i, s := range batch {
			if i > 0 {
				rows.WriteString(", ")
			}
			fmt.Fprintf(&rows, "($1, $%d, $%d, 1, '', 0)", 2*i+2, 2*i+3)
			values = append(values, api.FoldSerial(s), strings.TrimSpace(s))
		}
		if _, err := t.exec(`INSERT INTO order_units (order_id, unit, serial, listed, device, times) VALUES `+rows.String(), values...); err != nil {
			return fmt.Errorf("noting the serial numbers: %w", err)
		}
	}
	return nil
}

const orderColumns = `id, po, partner, quantity, used, listed, tags, created_at, created_by, expires_at, completed_at, closed_at`

func scanOrder(row scanner) (*api.Order, error) {
	var o api.Order
	var tags string
	var listed, created, expires, completed, closed int64
	if err := row.Scan(&o.ID, &o.PO, &o.Partner, &o.Quantity, &o.Used, &listed, &tags, &created, &o.CreatedBy, &expires, &completed, &closed); err != nil {
		return nil, err
	}
	o.Listed, o.CreatedAt, o.ExpiresAt, o.CompletedAt, o.ClosedAt = listed != 0, fromMillis(created), fromMillis(expires), fromMillis(completed), fromMillis(closed)
	return &o, json.Unmarshal([]byte(tags), &o.Tags)
}

// OrderPage is how many orders a page of the list holds.
const OrderPage = 200

// Orders lists orders, the newest first, those older than the one named, at most
// [OrderPage]; only those of a purchase order's number, if one is given.
func (d *Directory) Orders(ctx context.Context, po string, before uuid.UUID) ([]*api.Order, error) {
	if !storable(po) {
		return nil, api.Refuse(api.CodeBadRequest, "%.70q is no number of a purchase order", po)
	}
	return readRows(ctx, d.store.read, scanOrder, `SELECT `+orderColumns+` FROM orders WHERE ($1 = '' OR po = $1) AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3`,
		po, uuidText(before), OrderPage)
}

// Order gives one order.
func (d *Directory) Order(ctx context.Context, id uuid.UUID) (*api.Order, error) {
	o, err := scanOrder(d.store.read.QueryRowContext(ctx, `SELECT `+orderColumns+` FROM orders WHERE id = $1`, id.String()))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Refuse(api.CodeNotFound, "there is no order %s", id)
	}
	return o, err
}

// CloseOrder ends an order and its keys. Devices that came by it stay.
func (d *Directory) CloseOrder(ctx context.Context, actor string, id uuid.UUID) error {
	return d.closeOrder(ctx, actor, id, func(*api.Order) error { return nil })
}

// WithdrawOrder is CloseOrder for those who may only build: it ends what they made
// themselves, as long as nobody came by it. That is how a build which fails cleans up.
func (d *Directory) WithdrawOrder(ctx context.Context, actor string, id uuid.UUID) error {
	return d.closeOrder(ctx, actor, id, func(o *api.Order) error {
		if o.CreatedBy != actor || o.Used > 0 {
			return api.Refuse(api.CodeForbidden, "the order was made by %s, and %d devices came by it", o.CreatedBy, o.Used)
		}
		return nil
	})
}

func (d *Directory) closeOrder(ctx context.Context, actor string, id uuid.UUID, may func(*api.Order) error) error {
	return d.change(ctx, func(t *transaction) error {
		o, err := t.lockOrder(id)
		if err != nil {
			return err
		}
		if err := may(o); err != nil || !o.ClosedAt.IsZero() {
			return err
		}
		if _, err := t.exec(`UPDATE orders SET closed_at = $1 WHERE id = $2`, millis(d.now()), id.String()); err != nil {
			return err
		}
		t.audit(actor, "order.close", "order:"+id.String(), map[string]any{"po": o.PO, "used": o.Used, "quantity": o.Quantity})
		return t.endKeys(id)
	})
}

// lockOrder gives an order to one transaction at a time.
func (t *transaction) lockOrder(id uuid.UUID) (*api.Order, error) {
	if _, err := t.exec(`UPDATE orders SET used = used WHERE id = $1`, id.String()); err != nil {
		return nil, fmt.Errorf("taking order %s: %w", id, err)
	}
	o, err := scanOrder(t.QueryRowContext(t.ctx, `SELECT `+orderColumns+` FROM orders WHERE id = $1`, id.String()))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Refuse(api.CodeNotFound, "there is no order %s", id)
	}
	return o, err
}

// endKeys revokes the keys of an order that is over.
func (t *transaction) endKeys(order uuid.UUID) error {
	_, err := t.exec(`UPDATE connect_keys SET revoked_at = $1 WHERE order_id = $2 AND revoked_at = 0`, millis(t.d.now()), order.String())
	return err
}

// orderOver says why no device comes by an order any more; nil: some may.
func orderOver(o *api.Order) *api.Error {
	switch {
	case !o.ClosedAt.IsZero():
		return api.Refuse(api.CodeOrderClosed, "the order %s was closed at %v", o.PO, o.ClosedAt)
	case !o.CompletedAt.IsZero():
		return api.Refuse(api.CodeOrderComplete, "the order %s was complete at %v", o.PO, o.CompletedAt)
	}
	return nil
}

// ofOrder gives a new key what its order says.
func (t *transaction) ofOrder(k *api.ConnectKey) error {
	o, err := t.lockOrder(k.OrderID)
	if err != nil {
		return err
	}
	if over := orderOver(o); over != nil {
		return over
	}
	k.ExpiresAt, k.MaxUses, k.Batch, k.Tags = o.ExpiresAt, o.Quantity, o.PO, o.Tags
	return nil
}
