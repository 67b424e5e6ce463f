// Package codesign asks macOS who has signed code: a bundle on the disk, or what a
// process runs.
package codesign

import (
	"errors"
	"fmt"
)

// Program is the code of a process.
type Program struct {
	Identifier string // by which it is signed; empty: macOS does not say
	Path       string // of its bundle, or of the file; empty: macOS does not say
}

// Token is an audit_token_t (mach/message.h), by which the kernel tells processes
// apart even where one has taken another's number.
type Token [8]uint32

// Process gives the number of the process; 0 is nobody's.
func (t Token) Process() uint32 { return t[5] }

var (
	// ErrUnavailable is given where this macOS cannot be asked. It says nothing of the code.
	ErrUnavailable = errors.New("this macOS cannot be asked who has signed code")
	// ErrGone is given where no process has the token any more.
	ErrGone = errors.New("the process has ended, or runs other code by now")
	// ErrForeign is given for good signatures of others than who was wanted.
	ErrForeign = errors.New("it is signed by somebody else")
)

// StatusError is the OSStatus of a function of Security.framework, see CSCommon.h.
type StatusError int32

const (
	errUnimplemented   StatusError = -67072 // errSecCSUnimplemented
	errGuestAttributes StatusError = -67067 // errSecCSUnsupportedGuestAttributes
	errNoSuchCode      StatusError = -67065 // errSecCSNoSuchCode
	errGuestInvalid    StatusError = -67063 // errSecCSGuestInvalid
	errUnsigned        StatusError = -67062 // errSecCSUnsigned
	errSignature       StatusError = -67061 // errSecCSSignatureFailed
	errRequirement     StatusError = -67050 // errSecCSReqFailed
)

// statusWords are for those that people will meet.
var statusWords = map[StatusError]string{
	errNoSuchCode:   "no such process",
	errGuestInvalid: "the code of the process is not valid any more",
	errUnsigned:     "it is not signed",
	errSignature:    "it is not what was signed",
	errRequirement:  "it is signed by somebody else",
}

func (s StatusError) Error() string {
	if words := statusWords[s]; words != "" {
		return fmt.Sprintf("macOS refuses the signature: %s (%d)", words, int32(s))
	}
	return fmt.Sprintf("macOS refuses the signature: %d", int32(s))
}

// Is tells what the number means for who asked.
func (s StatusError) Is(target error) bool {
	switch target {
	case ErrUnavailable:
		return s == errUnimplemented || s == errGuestAttributes
	case ErrGone:
		return s == errNoSuchCode
	case ErrForeign:
		return s == errRequirement
	}
	return false
}

// refused makes an error of a status; 0 is none.
func refused(status int32) error {
	if status == 0 {
		return nil
	}
	return StatusError(status)
}
