package agent

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/statefile"
)

// record is what the directory made of this device. The device lives by it
// while nobody answers.
type record struct {
	Schema       int           `json:"schema"`
	Directory    api.Directory `json:"directory"`
	DeviceID     uuid.UUID     `json:"deviceId"`
	Certificates [][]byte      `json:"certificates"` // the device's, then those above it, DER
	// Heard is the directory's last answer.
	Heard api.CheckInResponse `json:"heard"`
	// Rescue is the break-glass account, as soon as its password is in escrow.
	Rescue rescue `json:"rescue,omitzero"`
}

// rescue is an account and its ID, which no other ever has.
type rescue struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// readRecord gives nil if the device is not enrolled, or with another directory
// than that of its package.
func readRecord(path string, d api.Directory) (*record, error) {
	r := new(record)
	err := statefile.Read(path, r)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case r.Schema != stateSchema:
		return nil, fmt.Errorf("%s has schema %d; this build reads %d", path, r.Schema, stateSchema)
	case !sameDirectory(r.Directory, d):
		return nil, nil
	}
	return r, nil
}

// sameDirectory knows a directory by its CA; its address may change.
func sameDirectory(a, b api.Directory) bool {
	if a.Pin != "" || b.Pin != "" {
		return a.Pin == b.Pin
	}
	return a.URL == b.URL
}

// leaf is the device's own certificate.
func (r *record) leaf() (*x509.Certificate, error) {
	if len(r.Certificates) == 0 {
		return nil, errors.New("the device has no certificate")
	}
	return x509.ParseCertificate(r.Certificates[0])
}

// certificate is what the device shows the directory.
func (r *record) certificate(key crypto.Signer) *tls.Certificate {
	return &tls.Certificate{Certificate: r.Certificates, PrivateKey: key}
}

// certificateRequest proves that the device has its key.
func certificateRequest(key crypto.Signer) ([]byte, error) {
	return x509.CreateCertificateRequest(rand.Reader, new(x509.CertificateRequest), key)
}

// withoutKey is an enrollment as it is left on an enrolled device. Of one that
// has no connect key any more it is the same.
func withoutKey(raw []byte) ([]byte, error) {
	e, err := api.ReadEnrollment(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	e.ConnectKey = ""
	return json.Marshal(e)
}

// configurationOf tells enrollments apart, whether or not the connect key was
// erased.
func configurationOf(raw []byte) string {
	plain, err := withoutKey(raw)
	if err != nil {
		plain = raw
	}
	return digest(plain)
}

// eraseKey takes the connect key off this device: who holds the device must not
// enrol others by it.
func (a *Agent) eraseKey(raw []byte) error {
	plain, err := withoutKey(raw)
	if err != nil || bytes.Equal(plain, raw) {
		return err
	}
	return statefile.WriteBytes(a.System.Layout().Enrollment(), plain)
}
