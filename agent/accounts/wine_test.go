//go:build !windows

package accounts

import (
	"testing"

	"firstday.dev/internal/winetest"
)

func TestUnderWine(t *testing.T) { winetest.RunTests(t) }
