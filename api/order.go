package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Bounds of an order.
const (
	MaxOrderQuantity = 100_000
	MaxOrderTags     = 20
	MaxOrderLife     = Duration(366 * 24 * time.Hour)
	maxOrderText     = 64  // bytes, of the purchase order's number
	maxSerial        = 200 // bytes
)

// DefaultOrderLife is how long devices may come by an order unless somebody says
// otherwise: laptops lie in warehouses.
const DefaultOrderLife = Duration(90 * 24 * time.Hour)

// NewOrder asks for an order: the one quota of all connect keys that are minted
// for it.
type NewOrder struct {
	PO       string   `json:"po"` // the purchase order's number
	Partner  string   `json:"partner,omitempty"`
	Quantity int      `json:"quantity"`
	Serials  []string `json:"serials,omitempty"` // as many as the quantity; empty: whatever comes
	Tags     []string `json:"tags,omitempty"`    // given to its devices
	Life     Duration `json:"life,omitempty"`    // 0: DefaultOrderLife
}

// Check refuses an order that cannot be one.
func (n *NewOrder) Check() error {
	switch {
	case CheckPO(n.PO) != nil:
		return CheckPO(n.PO)
	case !PlainText(n.Partner):
		return errors.New("the partner's name is too long, or no plain text")
	case n.Quantity < 1 || n.Quantity > MaxOrderQuantity:
		return fmt.Errorf("a quantity of %d; from 1 to %d are possible", n.Quantity, MaxOrderQuantity)
	case len(n.Serials) > 0 && len(n.Serials) != n.Quantity:
		return fmt.Errorf("%d serial numbers and a quantity of %d; they must be the same", len(n.Serials), n.Quantity)
	case len(n.Tags) > MaxOrderTags || slices.ContainsFunc(n.Tags, func(t string) bool { return t == "" || !PlainText(t) }):
		return fmt.Errorf("at most %d tags, and each plain text", MaxOrderTags)
	case n.Life < 0 || n.Life > MaxOrderLife:
		return fmt.Errorf("an order lives from now on, and at most %v", time.Duration(MaxOrderLife))
	}
	seen := make(map[string]bool, len(n.Serials))
	for _, s := range n.Serials {
		if err := CheckSerial(s); err != nil {
			return err
		}
		if seen[FoldSerial(s)] {
			return fmt.Errorf("the serial number %q is listed twice", s)
		}
		seen[FoldSerial(s)] = true
	}
	return nil
}

// CheckPO refuses what is no purchase order's number: one plain text that no
// terminal, page or file name is led astray by.
func CheckPO(po string) error {
	if po == "" || len(po) > maxOrderText || !utf8.ValidString(po) || strings.TrimSpace(po) != po || strings.ContainsFunc(po, isUnprintable) {
		return fmt.Errorf("%.70q is no number of a purchase order: it has 1 to %d bytes, none of them invisible", po, maxOrderText)
	}
	return nil
}

// CheckSerial refuses what is no serial number of an order.
func CheckSerial(s string) error {
	if FoldSerial(s) == "" || len(s) > maxSerial || !utf8.ValidString(s) || strings.ContainsFunc(s, isUnprintable) {
		return fmt.Errorf("%.70q is no serial number: it has 1 to %d bytes, none of them invisible", s, maxSerial)
	}
	return nil
}

// FoldSerial gives the same for serial numbers that differ only in upper and lower
// case, as [strings.EqualFold] tells, or in spaces around them: people type them.
func FoldSerial(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, strings.TrimSpace(s))
}

// Order is what an order came to. It is complete when as many devices came by
// its keys as it says: these end then.
type Order struct {
	ID          uuid.UUID `json:"id"`
	PO          string    `json:"po"`
	Partner     string    `json:"partner,omitempty"`
	Quantity    int       `json:"quantity"`
	Used        int       `json:"used"`   // of the quantity
	Listed      bool      `json:"listed"` // whether it is for certain serial numbers
	Tags        []string  `json:"tags,omitempty"`
	CreatedAt   time.Time `json:"createdAt"`
	CreatedBy   string    `json:"createdBy"`
	ExpiresAt   time.Time `json:"expiresAt"`
	CompletedAt time.Time `json:"completedAt,omitzero"`
	ClosedAt    time.Time `json:"closedAt,omitzero"`
}

// OrderUnit is one of the devices of an order: one that is expected, or came.
type OrderUnit struct {
	Unit   string       `json:"unit"`             // what tells it from others
	Serial string       `json:"serial,omitempty"` // as listed, else as the device says
	Listed bool         `json:"listed"`
	Device *OrderDevice `json:"device,omitempty"` // nil: not seen yet
}

// OrderDevice is the device that came for a unit of an order.
type OrderDevice struct {
	ID         uuid.UUID   `json:"id"`
	State      DeviceState `json:"state"`
	Platform   Platform    `json:"platform"`
	Name       string      `json:"name"`
	PackageID  uuid.UUID   `json:"packageId"`
	EnrolledAt time.Time   `json:"enrolledAt"`
	Users      []string    `json:"users,omitempty"` // who have signed in, by name
}

// OrderRefusal is what came of devices that an order's keys were of no use to.
type OrderRefusal struct {
	Serial string    `json:"serial"` // as the device said
	Code   Code      `json:"code"`
	Count  int       `json:"count"`
	Last   time.Time `json:"last"`
}

// CreateOrder makes an order.
func (c *Client) CreateOrder(ctx context.Context, n *NewOrder) (*Order, error) {
	return ask[Order](ctx, c, http.MethodPost, "/orders", n)
}

// Orders lists orders, the newest first.
func (c *Client) Orders(ctx context.Context) ([]Order, error) {
	return pages(ctx, c, "/orders", MaxOrderQuantity, func(last *Order) url.Values { return url.Values{"before": {last.ID.String()}} })
}

// OrderOf gives the newest order of a purchase order's number.
func (c *Client) OrderOf(ctx context.Context, po string) (*Order, error) {
	page, err := list[Order](ctx, c, "/orders?"+url.Values{"po": {po}}.Encode())
	if err != nil {
		return nil, err
	}
	if len(page) == 0 {
		return nil, Refuse(CodeNotFound, "there is no order %q", po)
	}
	return &page[0], nil
}

// OrderUnits lists what an order expects, and what came.
func (c *Client) OrderUnits(ctx context.Context, id uuid.UUID) ([]OrderUnit, error) {
	return pages(ctx, c, "/orders/"+id.String()+"/units", MaxOrderQuantity, func(last *OrderUnit) url.Values { return url.Values{"after": {last.Unit}} })
}

// MaxOrderRefusals is how many lines [Client.OrderRefusals] gives at least, if there
// are so many.
const MaxOrderRefusals = 10_000

// OrderRefusals lists what an order's keys were refused for. Whoever has a key can
// make the list as long as they like: if it has more than [MaxOrderRefusals] lines,
// some are left out.
func (c *Client) OrderRefusals(ctx context.Context, id uuid.UUID) ([]OrderRefusal, error) {
	return pages(ctx, c, "/orders/"+id.String()+"/refusals", MaxOrderRefusals, func(last *OrderRefusal) url.Values {
		return url.Values{"serial": {last.Serial}, "code": {string(last.Code)}}
	})
}

// CloseOrder ends an order and its keys. Its devices stay.
func (c *Client) CloseOrder(ctx context.Context, id uuid.UUID) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/orders/"+id.String()+"/close", struct{}{}, nil)
}

// pages reads a list to its end, or until it has more than so many items: neither
// a device nor a directory that is none keeps its caller for ever. next names the
// page behind an item.
func pages[T any](ctx context.Context, c *Client, path string, most int, next func(last *T) url.Values) ([]T, error) {
	var all []T
	query := url.Values{}
	for len(all) <= most {
		page, err := list[T](ctx, c, path+"?"+query.Encode())
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
		query = next(&page[len(page)-1])
	}
	return all, nil
}
