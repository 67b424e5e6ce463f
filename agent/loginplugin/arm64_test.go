//go:build !windows

package loginplugin_test

// shippedProgram names the program to load, for a process that cannot build it.
const shippedProgram = "FIRSTDAY_TEST_PLUGIN"
