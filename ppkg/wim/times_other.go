//go:build !unix

package wim

// truthfulTimes: NTFS may note a time of modification when a file is closed.
const truthfulTimes = false
