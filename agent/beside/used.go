package beside

// What is used of macOS. A test compares it with the code, and [Check] with the Mac
// that it runs on: a wrong declaration is else found by nobody before a crash.

// functions are those of C, with where they are declared.
var functions = []string{
	"CGSessionCopyCurrentDictionary", // CoreGraphics/CGSession.h
	"CFRelease",                      // CoreFoundation/CFBase.h
	"getaudit_addr",                  // bsm/audit.h
	"objc_msgSendSuper",              // objc/message.h

	"SecCertificateCreateWithData", // Security/SecCertificate.h
	"SecPolicyCreateSSL",           // Security/SecPolicy.h
	"SecTrustSetPolicies",          // Security/SecTrust.h
	"SecTrustSetAnchorCertificates",
	"SecTrustSetAnchorCertificatesOnly",
	"SecTrustSetNetworkFetchAllowed",
	"SecTrustEvaluateWithError",
}

// variables are those of C that hold an NSString.
var variables = []string{
	"NSURLAuthenticationMethodServerTrust", // Foundation/NSURLProtectionSpace.h
}

// usedClass is a class, and the messages that it takes or its objects do.
type usedClass struct {
	name     string
	messages []string
	objects  []string
}

// usedClasses are in Apple's headers of the same name.
var usedClasses = []usedClass{
	{"NSObject", []string{"alloc", "new"}, []string{"release", "retain", "autorelease", "isKindOfClass:", "performSelectorOnMainThread:withObject:waitUntilDone:"}},
	{"NSAutoreleasePool", nil, []string{"drain"}},
	{"NSThread", []string{"isMainThread"}, nil},
	{"NSString", []string{"string"}, []string{"isEqualToString:", "initWithBytes:length:encoding:", "UTF8String", "lengthOfBytesUsingEncoding:"}},
	{"NSData", []string{"dataWithBytes:length:"}, nil},
	{"NSArray", []string{"arrayWithObjects:count:"}, []string{"firstObject"}},
	{"NSError", []string{"errorWithDomain:code:userInfo:"}, []string{"code"}},
	{"NSURL", []string{"URLWithString:"}, []string{"absoluteString"}},
	{"NSURLRequest", []string{"requestWithURL:"}, []string{"URL"}},
	{"NSURLResponse", nil, []string{"initWithURL:MIMEType:expectedContentLength:textEncodingName:"}},
	{"NSURLAuthenticationChallenge", nil, []string{"protectionSpace"}},
	{"NSURLProtectionSpace", nil, []string{"authenticationMethod", "isProxy", "host", "port", "serverTrust"}},
	{"NSURLCredential", []string{"credentialForTrust:"}, nil},
	{"NSApplication", []string{"sharedApplication"}, []string{"setActivationPolicy:", "setDelegate:", "run", "stop:", "postEvent:atStart:", "activateIgnoringOtherApps:", "deactivate"}},
	{"NSEvent", []string{"otherEventWithType:location:modifierFlags:timestamp:windowNumber:context:subtype:data1:data2:"}, []string{"modifierFlags", "charactersIgnoringModifiers", "keyCode"}},
	{"NSMenu", nil, []string{"removeAllItems"}},
	{"NSScreen", []string{"screens"}, []string{"frame"}},
	{"NSView", nil, []string{"initWithFrame:", "setFrame:", "addSubview:", "removeFromSuperview", "fittingSize", "isFlipped"}},
	{"NSControl", nil, []string{"sizeThatFits:", "setTarget:", "setAction:"}},
	{"NSButton", nil, []string{"setTitle:", "setButtonType:", "setBezelStyle:"}},
	{"NSTextField", []string{"wrappingLabelWithString:"}, nil},
	{"NSWindow", nil, []string{
		"initWithContentRect:styleMask:backing:defer:", "setReleasedWhenClosed:", "setCanBecomeVisibleWithoutLogin:", "setLevel:", "setTitle:", "setDelegate:", "setFrameOrigin:",
		"setContentView:", "contentView", "makeFirstResponder:", "makeKeyAndOrderFront:", "orderFrontRegardless", "orderOut:", "close", "setHidesOnDeactivate:", "setHasShadow:",
		"performKeyEquivalent:",
	}},
	{"NSPanel", nil, []string{"setBecomesKeyOnlyIfNeeded:"}},
	{"WKWebsiteDataStore", []string{"nonPersistentDataStore"}, nil},
	{"WKUserContentController", nil, []string{"addScriptMessageHandler:name:", "removeScriptMessageHandlerForName:"}},
	{"WKWebViewConfiguration", nil, []string{"setWebsiteDataStore:", "userContentController", "setURLSchemeHandler:forURLScheme:"}},
	{"WKWebView", nil, []string{"initWithFrame:configuration:", "setNavigationDelegate:", "setAllowsLinkPreview:", "loadRequest:", "stopLoading", "evaluateJavaScript:completionHandler:"}},
	{"WKScriptMessage", nil, []string{"body", "frameInfo"}},
	{"WKFrameInfo", nil, []string{"isMainFrame"}},
	{"WKNavigationAction", nil, []string{"request", "targetFrame"}},
}

// usedProtocols are messages that objects of no public class take: those of
// WKURLSchemeTask. No check finds them.
var usedProtocols = []string{"request", "didReceiveResponse:", "didReceiveData:", "didFinish", "didFailWithError:"}
