//go:build !windows

package agent

import (
	"testing"

	"firstday.dev/internal/winetest"
)

func TestUnderWine(t *testing.T) { winetest.RunTests(t) }
