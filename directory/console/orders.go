package console

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
	"firstday.dev/internal/sheet"
)

const pathOrders = Path + "orders"

func (c *Console) orderRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "orders", roles: readers, serve: c.orders},
		{method: http.MethodPost, path: "orders", roles: keepers, most: maxList, serve: c.makeOrder},
		{method: http.MethodGet, path: "orders/new", roles: keepers, serve: c.newOrder},
		{method: http.MethodGet, path: "orders/{id}", roles: readers, serve: c.order},
		{method: http.MethodGet, path: "orders/{id}/close", roles: keepers, serve: c.askCloseOrder},
		{method: http.MethodPost, path: "orders/{id}/close", roles: keepers, serve: c.closeOrder},
	}
}

// shownOrder is an order as pages show it.
type shownOrder struct{ *api.Order }

// Open tells whether a device may still come.
func (o shownOrder) Open() bool { return o.ClosedAt.IsZero() && o.CompletedAt.IsZero() }

// Badge is where the order stands.
func (o shownOrder) Badge() badge {
	switch {
	case !o.ClosedAt.IsZero():
		return badge{"plain", sentence("closed")}
	case !o.CompletedAt.IsZero():
		return badge{"good", sentence("complete")}
	case !time.Now().Before(o.ExpiresAt):
		return badge{"bad", sentence("expired")}
	}
	return badge{"wait", sentence("devices are awaited")}
}

func (o shownOrder) path() string { return pathOrders + "/" + o.ID.String() }

// orderPage is how many orders, or devices of one, a page shows.
const orderPage = 100

type ordersData struct {
	Orders   []shownOrder
	Filtered bool
	Next     string
}

func (c *Console) orders(v *visit) (*page, error) {
	before, err := uuid.Parse(v.form("before"))
	if err != nil {
		before = uuid.Nil
	}
	data := ordersData{Filtered: v.form("po") != ""}
	p := &page{Title: "Orders", Template: "orders", Topics: []directory.Topic{directory.TopicOrders}}
	list, err := c.directory.Orders(v.Context(), v.form("po"), before)
	if len(list) > orderPage {
		list = list[:orderPage]
		data.Next = list[orderPage-1].ID.String()
	}
	for _, o := range list {
		data.Orders = append(data.Orders, shownOrder{o})
	}
	p.Data = data
	return v.again(p, err)
}

var upToOrders = link{pathOrders, "Orders"}

func (c *Console) newOrder(*visit) (*page, error) {
	return &page{Title: "Make an order", Up: upToOrders, Template: "ordernew"}, nil
}

// makeOrder makes an order of serial numbers, or of a quantity of whatever comes.
func (c *Console) makeOrder(v *visit) (*page, error) {
	form, _ := c.newOrder(v)
	data, err := v.listOf("serials", "file")
	if err != nil {
		return v.again(form, err)
	}
	n := api.NewOrder{
		PO: v.form("po"), Partner: v.form("partner"), Tags: split(v.form("tags"), ","),
		Life: api.Duration(time.Duration(v.number("days", 1, int(time.Duration(api.MaxOrderLife)/(24*time.Hour)))) * 24 * time.Hour),
	}
	if len(data) > 0 {
		if n.Serials, err = sheet.Serials(bytes.NewReader(data), "list"); err != nil {
			return v.again(form, api.Refuse(api.CodeBadRequest, "%.2000s", err.Error()))
		}
		n.Quantity = len(n.Serials)
	}
	if len(data) == 0 || v.form("quantity") != "" {
		n.Quantity = v.number("quantity", 1, api.MaxOrderQuantity)
	}
	if len(v.wrongs) > 0 {
		return v.again(form, nil)
	}
	o, err := c.directory.CreateOrder(v.Context(), v.actor(), n)
	if err != nil {
		return v.again(form, err)
	}
	return v.done(shownOrder{o}.path(), "The order %s is made.", o.PO)
}

type orderData struct {
	Order    shownOrder
	Chart    *chart
	Units    []*api.OrderUnit
	Missing  bool // whether only what is missing is listed
	Next     string
	Refusals []*api.OrderRefusal
	Many     bool // refusals, not all of which are shown
}

func (c *Console) findOrder(v *visit) (shownOrder, error) {
	id, err := v.id()
	if err != nil {
		return shownOrder{}, err
	}
	o, err := c.directory.Order(v.Context(), id)
	return shownOrder{o}, err
}

func (c *Console) order(v *visit) (*page, error) {
	o, err := c.findOrder(v)
	if err != nil {
		return nil, err
	}
	data := orderData{Order: o, Missing: v.form("show") == "missing"}
	list := c.directory.OrderUnits
	if data.Missing {
		list = c.directory.MissingUnits
	}
	if data.Units, err = list(v.Context(), o.ID, v.form("after")); err != nil {
		return nil, err
	}
	if len(data.Units) > orderPage {
		data.Units = data.Units[:orderPage]
		data.Next = data.Units[orderPage-1].Unit
	}
	if data.Refusals, err = c.directory.OrderRefusals(v.Context(), o.ID, "", ""); err != nil {
		return nil, err
	}
	if data.Many = len(data.Refusals) > orderPage; data.Many {
		data.Refusals = data.Refusals[:orderPage]
	}
	step := api.ByDay
	if time.Since(o.CreatedAt) < 3*24*time.Hour {
		step = api.ByHour
	}
	progress, err := c.directory.OrderProgress(v.Context(), o.ID, step)
	if err != nil {
		return nil, err
	}
	data.Chart = newChart(progress, time.Now())
	return &page{Title: "Order", Of: o.PO, Up: upToOrders, Template: "order", Data: data, Topics: []directory.Topic{directory.TopicOrders}}, nil
}

// Command is what makes the partner's bundle of such an order: where packages are
// signed, which is not here. The order that it makes has the same number, so that this
// one is to be closed first.
func (d orderData) Command() string {
	o := d.Order
	words := []string{"firstday", "order", "create", "--po", quote(o.PO)}
	if o.Partner != "" {
		words = append(words, "--partner", quote(o.Partner))
	}
	if o.Listed {
		words = append(words, "--serials", "list.csv")
	} else {
		words = append(words, "--quantity", text(o.Quantity))
	}
	for _, tag := range o.Tags {
		words = append(words, "--tags", quote(tag))
	}
	return strings.Join(append(words, "-o", "bundle"), " ")
}

// quote makes one word of a text, in a shell.
func quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !strings.ContainsRune("-._/", r) && (r > 'z' || !isAlphanumeric(byte(r))) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func isAlphanumeric(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z'
}

func (c *Console) askCloseOrder(v *visit) (*page, error) {
	o, err := c.findOrder(v)
	if err != nil {
		return nil, err
	}
	return &page{Title: "Close an order", Up: link{o.path(), "Order"}, Template: "confirm", Data: confirm{
		Question: sentence("Do you want to close this order?"), Of: o.PO, Do: sentence("Close this order"), To: o.path() + "/close", Back: o.path(),
		Then: []sentence{sentence("Its connect keys end at once: no device comes by it any more."), sentence("Devices that came by it stay."), sentence("This cannot be taken back.")},
	}}, nil
}

func (c *Console) closeOrder(v *visit) (*page, error) {
	o, err := c.findOrder(v)
	if err != nil {
		return nil, err
	}
	if err := c.directory.CloseOrder(v.Context(), v.actor(), o.ID); err != nil {
		return nil, err
	}
	return v.done(o.path(), "The order %s is closed.", o.PO)
}
