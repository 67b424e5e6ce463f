package preflight

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"
)

// security are the functions of Security.framework that are called (SecCode.h,
// SecStaticCode.h, SecRequirement.h), and the names of what they tell.
type security struct {
	copySelf      func(flags uint32, code *uintptr) int32
	copyStatic    func(code uintptr, flags uint32, static *uintptr) int32
	createStatic  func(url objc.ID, flags uint32, static *uintptr) int32
	checkValidity func(static uintptr, flags uint32, requirement uintptr) int32
	copyInfo      func(static uintptr, flags uint32, info *objc.ID) int32
	requirement   func(text objc.ID, flags uint32, requirement *uintptr) int32
	release       func(uintptr)

	teamKey objc.ID
}

const (
	checkAll    = 1<<0 | 1<<3 | 1<<4 // kSecCSCheckAllArchitectures, …NestedCode, …StrictValidate
	signingInfo = 1 << 1             // kSecCSSigningInformation
)

var loadSecurity = sync.OnceValues(func() (*security, error) {
	const frameworks = "/System/Library/Frameworks/"
	open := func(name string) (uintptr, error) {
		return purego.Dlopen(frameworks+name+".framework/"+name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	}
	_, foundation := open("Foundation")
	core, noCore := open("CoreFoundation")
	sec, noSecurity := open("Security")
	if err := errors.Join(foundation, noCore, noSecurity); err != nil {
		return nil, err
	}
	s := new(security)
	for name, f := range map[string]any{
		"SecCodeCopySelf": &s.copySelf, "SecCodeCopyStaticCode": &s.copyStatic, "SecStaticCodeCreateWithPath": &s.createStatic,
		"SecStaticCodeCheckValidity": &s.checkValidity, "SecCodeCopySigningInformation": &s.copyInfo, "SecRequirementCreateWithString": &s.requirement,
	} {
		at, err := purego.Dlsym(sec, name)
		if err != nil {
			return nil, err
		}
		purego.RegisterFunc(f, at)
	}
	release, err := purego.Dlsym(core, "CFRelease")
	if err != nil {
		return nil, err
	}
	purego.RegisterFunc(&s.release, release)
	key, err := purego.Dlsym(sec, "kSecCodeInfoTeamIdentifier")
	if err != nil {
		return nil, err
	}
	s.teamKey = **(**objc.ID)(unsafe.Pointer(&key))
	return s, nil
})

// Signed tells who has signed a bundle, all of it and for each processor: the team
// that has signed this program. Without one, as where no Developer ID is at hand,
// both must be signed ad hoc.
func Signed(path string) (string, error) {
	s, err := loadSecurity()
	if err != nil {
		return "", err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pool := objc.ID(objc.GetClass("NSAutoreleasePool")).Send(objc.RegisterName("new"))
	defer pool.Send(objc.RegisterName("drain"))
	own, err := s.ownTeam()
	if err != nil {
		return "", fmt.Errorf("the agent's own signature: %w", err)
	}
	url := objc.ID(objc.GetClass("NSURL")).Send(objc.RegisterName("fileURLWithPath:"), text(path))
	var code uintptr
	if status := s.createStatic(url, 0, &code); status != 0 {
		return "", fmt.Errorf("%s: %w", path, statusError(status))
	}
	defer s.release(code)
	team, err := s.team(code)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", path, err)
	case team != own:
		return "", fmt.Errorf("it is signed by %s, the agent by %s", named(team), named(own))
	}
	return named(team), s.check(code, team)
}

// check has macOS look at all hashes, and, for a team, at the chain up to Apple: the
// name alone anybody can write there.
func (s *security) check(code uintptr, team string) error {
	var requirement uintptr
	if team != "" {
		if !teamPattern.MatchString(team) {
			return fmt.Errorf("a team of the name %.20q", team)
		}
		wanted := text(`anchor apple generic and certificate leaf[subject.OU] = "` + team + `"`)
		if status := s.requirement(wanted, 0, &requirement); status != 0 {
			return statusError(status)
		}
		defer s.release(requirement)
	}
	if status := s.checkValidity(code, checkAll, requirement); status != 0 {
		return statusError(status)
	}
	return nil
}

var teamPattern = regexp.MustCompile(`^[A-Z0-9]{10}$`)

func (s *security) ownTeam() (string, error) {
	var self, static uintptr
	if status := s.copySelf(0, &self); status != 0 {
		return "", statusError(status)
	}
	defer s.release(self)
	if status := s.copyStatic(self, 0, &static); status != 0 {
		return "", statusError(status)
	}
	defer s.release(static)
	return s.team(static)
}

func (s *security) team(code uintptr) (string, error) {
	var found objc.ID
	if status := s.copyInfo(code, signingInfo, &found); status != 0 {
		return "", statusError(status)
	}
	defer s.release(uintptr(found))
	team := found.Send(objc.RegisterName("objectForKey:"), s.teamKey)
	if team == 0 {
		return "", nil
	}
	return objc.Send[string](team, objc.RegisterName("UTF8String")), nil
}

func named(team string) string {
	if team == "" {
		return "nobody (ad hoc)"
	}
	return "team " + team
}

func text(s string) objc.ID {
	return objc.ID(objc.GetClass("NSString")).Send(objc.RegisterName("stringWithUTF8String:"), s)
}

// statusError is an OSStatus, see CSCommon.h: -67062 is not signed at all, -67061 an
// invalid signature, -67050 a requirement that is not met.
func statusError(status int32) error { return fmt.Errorf("macOS refuses the signature: %d", status) }
