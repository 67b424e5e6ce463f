package directory

import "time"

// limits are how often who may try what. The replicas do not tell each other:
// with three of them each allows as much.
type limits struct {
	// codes that no device shows, typed from an address. 20 to the 8th is 34.5
	// bits: with 10,000 sign-ins at once, which no organisation has, a guess hits
	// one in 2.5 million, and an address has ten a minute.
	codes *limit
	// logins, from an address or a device: passwords and second factors. Each
	// user has a limit of their own, see authenticate.go.
	logins *limit
	starts *limit // of sign-ins, by a device
	polls  *limit // by a device
}

func newLimits() limits {
	return limits{
		codes:  newLimit(10, time.Minute),
		logins: newLimit(60, time.Minute),
		starts: newLimit(20, time.Minute),
		polls:  newLimit(60, time.Minute),
	}
}
