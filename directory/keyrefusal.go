package directory

import (
	"context"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// RefusalPage is how many refusals a page of the list holds.
const RefusalPage = 100

// KeyRefusals gives the attempts to enrol that a connect key was of no use to, the
// last first, from before the one named on, at most [RefusalPage]; of one key, if
// one is named, else of all.
func (d *Directory) KeyRefusals(ctx context.Context, key, before uuid.UUID) ([]*api.KeyRefusal, error) {
	const query = `SELECT u.id, u.connect_key, k.label, u.at, u.refusal, u.serial, u.remote FROM connect_key_uses u JOIN connect_keys k ON k.id = u.connect_key WHERE u.refusal <> '' `
	// Ids are older the smaller they are.
	last := "g"
	if before != uuid.Nil {
		last = before.String()
	}
	if key == uuid.Nil {
		return readRows(ctx, d.store.read, scanKeyRefusal, query+`AND u.id < $1 ORDER BY u.id DESC LIMIT $2`, last, RefusalPage)
	}
	return readRows(ctx, d.store.read, scanKeyRefusal, query+`AND u.connect_key = $3 AND u.id < $1 ORDER BY u.id DESC LIMIT $2`, last, RefusalPage, key.String())
}

func scanKeyRefusal(row scanner) (*api.KeyRefusal, error) {
	r := new(api.KeyRefusal)
	var at int64
	err := row.Scan(&r.ID, &r.Key, &r.Label, &at, &r.Code, &r.Serial, &r.Remote)
	r.Time = fromMillis(at)
	return r, err
}
