// Package logon writes what Windows, or a Mac, logs a person on with: the bytes that a
// credential provider hands to winlogon. The service packs them, so that the
// provider, which lives in a process of Windows' own, only copies them.
package logon

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Sizes, in UTF-16 code units.
const (
	maxDomain   = 15  // MAX_COMPUTERNAME_LENGTH
	maxUser     = 104 // more than any name of an account has
	maxPassword = 256 // PWLEN
)

// MaxSize is how long what Pack gives can be, in bytes.
const MaxSize = headSize + 2*(maxDomain+maxUser+maxPassword)

// KERB_INTERACTIVE_UNLOCK_LOGON on 64 bits: a KERB_INTERACTIVE_LOGON and the
// LUID of no session. MessageType is followed by three UNICODE_STRINGs, whose
// pointers are offsets from the beginning: the domain, the user, the password.
const (
	kerbInteractiveLogon = 2

	stringsAt  = 8 // the UNICODE_STRINGs
	stringSize = 16
	headSize   = stringsAt + 3*stringSize + 8
)

// Pack gives the bytes for the user of a domain, which for an account of the
// computer's own is the computer's name. Who has them wipes them. The error
// quotes nothing.
func Pack(domain, user string, password []byte) ([]byte, error) {
	if user == "" {
		return nil, fmt.Errorf("packing a logon: no user")
	}
	out := make([]byte, headSize, MaxSize) // which never grows, and leaves no copy
	binary.LittleEndian.PutUint32(out, kerbInteractiveLogon)
	for i, s := range []struct {
		what string
		text []byte
		most int
	}{
		{"domain", []byte(domain), maxDomain}, {"user", []byte(user), maxUser}, {"password", password, maxPassword},
	} {
		at := len(out)
		var err error
		if out, err = appendUTF16(out, s.text, s.most); err != nil {
			clear(out[:cap(out)])
			return nil, fmt.Errorf("packing a logon: the %s %w", s.what, err)
		}
		h := out[stringsAt+i*stringSize:]
		binary.LittleEndian.PutUint16(h, uint16(len(out)-at))     // Length, in bytes
		binary.LittleEndian.PutUint16(h[2:], uint16(len(out)-at)) // MaximumLength
		binary.LittleEndian.PutUint64(h[8:], uint64(at))          // Buffer
	}
	return out, nil
}

// appendUTF16 appends at most so many code units.
func appendUTF16(out, text []byte, most int) ([]byte, error) {
	var units [2]uint16
	for count := 0; len(text) > 0; {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 || r == 0 {
			return out, fmt.Errorf("is not text")
		}
		text = text[size:]
		u := utf16.AppendRune(units[:0], r)
		if count += len(u); count > most {
			return out, fmt.Errorf("has more than %d characters", most)
		}
		for _, unit := range u {
			out = binary.LittleEndian.AppendUint16(out, unit)
		}
		clear(units[:])
	}
	return out, nil
}
