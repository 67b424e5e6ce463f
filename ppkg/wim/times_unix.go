//go:build unix

package wim

// truthfulTimes: a file's time of modification changes with every write, and
// with nothing else.
const truthfulTimes = true
