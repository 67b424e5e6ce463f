package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
)

func (c *Console) keyRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "keys", roles: readers, serve: c.keys},
		{method: http.MethodPost, path: "keys", roles: keepers, serve: c.mintKey},
		{method: http.MethodGet, path: "keys/new", roles: keepers, serve: c.newKey},
		{method: http.MethodGet, path: "keys/{id}", roles: readers, serve: c.key},
		{method: http.MethodGet, path: "keys/{id}/revoke", roles: keepers, serve: c.askRevokeKey},
		{method: http.MethodPost, path: "keys/{id}/revoke", roles: keepers, serve: c.revokeKey},
	}
}

// shownKey is a connect key as pages show it.
type shownKey struct{ *api.ConnectKey }

// Name is how people call the key.
func (k shownKey) Name() string {
	if k.Label != "" {
		return k.Label
	}
	return k.ID.String()
}

// Order is the id of the order that the key is of; empty: of none.
func (k shownKey) Order() string {
	if k.OrderID == uuid.Nil {
		return ""
	}
	return k.OrderID.String()
}

// Usable tells whether a device may still come by the key.
func (k shownKey) Usable() bool {
	return k.RevokedAt.IsZero() && k.Uses < k.MaxUses && time.Now().Before(k.ExpiresAt)
}

// State is where the key stands.
func (k shownKey) State() badge {
	switch {
	case !k.RevokedAt.IsZero():
		return badge{"bad", sentence("revoked")}
	case k.Uses >= k.MaxUses:
		return badge{"plain", sentence("used up")}
	case !time.Now().Before(k.ExpiresAt):
		return badge{"plain", sentence("expired")}
	}
	return badge{"good", sentence("holds")}
}

// keyEnding warns of a key that ends soon while there is use for it.
type keyEnding struct {
	shownKey
	Ends time.Time // zero: not soon
	Last bool      // few uses are left
	Left int
}

// When a key is about to end: within a time, or at so few of its uses.
const (
	endingSoon  = 3 * 24 * time.Hour
	endingShare = 10 // a tenth
)

func ending(k shownKey) *keyEnding {
	if !k.Usable() {
		return nil
	}
	e := &keyEnding{shownKey: k, Left: k.MaxUses - k.Uses}
	if time.Until(k.ExpiresAt) < endingSoon && k.ExpiresAt.Sub(k.CreatedAt) > endingSoon {
		e.Ends = k.ExpiresAt
	}
	e.Last = k.Uses > 0 && e.Left*endingShare <= k.MaxUses
	if e.Ends.IsZero() && !e.Last {
		return nil
	}
	return e
}

func endings(keys []*api.ConnectKey) (list []keyEnding) {
	for _, k := range keys {
		if e := ending(shownKey{k}); e != nil {
			list = append(list, *e)
		}
	}
	return list
}

type keysData struct {
	Keys   []shownKey
	Ending []keyEnding
	Next   string
}

func (c *Console) keys(v *visit) (*page, error) {
	before, err := uuid.Parse(v.form("before"))
	if err != nil {
		before = uuid.Nil
	}
	keys, err := c.directory.Keys(v.Context(), before)
	if err != nil {
		return nil, err
	}
	data := keysData{Ending: endings(keys)}
	for _, k := range keys {
		data.Keys = append(data.Keys, shownKey{k})
	}
	if len(keys) == directory.KeyPage {
		data.Next = keys[len(keys)-1].ID.String()
	}
	return &page{Title: "Connect keys", Template: "keys", Data: data, Topics: []directory.Topic{directory.TopicKeys}}, nil
}

type keyData struct {
	Key     shownKey
	Warning *keyEnding
	Uses    []api.ConnectKeyUse
}

func (c *Console) key(v *visit) (*page, error) {
	k, err := c.findKey(v)
	if err != nil {
		return nil, err
	}
	uses, err := c.directory.KeyUses(v.Context(), k.ID)
	if err != nil {
		return nil, err
	}
	return &page{
		Title: "Connect key", Of: k.Name(), Up: link{Path + "keys", "Connect keys"}, Template: "key",
		Data: keyData{k, ending(k), uses}, Topics: []directory.Topic{directory.TopicKeys},
	}, nil
}

func (c *Console) findKey(v *visit) (shownKey, error) {
	id, err := v.id()
	if err != nil {
		return shownKey{}, err
	}
	k, err := c.directory.Key(v.Context(), id)
	return shownKey{k}, err
}

type newKeyData struct{ Platforms []api.Platform }

func (c *Console) newKey(*visit) (*page, error) {
	return &page{Title: "Mint a connect key", Up: link{Path + "keys", "Connect keys"}, Template: "keynew", Data: newKeyData{api.Platforms}}, nil
}

// mintKey makes a key and shows it, this once.
func (c *Console) mintKey(v *visit) (*page, error) {
	form, _ := c.newKey(v)
	n := api.NewConnectKey{
		Label: v.form("label"), Batch: v.form("batch"), Approval: v.form("approval") != "",
		Uses: v.number("uses", 1, directory.MaxKeyUses),
		Life: api.Duration(time.Duration(v.number("days", 1, directory.MaxKeyDays)) * 24 * time.Hour),
		Tags: split(v.form("tags"), ","), Serials: split(v.form("serials"), "\n"),
	}
	for _, p := range v.forms("platform") {
		n.Platforms = append(n.Platforms, api.Platform(p))
	}
	if len(v.wrongs) > 0 {
		return v.again(form, nil)
	}
	minted, err := c.directory.Mint(v.Context(), v.actor(), n)
	if err != nil {
		return v.again(form, err)
	}
	return &page{Title: "The new connect key", Up: link{Path + "keys", "Connect keys"}, Template: "keyminted", Data: mintedKey{minted}}, nil
}

// mintedKey is a new key, which its page shows.
type mintedKey struct{ *api.MintedConnectKey }

// Secret is the key itself.
func (m mintedKey) Secret() string { return m.MintedConnectKey.Secret.Reveal() }

// number is a field that holds a whole number, from least to most.
func (v *visit) number(field string, least, most int) int { //nolint:unparam // the least is part of the sentence
	n, err := strconv.Atoi(v.form(field))
	if err != nil || n < least || n > most {
		v.wrong(field, "This is a number from %d to %d.", least, most)
		return 0
	}
	return n
}

// split gives what stands between separators.
func split(text, separator string) (list []string) {
	for part := range strings.SplitSeq(text, separator) {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

func (c *Console) askRevokeKey(v *visit) (*page, error) {
	k, err := c.findKey(v)
	if err != nil {
		return nil, err
	}
	at := Path + "keys/" + k.ID.String()
	return &page{Title: "Revoke a connect key", Up: link{at, "Connect key"}, Template: "confirm", Data: confirm{
		Question: sentence("Do you want to revoke this connect key?"), Of: k.Name(), Do: sentence("Revoke this key"), To: at + "/revoke", Back: at,
		Then: []sentence{sentence("No device enrols with it any more, at once."), sentence("Devices that it brought stay."), sentence("This cannot be taken back: packages that carry it are of no more use.")},
	}}, nil
}

func (c *Console) revokeKey(v *visit) (*page, error) {
	k, err := c.findKey(v)
	if err != nil {
		return nil, err
	}
	if err := c.directory.RevokeKey(v.Context(), v.actor(), k.ID); err != nil {
		return nil, err
	}
	return v.done(Path+"keys/"+k.ID.String(), "The connect key %s is revoked.", k.Name())
}
