package codesign

import (
	"errors"
	"sync"

	"github.com/ebitengine/purego/objc"

	"firstday.dev/internal/cocoa"
)

// No Mac has run the files for darwin of this package yet.

// security are the functions of Security.framework that are called (SecCode.h,
// SecStaticCode.h, SecRequirement.h), and the names of what they tell. References to
// code and requirements are numbers here, and released by hand.
type security struct {
	copySelf     func(flags uint32, code *uintptr) int32
	copyGuest    func(host uintptr, attributes objc.ID, flags uint32, code *uintptr) int32
	copyStatic   func(code uintptr, flags uint32, static *uintptr) int32
	createStatic func(url objc.ID, flags uint32, static *uintptr) int32
	checkStatic  func(static uintptr, flags uint32, requirement uintptr) int32
	checkRunning func(code uintptr, flags uint32, requirement uintptr) int32
	copyInfo     func(code uintptr, flags uint32, info *objc.ID) int32
	copyPath     func(code uintptr, flags uint32, url *objc.ID) int32
	requirement  func(text objc.ID, flags uint32, requirement *uintptr) int32
	release      func(uintptr)

	teamKey, identifierKey, auditKey objc.ID
}

const signingInfo = 1 << 1 // kSecCSSigningInformation

// loadSecurity wants all of them, whoever asks: so a Mac that lacks one for
// [AppleProcess] does not find the plug-in's signature good, and is never armed.
var loadSecurity = sync.OnceValues(func() (*security, error) {
	s := new(security)
	err := cocoa.Load("CoreFoundation", "Security")
	if err == nil {
		err = cocoa.Bind(map[string]any{
			"SecCodeCopySelf": &s.copySelf, "SecCodeCopyGuestWithAttributes": &s.copyGuest, "SecCodeCopyStaticCode": &s.copyStatic,
			"SecStaticCodeCreateWithPath": &s.createStatic, "SecStaticCodeCheckValidity": &s.checkStatic, "SecCodeCheckValidity": &s.checkRunning,
			"SecCodeCopySigningInformation": &s.copyInfo, "SecCodeCopyPath": &s.copyPath,
			"SecRequirementCreateWithString": &s.requirement, "CFRelease": &s.release,
		})
	}
	if err == nil {
		err = cocoa.Constants(map[string]*objc.ID{
			"kSecCodeInfoTeamIdentifier": &s.teamKey, "kSecCodeInfoIdentifier": &s.identifierKey, "kSecGuestAttributeAudit": &s.auditKey,
		})
	}
	if err != nil {
		return nil, errors.Join(ErrUnavailable, err)
	}
	return s, nil
})

// info gives a text of what the signature says of itself; empty: nothing.
func (s *security) info(code uintptr, key objc.ID) (string, error) {
	var found objc.ID
	if err := refused(s.copyInfo(code, signingInfo, &found)); err != nil {
		return "", err
	}
	defer s.release(uintptr(found))
	return cocoa.GoText(found.Send(cocoa.Sel("objectForKey:"), key)), nil
}

// require compiles what is wanted of a signature. It is to be released.
func (s *security) require(text string) (requirement uintptr, err error) {
	err = refused(s.requirement(cocoa.Text(text), 0, &requirement))
	return requirement, err
}
