package directory

import (
	"context"
	"errors"
	"net/http"
	"time"

	"firstday.dev/api"
)

// strangers limits what only strangers and broken machines do often. Many people
// share an address: nothing that succeeds counts, and nobody is kept from
// succeeding by what others behind the same address do.
type strangers struct {
	refusals *limit // enrolments, by address and connect key
	guesses  *limit // connect keys and tokens that do not exist, by address
}

func (s *strangers) init() {
	s.refusals = newLimit(20, time.Minute)
	s.guesses = newLimit(10, time.Minute)
}

// enrollStranger is Enroll for whoever sends a request. A connect key that was
// refused to an address again and again is not looked at for a while: nobody
// tries serial numbers one after the other, nor fills the key's ledger.
func (d *Directory) enrollStranger(ctx context.Context, r *api.EnrollRequest, remote string) (answer *api.EnrollResponse, err error) {
	defer func() { d.metrics.enrolled(err) }()
	address := addressKey(remote)
	key := address + " " + string(secretHash(r.ConnectKey))
	if wait, ok := d.strangers.refusals.left(key); !ok {
		return nil, &api.Error{Code: api.CodeTooMany, RetryAfter: wait}
	}
	answer, err = d.Enroll(ctx, r, remote)
	var refused *api.Error
	switch {
	case errors.Is(err, api.CodeKeyUnknown):
		err = d.strangers.guessed(address, err)
	case errors.As(err, &refused):
		d.strangers.refusals.take(key)
	}
	return answer, err
}

// guessed is the answer to a secret that does not exist. Who holds one that does
// is never kept waiting: an owner may be behind the same address.
func (s *strangers) guessed(address string, err error) error {
	if wait, ok := s.guesses.take(address); !ok {
		return &api.Error{Code: api.CodeTooMany, RetryAfter: wait}
	}
	return err
}

// wrongToken is the answer to a token that was refused.
func (s *strangers) wrongToken(r *http.Request, err error) error {
	if !errors.Is(err, api.CodeUnauthorized) {
		return err
	}
	return s.guessed(addressKey(remote(r)), err)
}
