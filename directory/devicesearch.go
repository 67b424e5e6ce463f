package directory

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// maxCounted bounds how far the devices that a search finds are counted.
const maxCounted = 100_000

// ahead is how many rows of an index a first page reads: if they are all there
// are, they need not be counted once more.
const ahead = 1000

// SearchDevices gives a page of the devices that are in or wait to be let in, and
// are as the query says.
func (d *Directory) SearchDevices(ctx context.Context, q api.DeviceQuery) (*api.DevicePage, error) {
	s, err := newSearch(&q)
	if err != nil {
		return nil, err
	}
	limit := q.Limit
	if limit == 0 {
		limit = api.DefaultDeviceLimit
	}
	most := limit + 1
	if s.from == nil {
		most = max(most, ahead+1)
	}
	found, err := d.find(ctx, s, most)
	if err != nil {
		return nil, err
	}
	page := &api.DevicePage{}
	switch {
	case s.from != nil:
		page.Total, page.AtLeast = s.from.Total, s.from.AtLeast
	case len(found) < most:
		page.Total = len(found)
	default:
		if page.Total, err = d.count(ctx, s); err != nil {
			return nil, err
		}
		if page.Total > maxCounted {
			page.Total, page.AtLeast = maxCounted, true
		}
	}
	if len(found) > limit {
		found = found[:limit]
		last := found[limit-1]
		page.Next = cursor{string(s.sort), s.descending, last.value, last.id, page.Total, page.AtLeast}.String()
	}
	ids := make([]uuid.UUID, len(found))
	for i, f := range found {
		ids[i] = f.id
	}
	page.Items, err = d.devicesOf(ctx, ids)
	return page, err
}

// search is a query in the database's terms.
type search struct {
	sort       api.DeviceSort
	descending bool
	column     string
	number     bool // whether the column holds one
	from       *cursor
	conditions []string
	values     []any
}

// sortColumns of fleet; each has an index.
var sortColumns = map[api.DeviceSort]string{api.SortName: "name", api.SortSerial: "serial", api.SortEnrolled: "enrolled_at", api.SortSeen: "seen_at"}

func newSearch(q *api.DeviceQuery) (*search, error) {
	if err := q.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	s := &search{sort: q.Sort, descending: q.Descending}
	if s.sort == "" {
		s.sort = api.SortName
	}
	s.column = sortColumns[s.sort]
	s.number = s.sort == api.SortEnrolled || s.sort == api.SortSeen
	if q.After != "" {
		var err error
		if s.from, err = parseCursor(q.After); err != nil || s.from.Sort != string(s.sort) || s.from.Descending != s.descending {
			return nil, api.Refuse(api.CodeBadRequest, "the place in the list is none of this list")
		}
	}
	s.filter(q)
	return s, nil
}

// standings say in the database's terms where a device stands.
var standings = map[api.Standing]string{
	api.StandingActive:   "state = 'active'",
	api.StandingPending:  "state = 'pending'",
	api.StandingWaiting:  "(state = 'active' AND people = 0)",
	api.StandingSignedIn: "people = 1",
	api.StandingTrouble:  "trouble = 1",
	api.StandingOff:      "ssap_off = 1",
}

func (s *search) filter(q *api.DeviceQuery) {
	var any []string
	for _, p := range q.Platforms {
		any = append(any, "platform = "+s.value(string(p)))
	}
	s.either(any)
	any = nil
	for _, state := range q.States {
		any = append(any, standings[state])
	}
	s.either(any)
	if q.Key != uuid.Nil {
		s.and("connect_key = " + s.value(q.Key.String()))
	}
	if q.Package != uuid.Nil {
		s.and("package_id = " + s.value(q.Package.String()))
	}
	if q.Order != uuid.Nil {
		s.and("connect_key IN (SELECT id FROM connect_keys WHERE order_id = " + s.value(q.Order.String()) + ")")
	}
	if q.Batch != "" {
		s.and("connect_key IN (SELECT id FROM connect_keys WHERE batch = " + s.value(q.Batch) + ")")
	}
	if q.Tag != "" {
		s.and("connect_key IN (SELECT connect_key FROM connect_key_tags WHERE tag = " + s.value(q.Tag) + ")")
	}
	if q.Problem != "" {
		s.and("device IN (SELECT device FROM device_problems WHERE problem = " + s.value(q.Problem) + ")")
	}
	switch q.Happened {
	case "":
	case api.EventEnrolled: // once, and lists are sorted by it
		s.and("enrolled_at >= " + s.value(millis(q.Since)))
	default:
		s.and("device IN (SELECT device FROM device_events WHERE kind = " + s.value(string(q.Happened)) + " AND at >= " + s.value(millis(q.Since)) + ")")
	}
	if id, err := uuid.Parse(q.Text); err == nil {
		s.and("device = " + s.value(id.String()))
		return
	}
	for word := range strings.FieldsSeq(strings.ToLower(q.Text)) {
		s.and("words LIKE " + s.value("%"+literal.Replace(word)+"%") + ` ESCAPE '\'`)
	}
}

// literal makes of a word a pattern that only the word is like.
var literal = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func (s *search) value(v any) string {
	s.values = append(s.values, v)
	return "$" + strconv.Itoa(len(s.values))
}

func (s *search) and(condition string) { s.conditions = append(s.conditions, condition) }

func (s *search) either(conditions []string) {
	if len(conditions) > 0 {
		s.and("(" + strings.Join(conditions, " OR ") + ")")
	}
}

// where gives the conditions, if there are any, of all pages.
func (s *search) where() string {
	if len(s.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(s.conditions, " AND ")
}

// hit is a device of a search, with what it is sorted by.
type hit struct {
	id    uuid.UUID
	value string
}

func scanHit(row scanner) (h hit, err error) { return h, row.Scan(&h.id, &h.value) }

// find gives so many devices from the search's place on, by its order.
func (d *Directory) find(ctx context.Context, s *search, most int) ([]hit, error) {
	page := *s
	direction, than := "", ">"
	if s.descending {
		direction, than = " DESC", "<"
	}
	if s.from != nil {
		var value any = s.from.Value
		if s.number {
			n, err := strconv.ParseInt(s.from.Value, 10, 64)
			if err != nil {
				return nil, api.Refuse(api.CodeBadRequest, "the place in the list is none of this list")
			}
			value = n
		}
		page.and(fmt.Sprintf("(%s, device) %s (%s, %s)", s.column, than, page.value(value), page.value(s.from.ID.String())))
	}
	query := fmt.Sprintf("SELECT device, %s FROM fleet%s ORDER BY %[1]s%[3]s, device%[3]s LIMIT %[4]s", s.column, page.where(), direction, page.value(most))
	return readRows(ctx, d.store.read, scanHit, query, page.values...)
}

// count tells how many devices a search finds, and stops above maxCounted.
func (d *Directory) count(ctx context.Context, s *search) (n int, err error) {
	all := *s
	query := "SELECT COUNT(*) FROM (SELECT 1 FROM fleet" + all.where() + " LIMIT " + all.value(maxCounted+1) + ") AS found"
	return n, d.store.read.QueryRowContext(ctx, query, all.values...).Scan(&n)
}

// cursor is where a page of a list ends. It goes through strangers' hands: all that
// it can lie about is the total.
type cursor struct {
	Sort       string    `json:"s"`
	Descending bool      `json:"d,omitempty"`
	Value      string    `json:"v"`
	ID         uuid.UUID `json:"i"`
	Total      int       `json:"t"`
	AtLeast    bool      `json:"l,omitempty"`
}

func (c cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // of words and numbers
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(text string) (*cursor, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	c := new(cursor)
	if err := json.Unmarshal(b, c); err != nil {
		return nil, err
	}
	if !storable(c.Value) || c.Total < 0 || c.Total > maxCounted {
		return nil, fmt.Errorf("it is after %.60q", c.Value)
	}
	return c, nil
}

// devicesOf gives the devices of the ids in their order, with their people. Those
// that are gone by now are left out.
func (d *Directory) devicesOf(ctx context.Context, ids []uuid.UUID) ([]*api.Device, error) {
	list := make([]*api.Device, 0, len(ids))
	if len(ids) == 0 {
		return list, nil
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	marks, values := placeholders(texts)
	in := " IN (" + marks + ")"
	found, err := readRows(ctx, d.store.read, scanDevice, deviceQuery+`WHERE d.id`+in, values...)
	if err != nil {
		return nil, err
	}
	bindings, err := readRows(ctx, d.store.read, scanBindingOf, bindingQuery+`WHERE b.device`+in+bindingOrder, values...)
	if err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]*api.Device, len(found))
	for _, v := range found {
		byID[v.ID] = v
	}
	for _, b := range bindings {
		if v := byID[b.device]; v != nil {
			v.Users = append(v.Users, b.Binding)
		}
	}
	for _, id := range ids {
		if v := byID[id]; v != nil {
			list = append(list, v)
		}
	}
	return list, nil
}
