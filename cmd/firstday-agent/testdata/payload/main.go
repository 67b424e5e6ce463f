// Payload plays a third party's installer in tests: it notes when it begins
// and ends, and with which arguments.
//
// usage: payload LOG NAME SLEEP CODE [ARGUMENT…]
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	log, name, sleep, code := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	note(log, fmt.Sprintf("begin %s %q", name, os.Args[5:]))
	d, err := time.ParseDuration(sleep)
	if err != nil {
		panic(err)
	}
	time.Sleep(d)
	note(log, "end "+name)
	n, err := strconv.Atoi(code)
	if err != nil {
		panic(err)
	}
	os.Exit(n)
}

func note(log, line string) {
	f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	if _, err := fmt.Fprintln(f, line); err != nil {
		panic(err)
	}
	if err := f.Close(); err != nil {
		panic(err)
	}
}
