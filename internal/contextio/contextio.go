// Package contextio lets long copies end with their context.
package contextio

import (
	"context"
	"io"
)

// Reader gives a reader of r whose reads fail once the context has ended.
func Reader(ctx context.Context, r io.Reader) io.Reader { return reader{ctx, r} }

type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
