//go:build !darwin

package wifi

import (
	"errors"
	"log/slog"
)

// Open gives a Mac's; there is no other yet.
func Open(*slog.Logger) (*Radio, error) { return nil, errors.ErrUnsupported }
