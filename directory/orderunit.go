package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// maxTimes is how often a device may come by an order for which it takes a place
// but once: it was reset, or its first try came to nothing.
const maxTimes = 5

// orderPlace is a device's in an order.
type orderPlace struct {
	order *api.Order
	unit  string // empty: the device does not know its serial number
	known bool   // there is a row of it
	again bool   // the same hardware came before: no more of the quantity is taken
}

// findPlace finds the place of a device in the order of its key, and refuses it if
// it has none. From then to the end of the transaction the order is locked: no two
// devices see the same place free.
func (e *enrolment) findPlace(t *transaction, order uuid.UUID) (*orderPlace, error) {
	o, err := t.lockOrder(order)
	if err != nil {
		return nil, err
	}
	if over := orderOver(o); over != nil {
		return nil, over
	}
	p := &orderPlace{order: o, unit: api.FoldSerial(e.Facts.Serial)}
	var times int
	var device, platform, serial string
	err = t.QueryRowContext(t.ctx, `SELECT u.times, COALESCE(d.id, ''), COALESCE(d.platform, ''), COALESCE(d.serial, '')
		FROM order_units u LEFT JOIN devices d ON d.id = u.device WHERE u.order_id = $1 AND u.unit = $2`, order.String(), p.unit).Scan(&times, &device, &platform, &serial)
	switch {
	case errors.Is(err, sql.ErrNoRows) && o.Listed:
		return nil, api.Refuse(api.CodeKeySerial, "the order %s is not for the serial number %q", o.PO, e.Facts.Serial)
	case errors.Is(err, sql.ErrNoRows):
		return p, nil
	case err != nil:
		return nil, err
	}
	p.known = true
	if device == "" {
		return p, nil
	}
	// Only what replaces its former self (see enrolment.former) comes again for
	// nothing: an order never has more devices than its quantity.
	if platform != string(e.Facts.Platform) || serial != e.Facts.Serial {
		return nil, api.Refuse(api.CodeOrderTaken, "device %s came as %q with %s, this one is %q with %s", device, serial, platform, e.Facts.Serial, e.Facts.Platform)
	}
	if times >= maxTimes {
		return nil, api.Refuse(api.CodeOrderTaken, "it came %d times, last as device %s", times, device)
	}
	p.again = true
	return p, nil
}

// take notes that the device has the place. The last one ends the order's keys.
func (e *enrolment) take(t *transaction, p *orderPlace) error {
	order, device, now := p.order.ID.String(), e.id.String(), millis(t.d.now())
	if p.known {
		if _, err := t.exec(`UPDATE order_units SET device = $1, times = times + 1, came_at = CASE WHEN came_at = 0 THEN $4 ELSE came_at END WHERE order_id = $2 AND unit = $3`, device, order, p.unit, now); err != nil {
			return err
		}
	} else {
		unit := p.unit
		if unit == "" {
			unit = "device " + device
		}
		if _, err := t.exec(`INSERT INTO order_units (order_id, unit, serial, listed, device, times, came_at) VALUES ($1, $2, $3, 0, $4, 1, $5)`, order, unit, e.Facts.Serial, device, now); err != nil {
			return err
		}
	}
	if p.again {
		return nil
	}
	if _, err := t.exec(`UPDATE orders SET used = used + 1 WHERE id = $1`, order); err != nil {
		return fmt.Errorf("taking a place in order %s: %w", p.order.PO, err)
	}
	if p.order.Used+1 < p.order.Quantity {
		return nil
	}
	if _, err := t.exec(`UPDATE orders SET completed_at = $1 WHERE id = $2`, millis(t.d.now()), order); err != nil {
		return err
	}
	t.audit("device:"+device, "order.complete", "order:"+order, map[string]any{"po": p.order.PO, "quantity": p.order.Quantity})
	return t.endKeys(p.order.ID)
}

// UnitPage is how many lines a page of an order's lists holds.
const UnitPage = 1000

// OrderUnits lists what an order expects and what came, those after the unit named,
// at most [UnitPage].
func (d *Directory) OrderUnits(ctx context.Context, order uuid.UUID, after string) ([]*api.OrderUnit, error) {
	return d.units(ctx, order, "", after)
}

// MissingUnits lists what an order expects and did not come yet, as OrderUnits does.
func (d *Directory) MissingUnits(ctx context.Context, order uuid.UUID, after string) ([]*api.OrderUnit, error) {
	return d.units(ctx, order, ` AND u.device = ''`, after)
}

func (d *Directory) units(ctx context.Context, order uuid.UUID, which, after string) ([]*api.OrderUnit, error) {
	if err := d.knownOrder(ctx, order, after); err != nil {
		return nil, err
	}
	// Names of users hold no line break.
	return readRows(ctx, d.store.read, scanUnit, `SELECT u.unit, u.serial, u.listed, u.device, COALESCE(d.state, ''), COALESCE(d.platform, ''), COALESCE(d.name, ''), COALESCE(d.package_id, ''), COALESCE(d.enrolled_at, 0),
			COALESCE((SELECT string_agg(p.name, '
' ORDER BY p.name) FROM bindings b JOIN users p ON p.id = b.user_id WHERE b.device = u.device AND b.state = $4), '')
		FROM order_units u LEFT JOIN devices d ON d.id = u.device WHERE u.order_id = $1 AND u.unit > $2`+which+` ORDER BY u.unit LIMIT $3`,
		order.String(), after, UnitPage, api.Bound)
}

func scanUnit(row scanner) (*api.OrderUnit, error) {
	u, device := new(api.OrderUnit), new(api.OrderDevice)
	var listed, enrolled int64
	var id, packageID, users string
	if err := row.Scan(&u.Unit, &u.Serial, &listed, &id, &device.State, &device.Platform, &device.Name, &packageID, &enrolled, &users); err != nil {
		return nil, err
	}
	u.Listed = listed != 0
	if id != "" {
		device.ID, device.PackageID, device.EnrolledAt = parseUUID(id), parseUUID(packageID), fromMillis(enrolled)
		if users != "" {
			device.Users = strings.Split(users, "\n")
		}
		u.Device = device
	}
	return u, nil
}

// OrderRefusals lists what devices an order's keys were refused to and why, those
// after the serial number and code named, at most [UnitPage].
func (d *Directory) OrderRefusals(ctx context.Context, order uuid.UUID, serial, code string) ([]*api.OrderRefusal, error) {
	if err := d.knownOrder(ctx, order, serial+code); err != nil {
		return nil, err
	}
	return readRows(ctx, d.store.read, scanRefusal, `SELECT u.serial, u.refusal, COUNT(*), MAX(u.at) FROM connect_keys k JOIN connect_key_uses u ON u.connect_key = k.id
		WHERE k.order_id = $1 AND u.refusal <> '' AND (u.serial > $2 OR u.serial = $2 AND u.refusal > $3)
		GROUP BY u.serial, u.refusal ORDER BY u.serial, u.refusal LIMIT $4`, order.String(), serial, code, UnitPage)
}

func scanRefusal(row scanner) (*api.OrderRefusal, error) {
	r := new(api.OrderRefusal)
	var last int64
	err := row.Scan(&r.Serial, &r.Code, &r.Count, &last)
	r.Last = fromMillis(last)
	return r, err
}

// knownOrder refuses to list what is not there.
func (d *Directory) knownOrder(ctx context.Context, order uuid.UUID, after string) error {
	if !storable(after) {
		return api.Refuse(api.CodeBadRequest, "%.70q is no place in the list", after)
	}
	var known int
	err := d.store.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM orders WHERE id = $1`, order.String()).Scan(&known)
	if err == nil && known == 0 {
		return api.Refuse(api.CodeNotFound, "there is no order %s", order)
	}
	return err
}
