package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/kit"
)

// mint makes connect keys for the packages of one kit.
type mint struct {
	login  *login
	client *api.Client
	key    api.NewConnectKey
	made   []uuid.UUID
}

// errOtherDirectory: the package's devices would take the key elsewhere.
var errOtherDirectory = errors.New("you are logged in to another directory than the configuration names")

func (m *mint) open(c *config.Config, b *build) error {
	if err := m.connect(b); err != nil {
		return err
	}
	return m.login.isOf(c)
}

// connect gets ready for keys of the directory that one is logged in to.
func (m *mint) connect(b *build) (err error) {
	if m.login, err = whichDirectory(); err != nil {
		return err
	}
	m.key = b.key
	m.key.Life = api.Duration(b.life)
	m.client, err = m.login.client()
	return err
}

// isOf makes sure that the login is for the directory of a configuration.
func (l *login) isOf(c *config.Config) error {
	if c.Directory.Pin != l.Pin || l.Pin == "" && c.Directory.URL != l.URL {
		return c.ErrorAt("directory", fmt.Sprintf("the one you are logged in to is %s with the pin %q", l.URL, l.Pin), "%w", errOtherDirectory)
	}
	return nil
}

// clientOf gives a client of the directory that the configuration names, which must
// be the one that is meant. Close it.
func clientOf(c *config.Config) (*api.Client, error) {
	l, err := whichDirectory()
	if err != nil {
		return nil, err
	}
	if err := l.isOf(c); err != nil {
		return nil, err
	}
	return l.client()
}

// forRow mints for a row of a table.
func (m *mint) forRow(r config.Row) *mint {
	row := &mint{login: m.login, client: m.client, key: m.key}
	if r.Batch != "" {
		row.key.Batch = r.Batch
	}
	row.key.Tags = r.Tags
	return row
}

func (m *mint) Close() { m.client.Close() }

// mint binds a key to one package and its platform.
func (m *mint) mint(ctx context.Context, platform kit.Platform, id uuid.UUID) (kit.ConnectKey, error) {
	n := m.key
	n.Label = "build of package " + id.String()
	n.Platforms, n.PackageID = []api.Platform{api.Platform(platform)}, id
	k, err := m.client.MintKey(ctx, &n)
	if err != nil {
		return kit.ConnectKey{}, err
	}
	m.made = append(m.made, k.ID)
	return kit.ConnectKey{Secret: k.Secret, Expires: k.ExpiresAt}, nil
}

// revokeLimit bounds how long a build that failed takes to clean up.
const revokeLimit = 10 * time.Second

// revoke ends the keys of a build that came to nothing.
func (m *mint) revoke(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeLimit)
	defer cancel()
	var errs []error
	for _, id := range m.made {
		if err := m.client.RevokeKey(ctx, id); err != nil {
			errs = append(errs, fmt.Errorf("connect key %s was minted and is not revoked: %w", id, err))
		}
	}
	return errors.Join(errs...)
}
