package main

import (
	"context"
	"time"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// acr is what ID tokens say of how people signed in: there is one way.
const acr = "mfa"

// people are who can sign in.
type people map[string]*user // by subject

func newPeople(list []user) people {
	all := make(people)
	for i := range list {
		all[list[i].Subject] = &list[i]
	}
	return all
}

func (p people) named(name string) *user {
	for _, u := range p {
		if u.Name == name {
			return u
		}
	}
	return nil
}

func (u *user) stored() *storage.User {
	if u == nil {
		return nil
	}
	return &storage.User{ID: u.Subject, Username: u.Name, Password: u.Password, FirstName: u.First, LastName: u.Last, Email: u.Email, EmailVerified: u.Verified}
}

// GetUserByID is of [storage.UserStore].
func (p people) GetUserByID(id string) *storage.User { return p[id].stored() }

// GetUserByUsername is of [storage.UserStore].
func (p people) GetUserByUsername(name string) *storage.User { return p.named(name).stored() }

// ExampleClientID is of [storage.UserStore].
func (p people) ExampleClientID() string { return storage.ServiceUserID }

// store is zitadel's example, in memory, with groups and the second factor in
// what it says.
type store struct {
	*storage.Storage
	people people
}

// request is an authorization request, with how it was met.
type request struct{ *storage.AuthRequest }

// GetACR is of [op.AuthRequest].
func (request) GetACR() string { return acr }

func withACR(r op.AuthRequest, err error) (op.AuthRequest, error) {
	if stored, ok := r.(*storage.AuthRequest); ok {
		return request{stored}, err
	}
	return r, err
}

func (s *store) CreateAuthRequest(ctx context.Context, r *oidc.AuthRequest, user string) (op.AuthRequest, error) {
	return withACR(s.Storage.CreateAuthRequest(ctx, r, user))
}

func (s *store) AuthRequestByID(ctx context.Context, id string) (op.AuthRequest, error) {
	return withACR(s.Storage.AuthRequestByID(ctx, id))
}

func (s *store) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	return withACR(s.Storage.AuthRequestByCode(ctx, code))
}

func (s *store) CreateAccessToken(ctx context.Context, r op.TokenRequest) (string, time.Time, error) {
	if wrapped, ok := r.(request); ok {
		r = wrapped.AuthRequest
	}
	return s.Storage.CreateAccessToken(ctx, r)
}

func (s *store) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	if u := s.people[subject]; u != nil {
		info.AppendClaims("groups", u.Groups)
	}
	return s.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin)
}
