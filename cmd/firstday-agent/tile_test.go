package main

import (
	"bytes"
	"testing"
	"time"

	"firstday.dev/agent"
)

func TestTileIsDescribed(t *testing.T) {
	since := time.Date(2026, 11, 30, 12, 0, 0, 0, time.Local)
	for want, s := range map[string]agent.TileStatus{
		"tile  none: the package carries none\n":                                                                       {State: agent.TileNone},
		"tile  not there yet: an installation is at work\nfile  C:\\x.dll\n":                                           {State: agent.TilePending, File: `C:\x.dll`},
		"tile     on\nfile     C:\\x.dll\ncrashes  1 of the sign-in screen\n":                                          {State: agent.TileOn, File: `C:\x.dll`, Strikes: 1},
		"tile   off: a policy excludes the tile of the sign-in screen\nfile   C:\\x.dll\nsince  2026-11-30 12:00:00\n": {State: agent.TileOff, By: agent.ByPolicy, File: `C:\x.dll`, Since: since},
		"tile  broken: it is not registered\n":                                                                         {State: agent.TileBroken, Reason: "it is not registered"},
	} {
		var out bytes.Buffer
		if err := printTile(&out, &s); err != nil || out.String() != want {
			t.Errorf("%q, want %q, %v", &out, want, err)
		}
	}
}
