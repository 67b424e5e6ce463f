package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	relic "github.com/sassoftware/relic/v7/config"
	"github.com/sassoftware/relic/v7/token"
	_ "github.com/sassoftware/relic/v7/token/awstoken"
	_ "github.com/sassoftware/relic/v7/token/azuretoken"
	_ "github.com/sassoftware/relic/v7/token/gcloudtoken"

	"firstday.dev/signing"
)

// identity is an identity and the token its key lives in; nil for a file.
type identity struct {
	*signing.Identity
	token token.Token
}

func (id *identity) Close() {
	if id.token != nil {
		id.token.Close()
	}
}

// openTimeout is shorter than firstday waits, so that it hears of the reason.
const openTimeout = 50 * time.Second

// open makes the identity that a configuration describes.
func open(file string) (*identity, error) {
	c, err := readConfig(file)
	if err != nil {
		return nil, err
	}
	if c.File != nil {
		return c.openFile()
	}
	t, err := c.openToken()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	key, err := t.GetKey(ctx, keyName)
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("finding the key: %w", err)
	}
	certificates, err := c.certificates(key.Certificate())
	if err != nil {
		t.Close()
		return nil, err
	}
	id, err := signing.NewIdentity(certificates, contextKey{key}, time.Now())
	if err != nil {
		t.Close()
		return nil, err
	}
	return &identity{id, t}, nil
}

func (c *Config) openFile() (*identity, error) {
	password := ""
	if c.File.Password != nil {
		var err error
		if password, err = c.File.Password.read("file.password"); err != nil {
			return nil, err
		}
	}
	id, err := signing.LoadPEM(c.Certificates, c.File.Key, password)
	if err != nil {
		return nil, err
	}
	return &identity{Identity: id}, nil
}

// What we call token and key towards relic, which wants names.
const tokenName, keyName = "token", "key"

// openToken opens the token through relic, without a way to ask for a PIN:
// standard input is not a person's.
func (c *Config) openToken() (token.Token, error) {
	conf := new(relic.Config)
	t, key := conf.NewToken(tokenName), conf.NewKey(keyName)
	key.Token = tokenName
	switch {
	case c.PKCS11 != nil:
		pin, err := c.PKCS11.PIN.read("pkcs11.pin")
		if err != nil {
			return nil, err
		}
		t.Type, t.Provider, t.Label, t.Serial, t.Pin = "pkcs11", c.PKCS11.Module, c.PKCS11.Token, c.PKCS11.Serial, &pin
		key.Label, key.ID = c.PKCS11.Label, c.PKCS11.ID
	case c.AWS != nil:
		t.Type, key.ID = "aws", c.AWS.Key
	case c.Azure != nil:
		// relic takes a PIN for the file, and an empty one for the program az.
		t.Type, key.ID = "azure", c.Azure.Key
		if c.Azure.CLI || c.Azure.Credentials != "" {
			t.Pin = &c.Azure.Credentials
		}
	case c.GCloud != nil:
		t.Type, key.ID = "gcloud", c.GCloud.Key
		if c.GCloud.Credentials != "" {
			t.Pin = &c.GCloud.Credentials
		}
	}
	open := token.Openers[t.Type]
	if open == nil {
		return nil, fmt.Errorf("this firstday-signer was built without cgo, which %s needs", t.Type)
	}
	opened, err := open(conf, tokenName, nil)
	if err != nil {
		return nil, fmt.Errorf("opening the token: %w", err)
	}
	return opened, nil
}

// certificates reads the file and adds the one that came with the key, if any.
func (c *Config) certificates(own []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	if len(own) > 0 {
		certificate, err := x509.ParseCertificate(own)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate of the key: %w", err)
		}
		list = append(list, certificate)
	}
	if c.Certificates == "" {
		if len(list) == 0 {
			return nil, fmt.Errorf("the key comes without a certificate: name the file with certificates")
		}
		return list, nil
	}
	data, err := os.ReadFile(c.Certificates)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Certificates, err)
		}
		list = append(list, certificate)
	}
	return list, nil
}

// signTimeout is shorter than firstday waits, as openTimeout is.
const signTimeout = 110 * time.Second

// contextKey gives cloud services no more time than firstday does.
type contextKey struct{ token.Key }

func (k contextKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), signTimeout)
	defer cancel()
	return k.SignContext(ctx, digest, opts)
}
