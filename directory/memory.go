package directory

import (
	"math"
	"os"
	"runtime/debug"
)

const (
	// collectAt is by how many per cent garbage may grow beyond what is in use.
	// What is in use is above all what the connections of waiting devices hold,
	// and what lay between them when they came does not go back to the system.
	collectAt = 25
	// ballastSize keeps a small directory from collecting all the time, in bytes.
	ballastSize = 64 << 20
)

// ballast is never touched: the system gives no memory for it.
var ballast []byte //nolint:unused // it is there to be there

// SaveMemory is for programs that do nothing but serve a directory: it lets the
// garbage collector come more often. Who sets GOGC knows better. A limit that the
// program has is lifted, unless GOMEMLIMIT sets one: with the ballast beyond it the
// collector would never rest.
func SaveMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(math.MaxInt64)
	}
	if os.Getenv("GOGC") == "" {
		ballast = make([]byte, ballastSize)
		debug.SetGCPercent(collectAt)
	}
}
