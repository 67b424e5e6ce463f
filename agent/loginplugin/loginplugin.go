// Package loginplugin is our window in the place of macOS' login window: an
// authorization plug-in in C and Objective-C, since it lives in processes of macOS'
// own, which it must never hold up or bring down. It decides nothing; it shows a page
// of its bundle, to which it passes what the agent's service says, and passes back
// what the person does. build.sh builds the bundle without Apple's SDK, `make native`
// calls it.
//
// There are two mechanisms, which agent/authdb puts into the right
// system.login.console:
//
//   - FirstdayLogin:login runs as _securityagent. Its one way to succeed is a name
//     and a password, for macOS to check: what was typed at the window by who has an
//     account, what the service gives for an account that was just made, or, once
//     for each start, what FileVault's screen took. Anything else ends in a hint and
//     no credentials: no agent for 15 seconds, an answer that does not come, a frame
//     that is none of the protocol's, a page that does not load.
//   - FirstdayLogin:guard,privileged runs as root directly after it. Given the hint,
//     or no credentials, it puts Apple's window back into the database, by the
//     agent's program or, without one, by macOS' own tool, and cancels.
//
// Neither writes a file, nor names any other right.
package loginplugin

// Bundle is what the plug-in is called, here and in /Library/Security/SecurityAgentPlugins.
const Bundle = "FirstdayLogin.bundle"
