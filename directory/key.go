package directory

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// connectKeyPrefix tells people, and those who search for secrets that got
// lost, what it is.
const connectKeyPrefix = "fdk_"

// newSecret gives 130 random bits in letters and digits that are not mistaken
// for each other.
func newSecret(prefix string) (api.Secret, []byte) {
	secret := api.Secret(prefix + rand.Text())
	return secret, secretHash(secret)
}

// secretHash is how the database knows a secret. It was not chosen by anybody:
// no dictionary helps against its hash.
func secretHash(s api.Secret) []byte {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return sum[:]
}

// What a connect key has at most: days and uses.
const (
	MaxKeyDays = 366
	MaxKeyUses = 100_000
)

const (
	maxKeyLife = MaxKeyDays * 24 * time.Hour
	maxSerials = 100_000
	maxTags    = 20
	maxLabel   = 200 // bytes
)

// Mint makes a connect key as n says, for who is named. The key is in the
// answer and nowhere else.
func (d *Directory) Mint(ctx context.Context, actor string, n api.NewConnectKey) (*api.MintedConnectKey, error) {
	return d.mint(ctx, actor, n, func(*transaction, *api.ConnectKey) error { return nil })
}

// mint makes a connect key, and in the same transaction does what goes with it.
func (d *Directory) mint(ctx context.Context, actor string, n api.NewConnectKey, with func(*transaction, *api.ConnectKey) error) (*api.MintedConnectKey, error) {
	now := d.now()
	if n.OrderID != uuid.Nil && (n.Life != 0 || n.Uses != 0 || len(n.Serials) > 0 || len(n.Tags) > 0 || n.Batch != "" || n.Approval) {
		return nil, api.Refuse(api.CodeBadRequest, "life, uses, serial numbers, batch and tags of an order's key are the order's")
	}
	if n.Life == 0 {
		n.Life = api.DefaultKeyLife
	}
	if n.Uses == 0 {
		n.Uses = api.DefaultKeyUses
	}
	if err := checkNewKey(&n); err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	secret, hash := newSecret(connectKeyPrefix)
	k := api.ConnectKey{
		ID: id, Label: n.Label, CreatedAt: now, CreatedBy: actor, ExpiresAt: now.Add(time.Duration(n.Life)).Truncate(time.Millisecond),
		MaxUses: n.Uses, Platforms: n.Platforms, Serials: n.Serials, PackageID: n.PackageID, Batch: n.Batch, Tags: n.Tags, Approval: n.Approval,
		OrderID: n.OrderID,
	}
	err = d.change(ctx, func(t *transaction) error {
		if k.OrderID != uuid.Nil {
			if err := t.ofOrder(&k); err != nil {
				return err
			}
		}
		lists, err := encodeLists(k.Platforms, k.Serials, k.Tags)
		if err != nil {
			return err
		}
		n, err := t.exec(`INSERT INTO connect_keys (id, hash, label, created_at, created_by, expires_at, max_uses, platforms, serials, package_id, batch, tags, approval, order_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (id) DO NOTHING`,
			id.String(), hash, k.Label, millis(k.CreatedAt), actor, millis(k.ExpiresAt), k.MaxUses, lists[0], lists[1], uuidText(k.PackageID), k.Batch, lists[2], bit(k.Approval), uuidText(k.OrderID))
		if n == 0 {
			return err // or the attempt before this one was committed, and its answer lost
		}
		t.audit(actor, "key.create", "key:"+id.String(), map[string]any{"label": k.Label, "uses": k.MaxUses, "expires": k.ExpiresAt, "package": uuidText(k.PackageID), "order": uuidText(k.OrderID)})
		if err := t.noteTags(id, k.Tags); err != nil {
			return err
		}
		return with(t, &k)
	})
	if err != nil {
		return nil, err
	}
	return &api.MintedConnectKey{ConnectKey: k, Secret: secret}, nil
}

func checkNewKey(n *api.NewConnectKey) error {
	texts := append(append([]string{n.Label, n.Batch}, n.Tags...), n.Serials...)
	switch {
	case n.Life < 0 || time.Duration(n.Life) > maxKeyLife:
		return api.Refuse(api.CodeBadRequest, "a key lives from now on, and at most %v", maxKeyLife)
	case n.Uses < 0 || n.Uses > MaxKeyUses:
		return api.Refuse(api.CodeBadRequest, "a key has from 1 to %d uses", MaxKeyUses)
	case len(n.Serials) > maxSerials || len(n.Tags) > maxTags || len(n.Platforms) > len(api.Platforms):
		return api.Refuse(api.CodeBadRequest, "at most %d serial numbers, %d tags and %d platforms", maxSerials, maxTags, len(api.Platforms))
	}
	for _, p := range n.Platforms {
		if !slices.Contains(api.Platforms, p) {
			return api.Refuse(api.CodeBadRequest, "platform %.20q is none of windows, macos and linux", string(p))
		}
	}
	for _, text := range texts {
		if len(text) > maxLabel || strings.ContainsFunc(text, unicode.IsControl) {
			return api.Refuse(api.CodeBadRequest, "%.20q… is longer than %d bytes, or holds control characters", text, maxLabel)
		}
	}
	return nil
}

func encodeLists(platforms []api.Platform, lists ...[]string) ([]string, error) {
	all := []any{platforms}
	for _, l := range lists {
		all = append(all, l)
	}
	var texts []string
	for _, l := range all {
		b, err := json.Marshal(l)
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(b))
	}
	return texts, nil
}

const keyColumns = `id, label, created_at, created_by, expires_at, revoked_at, max_uses, uses, platforms, serials, package_id, batch, tags, approval, order_id`

type scanner interface{ Scan(...any) error }

func scanKey(row scanner) (*api.ConnectKey, error) {
	var k api.ConnectKey
	var created, expires, revoked, approval int64
	var platforms, serials, tags, packageID, orderID string
	err := row.Scan(&k.ID, &k.Label, &created, &k.CreatedBy, &expires, &revoked, &k.MaxUses, &k.Uses, &platforms, &serials, &packageID, &k.Batch, &tags, &approval, &orderID)
	if err != nil {
		return nil, err
	}
	k.CreatedAt, k.ExpiresAt, k.RevokedAt, k.Approval = fromMillis(created), fromMillis(expires), fromMillis(revoked), approval != 0
	k.PackageID, k.OrderID = parseUUID(packageID), parseUUID(orderID)
	return &k, errors.Join(json.Unmarshal([]byte(platforms), &k.Platforms), json.Unmarshal([]byte(serials), &k.Serials), json.Unmarshal([]byte(tags), &k.Tags))
}

// KeyPage is how many connect keys a page of the list holds.
const KeyPage = 200

// Keys lists connect keys, the newest first, those older than the one named, at
// most [KeyPage].
func (d *Directory) Keys(ctx context.Context, before uuid.UUID) (keys []*api.ConnectKey, err error) {
	rows, err := d.store.read.QueryContext(ctx, `SELECT `+keyColumns+` FROM connect_keys WHERE $1 = '' OR id < $1 ORDER BY id DESC LIMIT $2`, uuidText(before), KeyPage)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		k, err := scanKey(rows)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

// Key gives one connect key.
func (d *Directory) Key(ctx context.Context, id uuid.UUID) (*api.ConnectKey, error) {
	k, err := scanKey(d.store.read.QueryRowContext(ctx, `SELECT `+keyColumns+` FROM connect_keys WHERE id = $1`, id.String()))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Refuse(api.CodeNotFound, "there is no connect key %s", id)
	}
	return k, err
}

// RevokeKey ends a connect key. Devices that it brought stay.
func (d *Directory) RevokeKey(ctx context.Context, actor string, id uuid.UUID) error {
	return d.change(ctx, func(t *transaction) error {
		n, err := t.exec(`UPDATE connect_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0`, millis(d.now()), id.String())
		if err != nil {
			return err
		}
		if n == 0 {
			var known int
			if err := t.QueryRowContext(ctx, `SELECT COUNT(*) FROM connect_keys WHERE id = $1`, id.String()).Scan(&known); err != nil {
				return err
			}
			if known == 0 {
				return api.Refuse(api.CodeNotFound, "there is no connect key %s", id)
			}
			return nil // revoked already
		}
		t.audit(actor, "key.revoke", "key:"+id.String(), nil)
		return nil
	})
}

// KeyUses gives what became of the attempts to use a key, the last one first.
func (d *Directory) KeyUses(ctx context.Context, id uuid.UUID) (uses []api.ConnectKeyUse, err error) {
	rows, err := d.store.read.QueryContext(ctx, `SELECT at, refusal, device, serial, remote FROM connect_key_uses WHERE connect_key = $1 ORDER BY at DESC, id DESC LIMIT 1000`, id.String())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var u api.ConnectKeyUse
		var at int64
		var device string
		if err := rows.Scan(&at, &u.Refusal, &device, &u.Serial, &u.Remote); err != nil {
			return nil, err
		}
		u.Time, u.Device = fromMillis(at), parseUUID(device)
		uses = append(uses, u)
	}
	return uses, rows.Err()
}

// recordUse notes an attempt with a key. d may be the zero id.
func recordUse(ctx context.Context, tx *sql.Tx, key uuid.UUID, u api.ConnectKeyUse) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO connect_key_uses (id, connect_key, at, refusal, device, serial, remote) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		id.String(), key.String(), millis(u.Time), u.Refusal, uuidText(u.Device), u.Serial, u.Remote)
	return err
}

// refusal says why a key is not good for a device; empty: it is. Whether it has
// a use left is known only when it is taken.
func refusal(k *api.ConnectKey, r *api.EnrollRequest, now time.Time) *api.Error {
	f := &r.Facts
	switch {
	case !k.RevokedAt.IsZero():
		return api.Refuse(api.CodeKeyRevoked, "it was revoked at %v", k.RevokedAt)
	case !now.Before(k.ExpiresAt):
		return api.Refuse(api.CodeKeyExpired, "it expired at %v", k.ExpiresAt)
	case len(k.Platforms) > 0 && !slices.Contains(k.Platforms, f.Platform):
		return api.Refuse(api.CodeKeyPlatform, "it is for %v, the device runs %s", k.Platforms, f.Platform)
	case len(k.Serials) > 0 && !slices.ContainsFunc(k.Serials, func(s string) bool { return strings.EqualFold(s, f.Serial) }):
		return api.Refuse(api.CodeKeySerial, "it is not for the serial number %q", f.Serial)
	case k.PackageID != uuid.Nil && k.PackageID != r.PackageID:
		return api.Refuse(api.CodeKeyPackage, "it is for package %s, the device brings %s", k.PackageID, r.PackageID)
	}
	return nil
}

func uuidText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// parseUUID reads what uuidText wrote.
func parseUUID(text string) uuid.UUID {
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil
	}
	return id
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// takeUse takes one of a key's uses, if there is one left: of any number who
// try, no more than it allows succeed.
func takeUse(t *transaction, k *api.ConnectKey) error {
	n, err := t.exec(`UPDATE connect_keys SET uses = uses + 1 WHERE id = $1 AND uses < max_uses AND revoked_at = 0`, k.ID.String())
	if err != nil {
		return fmt.Errorf("taking a use of key %s: %w", k.ID, err)
	}
	if n == 0 {
		return api.Refuse(api.CodeKeySpent, "all %d uses are taken", k.MaxUses)
	}
	return nil
}
