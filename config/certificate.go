package config

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// maxCertificateFile bounds a file of certificates, in bytes.
const maxCertificateFile = 1 << 20

// maxCertificates bounds how many one file may hold.
const maxCertificates = 100

// RootCertificate is a file of CA certificates, PEM or DER.
type RootCertificate struct {
	File Path
	// Certificates are those in the file, read by Load.
	Certificates []*x509.Certificate
}

func (c *RootCertificate) decode(d *decoder, path string, n ast.Node) { d.value(path, n, &c.File) }

// open reads the file's certificates and checks that each can be trusted as a
// CA now.
func (c *RootCertificate) open(r *report, path string) {
	data, err := readFile(c.File, maxCertificateFile)
	if err != nil {
		r.unreadable(path, c.File, err)
		return
	}
	certs, err := parseCertificates(data)
	if err != nil {
		r.errorf(path, "give the CA's certificate, without its key", "%s: %v", c.File, err)
		return
	}
	for _, cert := range certs {
		if err := checkCA(cert, r.now); err != nil {
			r.errorf(path, "", "%s: certificate of %s %v", c.File, subject(cert), err)
			return
		}
	}
	c.Certificates = certs
}

// open computes the pin from the CA certificate, if one is named.
func (d *Directory) open(r *report) {
	if d.CA == "" {
		return
	}
	ca := RootCertificate{File: d.CA}
	ca.open(r, "directory.ca")
	if len(ca.Certificates) > 1 {
		r.errorf("directory.ca", "keep the one that issues the directory's certificate", "%s holds %d certificates; one is needed", d.CA, len(ca.Certificates))
		return
	}
	for _, cert := range ca.Certificates {
		sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		d.Pin = "sha256:" + hex.EncodeToString(sum[:])
	}
}

// parseCertificates reads PEM or DER. A private key in the file is an error:
// it would be a secret about to be given away.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		cert, err := x509.ParseCertificate(data)
		if err != nil {
			return nil, errors.New("neither a PEM nor a DER certificate")
		}
		return []*x509.Certificate{cert}, nil
	}
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			break
		}
		switch {
		case strings.Contains(block.Type, "PRIVATE KEY"):
			return nil, errors.New("holds a private key")
		case block.Type != "CERTIFICATE":
			return nil, fmt.Errorf("holds %q, not only certificates", strings.ToLower(block.Type))
		case len(certs) == maxCertificates:
			return nil, fmt.Errorf("holds more than %d certificates", maxCertificates)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("holds no complete certificate")
	}
	return certs, nil
}

func checkCA(cert *x509.Certificate, now time.Time) error {
	const day = "2006-01-02"
	switch {
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return errors.New("is not a CA's")
	case now.After(cert.NotAfter):
		return fmt.Errorf("expired on %s", cert.NotAfter.Format(day))
	case now.Before(cert.NotBefore):
		return fmt.Errorf("is valid from %s only", cert.NotBefore.Format(day))
	}
	return nil
}

func subject(cert *x509.Certificate) string {
	if cert.Subject.CommonName != "" {
		return fmt.Sprintf("%q", cert.Subject.CommonName)
	}
	return fmt.Sprintf("%q", cert.Subject.String())
}
