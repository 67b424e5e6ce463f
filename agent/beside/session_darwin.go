package beside

import (
	"context"
	"errors"
	"strconv"
	"time"
	"unsafe"
)

// system are functions of C.
type system struct {
	sessionDictionary func() uintptr
	release           func(uintptr)
	audit             func(info *auditInfo, length int32) int32
	sendSuper         func(to *super, message uintptr, event uintptr) bool
	security
}

// auditInfo is auditinfo_addr of bsm/audit.h, of 48 bytes.
type auditInfo struct {
	_       [9]uint32 // the user, two masks, the terminal's port, kind and address
	session int32
	_       uint64
}

func bindSystem() (*system, error) {
	s := new(system)
	var missing error
	s.security, missing = bindSecurity()
	return s, errors.Join(
		missing, bind(&s.sessionDictionary, "CGSessionCopyCurrentDictionary"), bind(&s.release, "CFRelease"),
		bind(&s.audit, "getaudit_addr"), bind(&s.sendSuper, "objc_msgSendSuper"))
}

// session tells whether this process is in a session of the window server.
func (s *system) session() bool {
	dictionary := s.sessionDictionary()
	if dictionary == 0 {
		return false
	}
	s.release(dictionary)
	return true
}

// awaitSession waits for a session. At the start of a Mac the login window's is not
// there at once, and whoever opens windows before it is ends.
func (s *system) awaitSession(ctx context.Context) error {
	for !s.session() {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// auditSession gives the number of the session that this process is in, empty if it is
// not known.
func (s *system) auditSession() string {
	var info auditInfo
	if s.audit(&info, int32(unsafe.Sizeof(info))) != 0 || info.session <= 0 {
		return ""
	}
	return strconv.Itoa(int(info.session))
}
