package codesign

import (
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego/objc"

	"firstday.dev/internal/cocoa"
)

// AppleProcess tells what a process runs, if that is signed by Apple as a part of macOS and
// still is what was signed. What a plug-in brings into the process is not looked at.
func AppleProcess(token Token) (p Program, err error) {
	s, err := loadSecurity()
	if err != nil {
		return p, err
	}
	err = cocoa.InPool(func() error {
		data := cocoa.Class("NSData").Send(cocoa.Sel("dataWithBytes:length:"), unsafe.Pointer(&token), uint(unsafe.Sizeof(token)))
		attributes := cocoa.Class("NSDictionary").Send(cocoa.Sel("dictionaryWithObject:forKey:"), data, s.auditKey)
		var code uintptr
		if err := refused(s.copyGuest(0, attributes, 0, &code)); err != nil {
			return fmt.Errorf("process %d: %w", token.Process(), err)
		}
		defer s.release(code)
		p = s.program(code)
		apple, err := s.require("anchor apple")
		if err != nil {
			return err
		}
		defer s.release(apple)
		return refused(s.checkRunning(code, 0, apple))
	})
	return p, err
}

// program is for people to read: nothing is decided by it.
func (s *security) program(code uintptr) (p Program) {
	if identifier, err := s.info(code, s.identifierKey); err == nil {
		p.Identifier = identifier
	}
	var url objc.ID
	if refused(s.copyPath(code, 0, &url)) == nil {
		defer s.release(uintptr(url))
		p.Path = cocoa.GoText(url.Send(cocoa.Sel("path")))
	}
	return p
}
