// Package authdb changes what macOS's authorization database holds of the right
// to log in at the console, system.login.console: the list of mechanisms that
// authd runs from top to bottom when somebody is at the login window. Ours takes
// the place of Apple's there, and Apple's takes it back.
//
// A mistake here locks people out. So a [Definition] is read strictly and
// changed only where it must be, byte for byte; a list that nobody foresaw is
// refused, but never when it comes to putting Apple's back; and [Database] reads
// back what it wrote. It works without network and without the agent's service:
// the guard and an administrator use it when nothing else runs. No other right
// can be named, least of all the screen saver's.
//
// # What is known, and from where
//
//   - The tool. "security authorizationdb read" writes the definition to stdout as
//     an XML property list and "YES (0)" or "NO (status)" to stderr; "write" reads
//     a property list from stdin; both exit with 255 if authd refuses (Apple's
//     source, SecurityTool/authz.c and Security/OSX/authd/server.c in
//     github.com/apple-open-source/macos). Root may write without being asked.
//   - What authd keeps. It takes a definition apart and knows a fixed set of keys;
//     a mechanism is split at ":" and "," into plug-in, name and "privileged", one
//     without ":" is dropped, and reading puts it together again. "modified" is set
//     at each write, "created", "identifier" and "requirement" are its own, and
//     "shared", "tries" and "version" are filled in (authd/rule.c, mechanism.c).
//   - A missing bundle. authd logs "mechanism not found on disk" and stores the
//     list all the same (rule.c): nobody but us sees to it that the bundle is there.
//   - Updates of macOS. authd replaces a definition whose version is lower than
//     that of its own copy (authd/authdb.c), which puts Apple's login window back;
//     hence "version" is kept as it was. Fleet issue 22297, Crypt issue 18 and
//     XCreds issue 60 report lists that were reset, whole or by half.
//   - Apple's own copy is /System/Library/Security/authorization.plist, the right
//     below "rights".
//   - Others. What replaces Apple's window is in the sources of XCreds, of NoMAD
//     Login and its authchanger, in Jamf Connect's administrator guides and
//     JumpCloud's removal script; Crypt and Escrow Buddy add mechanisms and leave
//     the window alone (testdata/README.md).
//
// None of it has run on a Mac of ours yet.
//
// # The order of things
//
// The database must never name a bundle that cannot be loaded:
//
//	installing    the bundle, then Enable
//	upgrading     Replace: Disable, the new bundle, Enable if it was so
//	removing      Remove: Disable, then the bundle; never if Disable failed
//	each start    Settle: Disable if the bundle is bad, Repair what is half
//
// [Database.Enable] wants a [Plugin] that vouches for the bundle;
// [Database.Disable] wants nothing.
package authdb

import "strings"

// right is the only one that this package reads or writes.
const right = "system.login.console"

// The mechanisms that matter, as authd writes them.
const (
	// AppleUI shows macOS's own login window.
	AppleUI = "loginwindow:login"
	// UI shows ours.
	UI = plugin + ":login"
	// Guard stands directly after it, runs as root, and puts AppleUI back when
	// anything is wrong.
	Guard = plugin + ":guard,privileged"

	plugin = "FirstdayLogin"

	loginBegin   = "builtin:login-begin" // directly after AppleUI in every version
	authenticate = "builtin:authenticate,privileged"
)

// steps are what every version of macOS has once, in this order, after the login
// window.
var steps = []string{authenticate, "loginwindow:success", "loginwindow:done"}

// windows are the mechanisms of others that are known to replace AppleUI.
var windows = []string{
	"XCredsLoginPlugin:LoginWindow",
	"JamfConnectLogin:LoginUI",    // from 2.0
	"JamfConnectLogin:CheckAzure", // before
	"JamfConnectLogin:CheckOIDC",
	"JamfConnectLogin:CheckOkta",
	"NoMADLoginAD:CheckAD",
	"NoMADLoginOkta:CheckOkta",
	"jumpcloud-loginwindow:invoke",
}

// applePlugins have been in Apple's lists.
var applePlugins = []string{
	"builtin", "loginwindow", "PKINITMechanism", "HomeDirMechanism", "MCXMechanism", "CryptoTokenKit", "PSSOAuthPlugin",
}

func pluginOf(mechanism string) string {
	name, _, _ := strings.Cut(mechanism, ":")
	return name
}

func isPrivileged(mechanism string) bool { return strings.HasSuffix(mechanism, ",privileged") }

// isOurs is for names, too, that macOS's file systems take for the same bundle,
// and for mechanisms of other versions.
func isOurs(mechanism string) bool { return strings.EqualFold(pluginOf(mechanism), plugin) }

// isNormal tells whether a mechanism is as authd puts it together.
func isNormal(mechanism string) bool {
	name, param, ok := strings.Cut(strings.TrimSuffix(mechanism, ",privileged"), ":")
	return ok && name != "" && param != "" && !strings.ContainsAny(name+param, ":,")
}
