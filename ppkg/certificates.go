package ppkg

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// RootCertificate makes the device trust a CA. The name is for people, and
// unique in the package.
func RootCertificate(name string, cert *x509.Certificate) Setting {
	if name == "" || cert == nil {
		return invalid("root certificate needs a name and a certificate")
	}
	e := newElement("RootCertificate", "CertificateName", name, "Name", name).add(
		fileElement("CertificatePath", NewFile(fileName(name)+".cer", cert.Raw)))
	return branch("Certificates/RootCertificates", e)
}

// KeyLocation is where the private key of a client certificate is kept.
type KeyLocation int

// The places of keys, as in the ClientCertificateInstall CSP.
const (
	TPM           KeyLocation = 1
	TPMOrSoftware KeyLocation = 2
	Software      KeyLocation = 3
)

// keyLocations begin with the labels we write. The Designer's reference says
// "Software only"; icd.exe was seen to take the other.
var keyLocations = []labelled{
	{"TPM only", "1"}, {"TPM with software fallback", "2"}, {"SoftwareOnly", "3"}, {"Software only", "3"},
}

// ClientCertificate gives the device a certificate with its private key, as a
// PKCS#12 file. The password ends up in the package in the clear.
func ClientCertificate(name string, pfx []byte, password string, exportable bool, where KeyLocation) Setting {
	if name == "" || where < TPM || where > Software {
		return invalid("client certificate needs a name and one of the places for keys")
	}
	e := newElement("ClientCertificate", "CertificateName", name, "Name", name).add(
		textElement("CertificatePassword", password),
		fileElement("CertificatePath", NewFile(fileName(name)+".pfx", pfx)),
		textElement("ExportCertificate", label(exportable)),
		textElement("KeyLocation", keyLocations[where-1].label))
	return branch("Certificates/ClientCertificates", e)
}

// certificateFile reads the file that a certificate's CertificatePath names.
func (c *compiler) certificateFile(p *place) ([]byte, error) {
	e := p.child("CertificatePath")
	if e == nil || e.file == nil {
		return nil, p.errorf("the certificate has no CertificatePath")
	}
	b, err := e.file.read()
	if err != nil {
		return nil, p.errorf("%w", err)
	}
	return b, nil
}

func (c *compiler) rootCertificate(p *place) error {
	for _, e := range p.children {
		if e.name != "CertificatePath" {
			return p.at(e).unknown()
		}
	}
	b, err := c.certificateFile(p)
	if err != nil {
		return err
	}
	cert, err := parseCertificate(b)
	if err != nil {
		return p.errorf("%w", err)
	}
	c.entry(p.path, p.entry, Parm{
		Path: p.path + "/CertificatePath",
		Node: []string{"RootCATrustedCertificates", "Root", fmt.Sprintf("%X", sha1.Sum(cert.Raw))},
		Name: "EncodedCertificate", Type: String, Value: base64.StdEncoding.EncodeToString(cert.Raw),
	})
	return nil
}

func (c *compiler) clientCertificate(p *place) error {
	id := key(p.element)
	if id == "" || strings.Contains(id, "/") {
		return p.errorf("%.60q is not a name for a certificate", id)
	}
	pfx, err := c.certificateFile(p)
	if err != nil {
		return err
	}
	password, exportable, where := "", "false", "3"
	for _, e := range p.children {
		at := p.at(e)
		switch e.name {
		case "CertificatePath":
		case "CertificatePassword":
			password = e.text
		case "ExportCertificate":
			exportable, err = row{Type: Boolean, labels: trueFalse}.value(e.text)
		case "KeyLocation":
			where, err = row{Type: Integer, labels: keyLocations}.value(e.text)
		default:
			return at.unknown()
		}
		if err != nil {
			return at.errorf("%w", err)
		}
	}
	node := []string{"ClientCertificateInstall", "PFXCertInstall", id}
	c.entry(p.path, p.entry,
		Parm{p.path + "/CertificatePassword", node, "PFXCertPassword", String, password},
		Parm{p.path + "/CertificatePath", node, "PFXCertBlob", String, base64.StdEncoding.EncodeToString(pfx)},
		Parm{p.path + "/ExportCertificate", node, "PFXKeyExportable", Boolean, exportable},
		Parm{p.path + "/KeyLocation", node, "KeyLocation", Integer, where})
	return nil
}

// parseCertificate reads one certificate in DER or PEM.
func parseCertificate(b []byte) (*x509.Certificate, error) {
	if bytes.Contains(b, []byte("-----BEGIN ")) {
		block, rest := pem.Decode(b)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("file holds no PEM certificate")
		}
		if next, _ := pem.Decode(rest); next != nil {
			return nil, errors.New("file holds more than one certificate")
		}
		b = block.Bytes
	}
	cert, err := x509.ParseCertificate(b)
	if err != nil {
		return nil, errors.New("file is not a certificate")
	}
	return cert, nil
}
