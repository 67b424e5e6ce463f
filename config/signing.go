package config

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// Signing is who signs the package: exactly one of a certificate with its key,
// a PKCS #12 file, an external signer and a throw-away identity.
type Signing struct {
	// Certificate chain, the signer's own first (PEM file); with key.
	Certificate Path `yaml:"certificate"`
	// Private key of the certificate (PEM file).
	Key Path `yaml:"key"`
	// Certificate, chain and key in one file (.p12 or .pfx).
	PKCS12 Path `yaml:"pkcs12"`
	// A program and its arguments that holds the key, such as firstday-signer for PKCS #11 and cloud KMS.
	Signer []string `yaml:"signer"`
	// Where the password of the key or PKCS #12 file is.
	Password *SecretSource `yaml:"password"`
	// Addresses of RFC 3161 timestamp authorities, tried in this order. With a timestamp a signature outlives its certificate.
	Timestamp []string `yaml:"timestamp"`
	// CA certificates the timestamps must lead to (PEM or DER files). Default: those this system trusts.
	TimestampRoots []RootCertificate `yaml:"timestampRoots"`
	// Sign with an identity made for this one build, which nobody trusts. For trying out only.
	Throwaway bool `yaml:"throwaway"`

	// Folder is where the file is. A signer program runs there, so that the
	// files its arguments name are found as all others are.
	Folder string `yaml:"-"`
	// Hidden are the environment variables that hold other secrets, which are
	// none of a signer program's business.
	Hidden []string `yaml:"-"`
}

func (s *Signing) check(r *report, at, key string) {
	identities := 0
	for _, given := range []bool{s.Certificate != "" || s.Key != "", s.PKCS12 != "", len(s.Signer) > 0, s.Throwaway} {
		if given {
			identities++
		}
	}
	const choice = "give certificate and key, or pkcs12, or signer; to try things out: throwaway: true"
	switch {
	case r.brokenBelow(at):
		// Counting what could not be read would only confuse.
	case identities == 0:
		r.errorf(at, choice+"; to build unsigned, remove signing", "signing does not say who signs")
	case identities > 1:
		r.errorf(at, choice, "signing names more than one identity")
	case s.Certificate != "" && s.Key == "":
		r.errorf(at+".certificate", "add key, the file with the private key", "certificate has no key")
	case s.Key != "" && s.Certificate == "":
		r.errorf(at+".key", "add certificate, the file with the certificate chain", "key has no certificate")
	}
	if s.Password != nil {
		s.Password.label = "password of " + key
		s.Password.check(r, at+".password")
		if s.Key == "" && s.PKCS12 == "" {
			r.errorf(at+".password", "remove it", "password is given, and there is no key or PKCS #12 file to open")
		}
	}
	if r.has(at+".signer") && len(s.Signer) == 0 {
		r.errorf(at+".signer", "a list of the program and its arguments", "signer is empty")
	}
	for i, arg := range s.Signer {
		path := fmt.Sprintf("%s.signer[%d]", at, i)
		if arg == "" && i == 0 || strings.ContainsFunc(arg, unicode.IsControl) {
			r.errorf(path, "", "signer[%d] is not a word of a command line", i)
		}
	}
	for i, address := range s.Timestamp {
		path := fmt.Sprintf("%s.timestamp[%d]", at, i)
		if u, err := url.Parse(address); err == nil && u.User != nil {
			r.secretf(path, "it would show in error messages", "timestamp carries a user name or password")
		} else if !isWebAddress(address) {
			r.errorf(path, "for example: http://timestamp.digicert.com", "timestamp must be an http or https address")
		}
	}
	if len(s.TimestampRoots) > 0 && len(s.Timestamp) == 0 {
		r.errorf(at+".timestampRoots", "add timestamp, or remove them", "timestampRoots is given without a timestamp authority")
	}
}

// open checks that the files are there; reading keys is for the signing
// itself, which knows the password.
func (s *Signing) open(r *report, at string) {
	for _, file := range []struct {
		key  string
		name Path
	}{{"certificate", s.Certificate}, {"key", s.Key}, {"pkcs12", s.PKCS12}} {
		if file.name == "" {
			continue
		}
		path := at + "." + file.key
		info, err := os.Stat(string(file.name))
		switch {
		case err != nil:
			r.unreadable(path, file.name, err)
		case !info.Mode().IsRegular():
			r.errorf(path, "", "%s %s", file.name, notRegular(info))
		case file.key == "key" && openToOthers(info):
			r.warnf(path, "chmod 600 "+string(file.name), "everybody on this machine can read the private key %s", file.name)
		}
	}
	if s.Password != nil {
		s.Password.open(r, at+".password")
	}
	for i := range s.TimestampRoots {
		s.TimestampRoots[i].open(r, fmt.Sprintf("%s.timestampRoots[%d]", at, i))
	}
}

// settle tells what a signer program needs to know of the file around it. One
// given by a path, rather than by a name to be looked up, is made absolute: a
// relative path could turn into a bare name, and that into another program.
func (s *Signing) settle(c *Config, dir string) error {
	var err error
	if s.Folder, err = filepath.Abs(dir); err != nil {
		return err
	}
	if len(s.Signer) > 0 && strings.ContainsAny(s.Signer[0], `/\`) {
		s.Signer[0] = string(resolve(s.Folder, s.Signer[0]))
	}
	s.Hidden = c.variables()
	return nil
}

// resolve gives a path as the file means it: relative to the file's folder.
func resolve(dir, name string) Path {
	name = filepath.FromSlash(name)
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	return Path(name)
}
