package config

import "time"

// testNow is the clock of every test.
var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
