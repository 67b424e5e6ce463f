package beside

// frameworks are those beside Foundation.
var frameworks = []string{"AppKit", "WebKit", "CoreGraphics", "CoreFoundation", "Security"}

// Numbers of Apple's headers.
const (
	utf8Encoding = 4 // NSUTF8StringEncoding, NSString.h

	activationAccessory = 1  // NSApplicationActivationPolicyAccessory, NSRunningApplication.h
	applicationDefined  = 15 // NSEventTypeApplicationDefined, NSEvent.h

	backingBuffered  = 2      // NSBackingStoreBuffered, NSGraphics.h
	styleTitled      = 1 << 0 // NSWindowStyleMask…, NSWindow.h
	styleClosable    = 1 << 1
	styleNonactivate = 1 << 7 // NSWindowStyleMaskNonactivatingPanel
	levelScreenSaver = 1000   // NSScreenSaverWindowLevel: above Apple's login window

	buttonPushIn = 7 // NSButtonTypeMomentaryPushIn, NSButtonCell.h
	bezelRounded = 1 // NSBezelStyleRounded

	keyControl = 1 << 18 // NSEventModifierFlag…, NSEvent.h
	keyOption  = 1 << 19
	keyCommand = 1 << 20

	policyCancel = 0 // WKNavigationActionPolicy…, WKNavigationDelegate.h
	policyAllow  = 1

	challengeUse      = 0 // NSURLSessionAuthChallenge…, NSURLSession.h
	challengeDefault  = 1
	challengeBreakOff = 2
	challengeReject   = 3

	urlErrorDomain    = "NSURLErrorDomain"
	urlErrorCancelled = -999  // NSURLErrorCancelled, NSURLError.h: another navigation took its place
	urlErrorNoFile    = -1100 // NSURLErrorFileDoesNotExist
)
