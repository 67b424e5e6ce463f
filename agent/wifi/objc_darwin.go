package wifi

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"
)

// Functions of Security (SecKeychain.h, SecItem.h, SecIdentity.h, SecCertificate.h).
// Objects of Core Foundation are Objective-C's.
var (
	secKeychainOpen            func(path string, keychain *objc.ID) int32
	secItemCopyMatching        func(query objc.ID, result *objc.ID) int32
	secIdentityCopyCertificate func(identity objc.ID, certificate *objc.ID) int32
	secCertificateCopyData     func(certificate objc.ID) objc.ID
)

// Keys and values of a query, which are objects, too.
var secClass, secClassIdentity, secMatchSearchList, secMatchLimit, secMatchLimitAll, secReturnRef objc.ID

var loadFrameworks = sync.OnceValue(func() error {
	var security uintptr
	for _, framework := range []string{"Foundation", "CoreWLAN", "Security"} {
		path := "/System/Library/Frameworks/" + framework + ".framework/" + framework
		handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err != nil {
			return fmt.Errorf("loading %s: %w", path, err)
		}
		security = handle // the last
	}
	for name, f := range map[string]any{
		"SecKeychainOpen": &secKeychainOpen, "SecItemCopyMatching": &secItemCopyMatching,
		"SecIdentityCopyCertificate": &secIdentityCopyCertificate, "SecCertificateCopyData": &secCertificateCopyData,
	} {
		at, err := purego.Dlsym(security, name)
		if err != nil {
			return err
		}
		purego.RegisterFunc(f, at)
	}
	for name, value := range map[string]*objc.ID{
		"kSecClass": &secClass, "kSecClassIdentity": &secClassIdentity, "kSecMatchSearchList": &secMatchSearchList,
		"kSecMatchLimit": &secMatchLimit, "kSecMatchLimitAll": &secMatchLimitAll, "kSecReturnRef": &secReturnRef,
	} {
		at, err := purego.Dlsym(security, name)
		if err != nil {
			return err
		}
		*value = **(**objc.ID)(unsafe.Pointer(&at)) // it is a variable that holds the object
	}
	return understood()
})

// understood refuses a CoreWLAN that does not know what it will be told: an
// exception of Objective-C would end the service.
func understood() error {
	for name, selectors := range map[string][]string{
		"CWWiFiClient": {"interfaceWithName:"},
		"CWInterface": {
			"ssid", "scanForNetworksWithName:includeHidden:error:", "associateToNetwork:password:error:",
			"associateToEnterpriseNetwork:identity:username:password:error:",
		},
		"CWNetwork": {"ssid", "rssiValue", "supportsSecurity:"},
	} {
		c := class(name)
		if c == 0 {
			return fmt.Errorf("CoreWLAN has no %s", name)
		}
		for _, s := range selectors {
			if !objc.Send[bool](c, selector("instancesRespondToSelector:"), selector(s)) {
				return fmt.Errorf("CoreWLAN's %s does not know %s", name, s)
			}
		}
	}
	if !objc.Send[bool](class("CWWiFiClient"), selector("respondsToSelector:"), selector("sharedWiFiClient")) {
		return errors.New("CoreWLAN has no shared client")
	}
	return nil
}

const (
	systemKeychain    = "/Library/Keychains/System.keychain"
	secItemNotFound   = -25300
	maxCertificate    = 64 << 10
	maxAllIdentities  = 200
	secSuccess        = 0
	utf8Encoding      = 4 // NSUTF8StringEncoding
	maxProblemMessage = 300
)

// eachIdentity calls do with each identity of the System keychain and its
// certificate, until that says false.
func eachIdentity(do func(identity objc.ID, der []byte) bool) error {
	return inPool(func() error {
		var keychain objc.ID
		if status := secKeychainOpen(systemKeychain, &keychain); status != secSuccess {
			return fmt.Errorf("opening the System keychain: status %d", status)
		}
		keychain.Send(selector("autorelease"))
		list := class("NSArray").Send(selector("arrayWithObject:"), keychain)
		query := class("NSMutableDictionary").Send(selector("dictionary"))
		for key, value := range map[objc.ID]objc.ID{
			secClass:           secClassIdentity,
			secMatchSearchList: list,
			secMatchLimit:      secMatchLimitAll,
			secReturnRef:       class("NSNumber").Send(selector("numberWithBool:"), true),
		} {
			query.Send(selector("setObject:forKey:"), value, key)
		}
		var found objc.ID
		switch status := secItemCopyMatching(query, &found); status {
		case secSuccess:
		case secItemNotFound:
			return nil
		default:
			return fmt.Errorf("asking the System keychain for identities: status %d", status)
		}
		found.Send(selector("autorelease"))
		for at := range min(objc.Send[uint](found, selector("count")), maxAllIdentities) {
			identity := found.Send(selector("objectAtIndex:"), at)
			if der := certificateOf(identity); der != nil && !do(identity, der) {
				break
			}
		}
		return nil
	})
}

func certificateOf(identity objc.ID) []byte {
	var certificate objc.ID
	if secIdentityCopyCertificate(identity, &certificate) != secSuccess {
		return nil
	}
	certificate.Send(selector("autorelease"))
	data := secCertificateCopyData(certificate)
	if data == 0 {
		return nil
	}
	data.Send(selector("autorelease"))
	n := objc.Send[uint](data, selector("length"))
	if n == 0 || n > maxCertificate {
		return nil
	}
	der := make([]byte, n)
	data.Send(selector("getBytes:length:"), unsafe.Pointer(&der[0]), n)
	return der
}

// Words of Objective-C.

func class(name string) objc.ID     { return objc.ID(objc.GetClass(name)) }
func selector(name string) objc.SEL { return objc.RegisterName(name) }
func code(problem objc.ID) int      { return objc.Send[int](problem, selector("code")) } // 0 of nil

// goText gives an NSString's text; nil has none.
func goText(s objc.ID) string {
	if s == 0 {
		return ""
	}
	return objc.Send[string](s, selector("UTF8String"))
}

// text gives an NSString of UTF-8.
func text(b []byte) objc.ID {
	if len(b) == 0 {
		return class("NSString").Send(selector("string"))
	}
	s := class("NSString").Send(selector("alloc")).Send(selector("initWithBytes:length:encoding:"), unsafe.Pointer(&b[0]), uint(len(b)), uint(utf8Encoding))
	return s.Send(selector("autorelease"))
}

// errorOf gives an NSError's words, which name no password.
func errorOf(problem objc.ID) error {
	if problem == 0 {
		return fmt.Errorf("CoreWLAN does not say why")
	}
	words := goText(problem.Send(selector("localizedDescription")))
	return fmt.Errorf("%.100s %d: %.*s", goText(problem.Send(selector("domain"))), code(problem), maxProblemMessage, words)
}
