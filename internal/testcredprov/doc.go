// Package testcredprov is a sign-in screen for tests: on Windows, as Wine makes it,
// it loads a registered credential provider through COM and asks it what LogonUI
// would; elsewhere it builds and registers one for Wine.
package testcredprov
