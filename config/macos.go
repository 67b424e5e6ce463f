package config

import (
	"fmt"
	"os"
	"strings"
)

// MacOS is what Macs get.
type MacOS struct {
	// Identifier of the installer package, by which receipts and device management know it. Default: made from the organisation's id.
	Identifier string `yaml:"identifier"`
	// Oldest macOS the package installs on, in quotes. Default "13.0".
	MinimumVersion string `yaml:"minimumVersion"`
	// Sign-in by employees, until the directory says otherwise.
	SignIn SignIn `yaml:"signIn"`
	// Where device management will download the package (https). Given it, the kit has a manifest.plist for it.
	DownloadURL string `yaml:"downloadUrl"`
	// Who signs. Left out: programs are signed ad hoc and the package is unsigned.
	Signing MacSigning `yaml:"signing"`
	// Who may submit the package to Apple's notary service.
	Notary *Notary `yaml:"notary"`
}

// MacSigning is who signs for Macs: Apple has a certificate for programs and
// another one for packages.
type MacSigning struct {
	// Who signs the programs in the package: a Developer ID Application.
	Application *Signing `yaml:"application"`
	// Who signs the package: a Developer ID Installer.
	Installer *Signing `yaml:"installer"`
}

// Notary is a team key of App Store Connect, which Apple's notary service takes.
type Notary struct {
	// Issuer id of the team's keys.
	Issuer string `yaml:"issuer,required"`
	// Id of the key.
	KeyID string `yaml:"keyId,required"`
	// File of the private key, AuthKey_….p8.
	Key Path `yaml:"key,required"`
}

// minMacOS is the oldest macOS our agent runs on: that of its Go (formats/macos-pkg.md §3.7).
const minMacOS = "12.0"

func (m *MacOS) check(r *report, organisation string) {
	if m.Identifier == "" && !r.has("macos.identifier") {
		m.Identifier = "dev.firstday.kit." + organisation
	} else if !isReverseDomain(m.Identifier) {
		r.errorf("macos.identifier", "for example: com.example.firstday", "identifier is %q; it must be a domain the other way round: letters, digits, hyphens and dots", m.Identifier)
	}
	switch {
	case !isVersion(m.MinimumVersion):
		r.errorf("macos.minimumVersion", `for example: "13.0"`, "minimumVersion is %q; it must be two or three numbers with dots between", m.MinimumVersion)
	case olderThan(m.MinimumVersion, minMacOS):
		r.errorf("macos.minimumVersion", "", "minimumVersion is %s; the agent needs macOS %s", m.MinimumVersion, minMacOS)
	}
	m.SignIn.check(r, "macos.signIn")
	if r.has("macos.downloadUrl") && (!isWebAddress(m.DownloadURL) || !strings.HasPrefix(m.DownloadURL, "https://")) {
		r.errorf("macos.downloadUrl", "for example: https://mdm.acme.example/Acme.pkg", "downloadUrl must be an https address")
	}
	m.Signing.check(r)
	if m.Notary != nil {
		m.Notary.check(r, m.Signing)
	}
}

func (s *MacSigning) check(r *report) {
	if s.Application != nil {
		s.Application.check(r, "macos.signing.application", "the programs' signing key")
	}
	if s.Installer != nil {
		s.Installer.check(r, "macos.signing.installer", "the package's signing key")
		if s.Installer.Throwaway {
			r.warnf("macos.signing.installer", "leave installer out to build an unsigned package",
				"Macs refuse a package by an identity they do not trust sooner than an unsigned one: installer needs -allowUntrusted")
		}
	}
	if s.Installer != nil && s.Application == nil && !r.brokenBelow("macos.signing") {
		r.warnf("macos.signing", "add application, a Developer ID Application", "the package is signed and the programs in it are not: Apple does not notarise it")
	}
}

func (n *Notary) check(r *report, s MacSigning) {
	for key, value := range map[string]string{"issuer": n.Issuer, "keyId": n.KeyID} {
		path := "macos.notary." + key
		if r.has(path) && (value == "" || len(value) > 100 || strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") != "") {
			r.errorf(path, "as App Store Connect shows it under Users and Access", "%s is not one of App Store Connect", key)
		}
	}
	switch {
	case s.Application == nil || s.Installer == nil:
		r.errorf("macos.notary", "add macos.signing with application and installer", "the notary service takes signed packages only")
	case len(s.Application.Timestamp) == 0:
		r.errorf("macos.signing.application", `add timestamp: ["http://timestamp.apple.com/ts01"]`, "the notary service takes programs with a timestamp only")
	}
}

func (m *MacOS) open(r *report) {
	for path, s := range m.Signing.all() {
		s.open(r, path)
	}
	if m.Notary == nil {
		return
	}
	info, err := os.Stat(string(m.Notary.Key))
	switch {
	case err != nil:
		r.unreadable("macos.notary.key", m.Notary.Key, err)
	case !info.Mode().IsRegular():
		r.errorf("macos.notary.key", "", "%s %s", m.Notary.Key, notRegular(info))
	case openToOthers(info):
		r.warnf("macos.notary.key", "chmod 600 "+string(m.Notary.Key), "everybody on this machine can read the key %s", m.Notary.Key)
	}
}

// all gives the identities that are named, by their places.
func (s *MacSigning) all() map[string]*Signing {
	all := make(map[string]*Signing)
	if s.Application != nil {
		all["macos.signing.application"] = s.Application
	}
	if s.Installer != nil {
		all["macos.signing.installer"] = s.Installer
	}
	return all
}

func isReverseDomain(s string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"
	parts := strings.Split(s, ".")
	for _, p := range parts {
		if p == "" || strings.Trim(p, letters) != "" {
			return false
		}
	}
	return len(parts) > 1 && len(s) <= 150
}

// olderThan compares versions of numbers.
func olderThan(a, b string) bool {
	var x, y [4]int
	for i, p := range strings.Split(a, ".") {
		_, _ = fmt.Sscan(p, &x[i]) // isVersion has seen it
	}
	for i, p := range strings.Split(b, ".") {
		_, _ = fmt.Sscan(p, &y[i])
	}
	for i := range x {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return false
}
