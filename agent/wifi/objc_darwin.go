package wifi

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego/objc"

	"firstday.dev/internal/cocoa"
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
	if err := cocoa.Load("CoreWLAN", "Security"); err != nil {
		return err
	}
	if err := cocoa.Bind(map[string]any{
		"SecKeychainOpen": &secKeychainOpen, "SecItemCopyMatching": &secItemCopyMatching,
		"SecIdentityCopyCertificate": &secIdentityCopyCertificate, "SecCertificateCopyData": &secCertificateCopyData,
	}); err != nil {
		return err
	}
	if err := cocoa.Constants(map[string]*objc.ID{
		"kSecClass": &secClass, "kSecClassIdentity": &secClassIdentity, "kSecMatchSearchList": &secMatchSearchList,
		"kSecMatchLimit": &secMatchLimit, "kSecMatchLimitAll": &secMatchLimitAll, "kSecReturnRef": &secReturnRef,
	}); err != nil {
		return err
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
		c := cocoa.Class(name)
		if c == 0 {
			return fmt.Errorf("CoreWLAN has no %s", name)
		}
		for _, s := range selectors {
			if !objc.Send[bool](c, cocoa.Sel("instancesRespondToSelector:"), cocoa.Sel(s)) {
				return fmt.Errorf("CoreWLAN's %s does not know %s", name, s)
			}
		}
	}
	if !objc.Send[bool](cocoa.Class("CWWiFiClient"), cocoa.Sel("respondsToSelector:"), cocoa.Sel("sharedWiFiClient")) {
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
	maxProblemMessage = 300
)

// eachIdentity calls do with each identity of the System keychain and its
// certificate, until that says false.
func eachIdentity(do func(identity objc.ID, der []byte) bool) error {
	return cocoa.InPool(func() error {
		var keychain objc.ID
		if status := secKeychainOpen(systemKeychain, &keychain); status != secSuccess {
			return fmt.Errorf("opening the System keychain: status %d", status)
		}
		keychain.Send(cocoa.Sel("autorelease"))
		list := cocoa.Class("NSArray").Send(cocoa.Sel("arrayWithObject:"), keychain)
		query := cocoa.Class("NSMutableDictionary").Send(cocoa.Sel("dictionary"))
		for key, value := range map[objc.ID]objc.ID{
			secClass:           secClassIdentity,
			secMatchSearchList: list,
			secMatchLimit:      secMatchLimitAll,
			secReturnRef:       cocoa.Class("NSNumber").Send(cocoa.Sel("numberWithBool:"), true),
		} {
			query.Send(cocoa.Sel("setObject:forKey:"), value, key)
		}
		var found objc.ID
		switch status := secItemCopyMatching(query, &found); status {
		case secSuccess:
		case secItemNotFound:
			return nil
		default:
			return fmt.Errorf("asking the System keychain for identities: status %d", status)
		}
		found.Send(cocoa.Sel("autorelease"))
		for at := range min(objc.Send[uint](found, cocoa.Sel("count")), maxAllIdentities) {
			identity := found.Send(cocoa.Sel("objectAtIndex:"), at)
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
	certificate.Send(cocoa.Sel("autorelease"))
	data := secCertificateCopyData(certificate)
	if data == 0 {
		return nil
	}
	data.Send(cocoa.Sel("autorelease"))
	n := objc.Send[uint](data, cocoa.Sel("length"))
	if n == 0 || n > maxCertificate {
		return nil
	}
	der := make([]byte, n)
	data.Send(cocoa.Sel("getBytes:length:"), unsafe.Pointer(&der[0]), n)
	return der
}

// errorOf gives an NSError's words, which name no password.
func errorOf(problem objc.ID) error {
	if problem == 0 {
		return fmt.Errorf("CoreWLAN does not say why")
	}
	words := cocoa.GoText(problem.Send(cocoa.Sel("localizedDescription")))
	return fmt.Errorf("%.100s %d: %.*s", cocoa.GoText(problem.Send(cocoa.Sel("domain"))), cocoa.Code(problem), maxProblemMessage, words)
}
