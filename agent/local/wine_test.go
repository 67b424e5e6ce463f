//go:build !windows

package local

import (
	"testing"

	"firstday.dev/internal/winetest"
)

func TestUnderWine(t *testing.T) { winetest.RunTests(t) }
