//go:build !windows

package media

import (
	"testing"

	"firstday.dev/internal/winetest"
)

func TestUnderWine(t *testing.T) { winetest.RunTests(t) }
