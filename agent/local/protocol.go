// Package local is what surfaces and the agent's service say to each other on
// one device: the service shows the screens of the sign-in, a surface sends back
// what the person did. It goes over a socket, on Windows over a named pipe, and
// is simple enough for a shim in C; docs/local-protocol.md describes it for who
// writes one, and testdata holds what any implementation can be tried with.
//
// Both sides close at anything that is not the protocol. They trust each other
// by what the system says of the process at the other end, see [Listen] and
// [Dial]; what a surface sends is still no more than the input of a person
// nobody knows.
package local

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Version is that of the protocol.
const Version = 1

// Sizes, in bytes.
const (
	// MaxLine bounds a line, with its end.
	MaxLine = 1024
	// MaxBlock bounds all lines of a block, with the empty one that ends it.
	MaxBlock = 32768
	maxWord  = 64
	// maxList bounds the fields of a screen, its actions, and the fields that a
	// surface sends with one.
	maxList = 8
	// maxRow is how much of what is logged on with a line holds.
	maxRow = 480
)

// How long either side waits.
const (
	// WatchTime is after how long the service answers a watch though there is
	// nothing new.
	WatchTime = 20 * time.Second
	// idleTime is after how long the service closes on a surface that says
	// nothing.
	idleTime = 60 * time.Second
	// writeTime bounds the sending of one block or request.
	writeTime = 5 * time.Second
)

// ErrProtocol: what the other side sent is not the protocol.
var ErrProtocol = errors.New("not the local protocol")

// malformed makes an error that quotes nothing: it is logged, and what people
// type may be where it should not.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// escaped tells bytes that values hold as a percent sign and two hexadecimal
// digits in upper case. There is one way to write a value.
func escaped(c byte) bool { return c < ' ' || c == 0x7f || c == '%' }

// escape writes a value as lines hold it. NUL and what is no UTF-8 become
// U+FFFD: no reader takes them.
func escape(value string) string {
	value = strings.ReplaceAll(strings.ToValidUTF8(value, "\uFFFD"), "\x00", "\uFFFD")
	if !strings.ContainsFunc(value, func(r rune) bool { return r < utf8.RuneSelf && escaped(byte(r)) }) {
		return value
	}
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; escaped(c) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape reads a value in its place, which holds the rest of a line that
// checkLine has passed.
func unescape(value []byte) ([]byte, error) {
	out := value[:0]
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c == '%' {
			if i+2 >= len(value) {
				return nil, malformed("an escape is cut off")
			}
			high, low := digit(value[i+1]), digit(value[i+2])
			c = byte(high<<4 | low)
			if high < 0 || low < 0 || c == 0 || !escaped(c) {
				return nil, malformed("an escape that is none")
			}
			i += 2
		}
		out = append(out, c)
	}
	return out, nil
}

// digit gives the value of a hexadecimal digit in upper case, -1 if it is none.
func digit(c byte) int { return strings.IndexByte("0123456789ABCDEF", c) }

// isWord tells names of things: of verbs, surfaces, fields, states, codes.
func isWord(s string) bool {
	return s != "" && len(s) <= maxWord && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}

// maxSerial is how long the serial number of a screen is, in digits.
const maxSerial = 18

// readNumber reads serial numbers and seconds: decimal digits only, and not
// more of them than 64 bits hold.
func readNumber(s string) (int64, error) {
	if s == "" || len(s) > maxSerial || strings.Trim(s, "0123456789") != "" {
		return 0, malformed("a number that is none")
	}
	return strconv.ParseInt(s, 10, 64)
}
