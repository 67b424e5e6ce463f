package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"firstday.dev/config"
)

// Config is what stands in the file named on the command line. Exactly one of
// the sections that hold a key is given. Relative paths begin at the file's
// folder.
//
//	certificates: chain.pem
//	pkcs11:
//	  module: /usr/lib/softhsm/libsofthsm2.so
//	  token: Acme signing
//	  label: codesign
//	  pin: {env: ACME_HSM_PIN}
type Config struct {
	// PEM file with the certificate of the key and those of its issuers.
	Certificates string `yaml:"certificates"`

	PKCS11 *PKCS11 `yaml:"pkcs11"`
	AWS    *AWS    `yaml:"aws"`
	Azure  *Azure  `yaml:"azure"`
	GCloud *GCloud `yaml:"gcloud"`
	File   *File   `yaml:"file"`
}

// PKCS11 is a key in a token.
type PKCS11 struct {
	// Path of the library that came with the token.
	Module string `yaml:"module"`
	// Label or serial number of the token, where there is more than one.
	Token  string `yaml:"token"`
	Serial string `yaml:"serial"`
	// Label or identifier (in hexadecimal) of the key, where there is more than one.
	Label string `yaml:"label"`
	ID    string `yaml:"id"`
	// Where the user's PIN is.
	PIN Secret `yaml:"pin"`
}

// AWS is a key in AWS KMS. Credentials and region are found as by every AWS
// tool: AWS_PROFILE, AWS_REGION and so on.
type AWS struct {
	// Key identifier or ARN.
	Key string `yaml:"key"`
}

// Azure is a key in Azure Key Vault.
type Azure struct {
	// URL of a certificate or of a version of a key:
	// https://acme.vault.azure.net/certificates/codesign.
	Key string `yaml:"key"`
	// File with credentials, as `az ad sp create-for-rbac --sdk-auth` wrote it.
	// Without it AZURE_TENANT_ID, AZURE_CLIENT_ID and so on, or the machine's
	// managed identity, are used.
	Credentials string `yaml:"credentials"`
	// Use the login of the program az instead.
	CLI bool `yaml:"cli"`
}

// GCloud is a key in Google Cloud KMS.
type GCloud struct {
	// Resource name of a version of a key: projects/…/cryptoKeyVersions/1.
	Key string `yaml:"key"`
	// File with credentials of a service account. Without it the application
	// default credentials are used.
	Credentials string `yaml:"credentials"`
}

// File is a key in a PEM file, for trying out.
type File struct {
	Key string `yaml:"key"`
	// Where the key's password is.
	Password *Secret `yaml:"password"`
}

// Secret is where a secret is: a file that holds nothing else, or an
// environment variable. It never stands in the configuration or in arguments,
// which others can read.
type Secret struct {
	File string `yaml:"file"`
	Env  string `yaml:"env"`
}

// maxConfig bounds the configuration in bytes.
const maxConfig = 64 << 10

// readConfig reads and checks a configuration.
func readConfig(name string) (*Config, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxConfig {
		return nil, fmt.Errorf("%s: longer than %d bytes", name, maxConfig)
	}
	c := new(Config)
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(c); err != nil && !errors.Is(err, io.EOF) { // io.EOF: empty
		return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, false))
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c.resolve(filepath.Dir(name))
	return c, nil
}

func (c *Config) check() error {
	given := 0
	for _, section := range []bool{c.PKCS11 != nil, c.AWS != nil, c.Azure != nil, c.GCloud != nil, c.File != nil} {
		if section {
			given++
		}
	}
	switch {
	case given != 1:
		return errors.New("give exactly one of pkcs11, aws, azure, gcloud and file")
	case c.Certificates == "" && c.Azure == nil:
		return errors.New("certificates is missing: the PEM file with the key's certificate and its issuers")
	case c.PKCS11 != nil && c.PKCS11.Module == "":
		return errors.New("pkcs11.module is missing: the path of the token's library")
	case c.AWS != nil && c.AWS.Key == "":
		return errors.New("aws.key is missing: the key's identifier or ARN")
	case c.Azure != nil && c.Azure.Key == "":
		return errors.New("azure.key is missing: the URL of a certificate or of a key's version")
	case c.Azure != nil && c.Azure.CLI && c.Azure.Credentials != "":
		return errors.New("azure has both credentials and cli; keep one")
	case c.GCloud != nil && c.GCloud.Key == "":
		return errors.New("gcloud.key is missing: the resource name of a key's version")
	case c.File != nil && c.File.Key == "":
		return errors.New("file.key is missing: the PEM file with the private key")
	}
	return nil
}

// resolve makes paths begin at dir.
func (c *Config) resolve(dir string) {
	paths := []*string{&c.Certificates}
	if c.PKCS11 != nil {
		// A module without a folder is for the system to find.
		if filepath.Base(c.PKCS11.Module) != c.PKCS11.Module {
			paths = append(paths, &c.PKCS11.Module)
		}
		paths = append(paths, &c.PKCS11.PIN.File)
	}
	if c.Azure != nil {
		paths = append(paths, &c.Azure.Credentials)
	}
	if c.GCloud != nil {
		paths = append(paths, &c.GCloud.Credentials)
	}
	if c.File != nil {
		paths = append(paths, &c.File.Key)
		if c.File.Password != nil {
			paths = append(paths, &c.File.Password.File)
		}
	}
	for _, path := range paths {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
}

// read gets the secret; what it is called is for errors.
func (s Secret) read(what string) (string, error) {
	if (s.File == "") == (s.Env == "") {
		return "", fmt.Errorf("%s: give either file or env", what)
	}
	secret, err := config.SecretSource{File: config.Path(s.File), Env: s.Env}.Resolve(nil)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return secret.Reveal(), nil
}
