package console

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"firstday.dev/api"
	"firstday.dev/directory"
)

var auditReaders = []api.Role{api.Owner, api.Auditor}

func (c *Console) auditRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "audit", roles: auditReaders, serve: c.audit},
		{method: http.MethodGet, path: "audit/export", roles: auditReaders, serve: c.exportAudit},
	}
}

type auditData struct {
	Entries  []api.AuditEntry
	Mark     directory.AuditMark
	Verified int // entries
	Export   string
	Next     string
	Filtered bool
}

func (c *Console) audit(v *visit) (*page, error) {
	q := v.auditQuery()
	mark := c.directory.AuditMark()
	data := auditData{Mark: mark, Verified: int(mark.Entries)}
	q.Before, _ = strconv.ParseInt(v.form("before"), 10, 64)
	p := &page{Title: "Audit log", Template: "audit", Topics: []directory.Topic{directory.TopicAudit}}
	list, err := c.directory.SearchAudit(v.Context(), q)
	if err != nil {
		return nil, err
	}
	data.Entries = list
	q.Before = 0
	data.Filtered = q != api.AuditQuery{}
	if len(list) == directory.AuditPage {
		data.Next = strconv.FormatInt(list[len(list)-1].Seq, 10)
	}
	data.Export = Path + "audit/export?" + v.URL.RawQuery
	p.Data = data
	return v.again(p, nil)
}

// auditQuery reads the filter in the address. Days are those of UTC, the last one
// whole.
func (v *visit) auditQuery() api.AuditQuery {
	return api.AuditQuery{
		Actor: v.form("actor"), Action: v.form("action"), Subject: v.form("subject"),
		From: v.dayOf("from", 0), Until: v.dayOf("until", 1),
	}
}

// dayOf is a day in a field, or one so many days after it.
func (v *visit) dayOf(field string, after int) time.Time {
	text := v.form(field)
	if text == "" {
		return time.Time{}
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		v.wrong(field, "This is a day such as %s.", "2026-01-31")
		return time.Time{}
	}
	return day.AddDate(0, 0, after)
}

// exportAudit writes what the filter finds in JSON lines, the oldest entry first.
// Without a filter it is the whole log, which can be verified.
func (c *Console) exportAudit(v *visit) (*page, error) {
	q := v.auditQuery()
	return &page{download: &download{
		Name: "audit.jsonl", Type: "application/jsonl",
		Write: func(ctx context.Context, w io.Writer) error {
			out := json.NewEncoder(w)
			for e, err := range c.directory.Audit(ctx, 0) {
				if err != nil {
					return err
				}
				if !q.Finds(&e) {
					continue
				}
				if err := out.Encode(e); err != nil {
					return err
				}
			}
			return nil
		},
	}}, nil
}
