package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// bulkBatch is how many devices one transaction changes: others get their turn in
// between.
const bulkBatch = 100

// BulkDevices does the same to many devices, and gives what became of each: what
// one of them is refused for stops none of the others. If the database goes away
// in the middle, those that were not reached are told as such.
func (d *Directory) BulkDevices(ctx context.Context, actor string, r *api.BulkRequest) ([]*api.BulkResult, error) {
	if err := r.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	ids, err := d.named(ctx, r)
	if err != nil {
		return nil, err
	}
	results := make([]*api.BulkResult, 0, len(ids))
	for batch := range slices.Chunk(ids, bulkBatch) {
		done, err := d.bulk(ctx, actor, r.Action, batch)
		if err != nil && len(results) == 0 {
			return nil, err
		}
		if err != nil {
			d.Log.ErrorContext(ctx, "many devices are not all changed", "action", r.Action, "done", len(results), "of", len(ids), "error", err)
			return append(results, notReached(ids[len(results):])...), nil
		}
		results = append(results, done...)
	}
	return results, nil
}

// named gives the devices of a request, each once, in the order in which all who
// change many take them.
func (d *Directory) named(ctx context.Context, r *api.BulkRequest) ([]uuid.UUID, error) {
	ids := slices.Clone(r.IDs)
	if r.Query != nil {
		q := *r.Query
		q.After = ""
		s, err := newSearch(&q)
		if err != nil {
			return nil, err
		}
		found, err := d.find(ctx, s, api.MaxBulk+1)
		if err != nil {
			return nil, err
		}
		if len(found) != r.Count {
			more := ""
			if len(found) > api.MaxBulk {
				more = "more than "
			}
			return nil, api.Refuse(api.CodeConflict, "the query finds %s%d devices by now, not %d", more, min(len(found), api.MaxBulk), r.Count)
		}
		for _, f := range found {
			ids = append(ids, f.id)
		}
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(ids), nil
}

// bulk does something to some devices in one transaction.
func (d *Directory) bulk(ctx context.Context, actor string, action api.BulkAction, ids []uuid.UUID) (results []*api.BulkResult, err error) {
	err = d.change(ctx, func(t *transaction) error {
		results = results[:0]
		for _, id := range ids {
			result := &api.BulkResult{ID: id}
			err := t.act(actor, action, id)
			var refused *api.Error
			if errors.As(err, &refused) {
				result.Code, result.Detail = refused.Code, refused.Detail
			} else if err != nil {
				return err
			}
			results = append(results, result)
		}
		return nil
	})
	return results, err
}

// act does one of the actions to one device. What it refuses it has not changed.
func (t *transaction) act(actor string, action api.BulkAction, id uuid.UUID) error {
	switch action {
	case api.BulkApprove:
		return t.approveDevice(actor, id)
	case api.BulkRemove:
		return t.removeDevice(actor, id)
	case api.BulkSSAPOff:
		return t.setSSAP(actor, id, true)
	case api.BulkSSAPOn:
		return t.setSSAP(actor, id, false)
	}
	return fmt.Errorf("action %q", action) // Check knows no others
}

func notReached(ids []uuid.UUID) (results []*api.BulkResult) {
	for _, id := range ids {
		results = append(results, &api.BulkResult{ID: id, Code: api.CodeUnavailable, Detail: "it was not reached"})
	}
	return results
}
