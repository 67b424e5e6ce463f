package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"
)

// ask makes a call of who administers.
func ask[T any](ctx context.Context, c *Client, method, path string, in any) (*T, error) {
	out := new(T)
	if err := c.Do(ctx, method, PathAdmin+path, in, out); err != nil {
		return nil, err
	}
	return out, nil
}

// items are what calls answer that list things.
type items[T any] struct {
	Items []T `json:"items"`
}

func list[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	out, err := ask[items[T]](ctx, c, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	return out.Items, nil
}

// Whoami gives the token that c has, without its secret.
func (c *Client) Whoami(ctx context.Context) (*Token, error) {
	return ask[Token](ctx, c, http.MethodGet, "/whoami", nil)
}

// MintKey makes a connect key.
func (c *Client) MintKey(ctx context.Context, n *NewConnectKey) (*MintedConnectKey, error) {
	return ask[MintedConnectKey](ctx, c, http.MethodPost, "/keys", n)
}

// Keys lists connect keys, the newest first.
func (c *Client) Keys(ctx context.Context) ([]ConnectKey, error) {
	var all []ConnectKey
	query := ""
	for {
		page, err := list[ConnectKey](ctx, c, "/keys"+query)
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
		query = "?before=" + page[len(page)-1].ID.String()
	}
}

// KeyUses gives what became of the attempts to use a key, the last one first.
func (c *Client) KeyUses(ctx context.Context, id uuid.UUID) ([]ConnectKeyUse, error) {
	return list[ConnectKeyUse](ctx, c, "/keys/"+id.String()+"/uses")
}

// RevokeKey ends a connect key.
func (c *Client) RevokeKey(ctx context.Context, id uuid.UUID) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/keys/"+id.String()+"/revoke", struct{}{}, nil)
}

// Devices lists all devices by name.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	var all []Device
	for d, err := range c.EachDevice(ctx, DeviceQuery{Limit: MaxDeviceLimit}) {
		if err != nil {
			return nil, err
		}
		all = append(all, *d)
	}
	return all, nil
}

// Device gives one device.
func (c *Client) Device(ctx context.Context, id uuid.UUID) (*Device, error) {
	return ask[Device](ctx, c, http.MethodGet, "/devices/"+id.String(), nil)
}

// ApproveDevice lets a device in that waits.
func (c *Client) ApproveDevice(ctx context.Context, id uuid.UUID) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/devices/"+id.String()+"/approve", struct{}{}, nil)
}

// RemoveDevice ends a device's enrolment.
func (c *Client) RemoveDevice(ctx context.Context, id uuid.UUID) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/devices/"+id.String()+"/remove", struct{}{}, nil)
}

// Bind gives a user (id, name or e-mail address) a device.
func (c *Client) Bind(ctx context.Context, device uuid.UUID, user string) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/devices/"+device.String()+"/bind", &BindRequest{user}, nil)
}

// Unbind takes a device from a user.
func (c *Client) Unbind(ctx context.Context, device uuid.UUID, user string) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/devices/"+device.String()+"/unbind", &BindRequest{user}, nil)
}

// Reveal gives a device's break-glass password, sealed to the recovery key. The
// device changes it then.
func (c *Client) Reveal(ctx context.Context, device uuid.UUID, reason string) ([]Escrow, error) {
	out, err := ask[items[Escrow]](ctx, c, http.MethodPost, "/devices/"+device.String()+"/reveal", &RevealRequest{reason})
	if err != nil {
		return nil, err
	}
	return out.Items, nil
}

// CreateUsers makes users, all of them or none.
func (c *Client) CreateUsers(ctx context.Context, users []NewUser) ([]CreatedUser, error) {
	out, err := ask[items[CreatedUser]](ctx, c, http.MethodPost, "/users", &NewUsers{users})
	if err != nil {
		return nil, err
	}
	return out.Items, nil
}

// Users lists all users that are as the query says, by name.
func (c *Client) Users(ctx context.Context, q UserQuery) ([]User, error) {
	var all []User
	for {
		page, err := list[User](ctx, c, "/users?"+url.Values{"after": {q.After}, "text": {q.Text}, "state": {string(q.State)}}.Encode())
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
		q.After = page[len(page)-1].Name
	}
}

// User gives the user of that id, name or e-mail address.
func (c *Client) User(ctx context.Context, name string) (*User, error) {
	return ask[User](ctx, c, http.MethodGet, "/users/"+url.PathEscape(name), nil)
}

// DisableUser lets a user sign in no more.
func (c *Client) DisableUser(ctx context.Context, name string) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/users/"+url.PathEscape(name)+"/disable", struct{}{}, nil)
}

// EnableUser lets a disabled user sign in again.
func (c *Client) EnableUser(ctx context.Context, name string) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/users/"+url.PathEscape(name)+"/enable", struct{}{}, nil)
}

// ResetUser gives a user a temporary password.
func (c *Client) ResetUser(ctx context.Context, name string) (*CreatedUser, error) {
	return ask[CreatedUser](ctx, c, http.MethodPost, "/users/"+url.PathEscape(name)+"/reset", struct{}{})
}

// LinkUser lets a user sign in with a provider from now on, and no more with a
// password of the directory.
func (c *Client) LinkUser(ctx context.Context, name string, l *UserLink) (*User, error) {
	return ask[User](ctx, c, http.MethodPost, "/users/"+url.PathEscape(name)+"/link", l)
}

// UnlinkUser lets a user sign in with a password of the directory again.
func (c *Client) UnlinkUser(ctx context.Context, name string) (*CreatedUser, error) {
	return ask[CreatedUser](ctx, c, http.MethodPost, "/users/"+url.PathEscape(name)+"/unlink", struct{}{})
}

// CreateProvider adds an identity provider.
func (c *Client) CreateProvider(ctx context.Context, n *NewProvider) (*Provider, error) {
	return ask[Provider](ctx, c, http.MethodPost, "/providers", n)
}

// Providers lists identity providers by id.
func (c *Client) Providers(ctx context.Context) ([]Provider, error) {
	return list[Provider](ctx, c, "/providers")
}

// Provider gives one identity provider.
func (c *Client) Provider(ctx context.Context, id string) (*Provider, error) {
	return ask[Provider](ctx, c, http.MethodGet, "/providers/"+url.PathEscape(id), nil)
}

// TestProvider lets the directory find out whether people can sign in with a
// provider.
func (c *Client) TestProvider(ctx context.Context, id string) ([]ProviderCheck, error) {
	out, err := ask[items[ProviderCheck]](ctx, c, http.MethodPost, "/providers/"+url.PathEscape(id)+"/test", struct{}{})
	if err != nil {
		return nil, err
	}
	return out.Items, nil
}

// RemoveProvider lets nobody sign in with a provider any more. Its users stay.
func (c *Client) RemoveProvider(ctx context.Context, id string) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/providers/"+url.PathEscape(id)+"/remove", struct{}{}, nil)
}

// Settings gives the settings in force.
func (c *Client) Settings(ctx context.Context) (*VersionedSettings, error) {
	return ask[VersionedSettings](ctx, c, http.MethodGet, "/settings", nil)
}

// SetSettings replaces the settings of the revision that s names.
func (c *Client) SetSettings(ctx context.Context, s *VersionedSettings) (*VersionedSettings, error) {
	return ask[VersionedSettings](ctx, c, http.MethodPut, "/settings", s)
}

// InviteAdministrator gives a link by which somebody becomes an administrator.
func (c *Client) InviteAdministrator(ctx context.Context, n *NewAdministrator) (*Invitation, error) {
	return ask[Invitation](ctx, c, http.MethodPost, "/administrators", n)
}

// Administrators lists administrators by name.
func (c *Client) Administrators(ctx context.Context) ([]Admin, error) {
	return list[Admin](ctx, c, "/administrators")
}

// Administrator gives the administrator of that id or name.
func (c *Client) Administrator(ctx context.Context, name string) (*Admin, error) {
	return ask[Admin](ctx, c, http.MethodGet, "/administrators/"+url.PathEscape(name), nil)
}

// SetAdministratorRole gives an administrator another role.
func (c *Client) SetAdministratorRole(ctx context.Context, name string, role Role) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/administrators/"+url.PathEscape(name)+"/role", &NewRole{role}, nil)
}

// DisableAdministrator lets an administrator sign in no more.
func (c *Client) DisableAdministrator(ctx context.Context, name string) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/administrators/"+url.PathEscape(name)+"/disable", struct{}{}, nil)
}

// EnableAdministrator lets a disabled administrator sign in again.
func (c *Client) EnableAdministrator(ctx context.Context, name string) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/administrators/"+url.PathEscape(name)+"/enable", struct{}{}, nil)
}

// ResetAdministrator takes all ways in from an administrator, and gives a link by
// which they choose others.
func (c *Client) ResetAdministrator(ctx context.Context, name string) (*Invitation, error) {
	return ask[Invitation](ctx, c, http.MethodPost, "/administrators/"+url.PathEscape(name)+"/reset", struct{}{})
}

// ConsoleSessions lists an administrator's sessions in the console.
func (c *Client) ConsoleSessions(ctx context.Context, name string) ([]ConsoleSession, error) {
	return list[ConsoleSession](ctx, c, "/administrators/"+url.PathEscape(name)+"/sessions")
}

// SignOutAdministrator ends all sessions of an administrator in the console.
func (c *Client) SignOutAdministrator(ctx context.Context, name string) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/administrators/"+url.PathEscape(name)+"/sign-out", struct{}{}, nil)
}

// CreateToken makes a token.
func (c *Client) CreateToken(ctx context.Context, n *NewToken) (*CreatedToken, error) {
	return ask[CreatedToken](ctx, c, http.MethodPost, "/tokens", n)
}

// Tokens lists tokens, the newest first.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	return list[Token](ctx, c, "/tokens")
}

// RevokeToken ends a token.
func (c *Client) RevokeToken(ctx context.Context, id uuid.UUID) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/tokens/"+id.String()+"/revoke", struct{}{}, nil)
}

// Audit gives a page of the audit log: entries after a number, none at its end.
func (c *Client) Audit(ctx context.Context, after int64) ([]AuditEntry, error) {
	return list[AuditEntry](ctx, c, "/audit?after="+strconv.FormatInt(after, 10))
}
