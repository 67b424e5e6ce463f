// Package page is the login window of a Mac as a page, and what a host of it does.
//
// The page is plain HTML, style and scripts in signinpage, without anything from
// elsewhere; they are shown by the plug-in in C of agent/loginplugin, which has them
// in its bundle, by a web view of the agent before the login, and by the browser of
// tests. The page decides nothing: it draws what it is told, and says what the
// person did. Its texts are the service's English sentences, which it shows in the
// person's language; words says how to add one.
//
// The page is index.html, or index.html#beside for who shows it over Apple's login
// window: then it has the sign-in alone, since people log in there.
//
// A [Host] stands between the page and the agent's service, as native/core.c of the
// plug-in does, and tells the page the same.
package page
