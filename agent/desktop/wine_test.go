//go:build !windows

package desktop

import (
	"testing"

	"firstday.dev/internal/winetest"
)

func TestUnderWine(t *testing.T) { winetest.RunTests(t) }
