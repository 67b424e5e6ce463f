//go:build !unix

package winetest

import "errors"

// There is no Wine on systems like this.

func lock(string) (unlock func(), err error) { return nil, errors.ErrUnsupported }

func isAlive(int) bool { return true }
