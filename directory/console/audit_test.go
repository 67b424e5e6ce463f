package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"firstday.dev/api"
	"firstday.dev/directory"
)

// What is exported without a filter is the whole log, as the command line proves it;
// with one it is what the page shows.
func TestAuditExport(t *testing.T) {
	d := newDesk(t)
	key := d.mint(api.NewConnectKey{Label: "first"})
	for range directory.AuditPage {
		d.mint(api.NewConnectKey{})
	}
	if err := d.RevokeKey(t.Context(), "token:bob", key.ID); err != nil {
		t.Fatal(err)
	}
	whole := d.get("audit/export")
	if whole.StatusCode != http.StatusOK || whole.Header.Get("Content-Disposition") != `attachment; filename=audit.jsonl` {
		t.Errorf("%d, %v", whole.StatusCode, whole.Header)
	}
	proof, err := api.VerifyAudit(strings.NewReader(whole.text))
	if err != nil || proof.Entries < directory.AuditPage+2 {
		t.Errorf("%d entries, %v", proof.Entries, err)
	}
	some := d.get("audit/export?" + url.Values{"actor": {"token:bob"}}.Encode())
	var e api.AuditEntry
	if err := json.Unmarshal([]byte(some.text), &e); err != nil || e.Action != "key.revoke" {
		t.Errorf("%v: %s", err, some.text)
	}
	if a := d.get("audit?from=yesterday"); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, `id="from-error"`) {
		t.Errorf("no day: %d", a.StatusCode)
	}
	today := time.Now().UTC().Format(time.DateOnly)
	if a := d.get("audit?until=" + today); !strings.Contains(a.text, "key.create") {
		t.Errorf("until today, today is missing")
	}
	if a := d.get("audit?action=nothing.like.it"); !strings.Contains(a.text, "Nothing in the log is like that.") {
		t.Errorf("nothing is said of a search in vain:\n%s", a.text)
	}
}

// A long log is turned over page by page, and the filter stays.
func TestAuditPages(t *testing.T) {
	d := newDesk(t)
	for range directory.AuditPage + 5 {
		d.mint(api.NewConnectKey{})
	}
	a := d.get("audit?action=key.create")
	at := strings.Index(a.text, `href="/console/audit?action=key.create&amp;before=`)
	if at < 0 {
		t.Fatalf("no next page:\n%s", a.text)
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(a.text[at:], `href="/console/`), `"`)
	a = d.get(strings.ReplaceAll(address, "&amp;", "&"))
	if rows := strings.Count(a.text, `<tr id="entry-`); rows != 5 {
		t.Errorf("the second page has %d entries", rows)
	}
	if strings.Contains(a.text, "Next page") || !strings.Contains(a.text, `href="/console/audit?action=key.create"`) {
		t.Errorf("the second page is not the last, or has no way to the first")
	}
}
