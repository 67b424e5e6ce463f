package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testpostgres"
)

// Workers build for a directory on PostgreSQL, as people run them.
func TestWorkers(t *testing.T) {
	server := testpostgres.Start(t)
	t.Cleanup(server.Stop)
	agents, database := testagents.Dir(t), server.Database(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/worker",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                scriptCommands,
		Setup: func(e *testscript.Env) error {
			e.Setenv("AGENTS", agents)
			e.Setenv("DATABASE", database)
			return nil
		},
	})
}
