package api

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"
)

// The calls of a device (design: "Agent API").
const (
	PathEnroll  = "/v1/enroll"
	PathCheckIn = "/v1/device/checkin"
	// PathHealth answers whoever asks that the directory runs.
	PathHealth = "/healthz"
	// PathAdmin is where the calls of who administers begin.
	PathAdmin = "/v1/admin"
)

// Bounds of messages, in bytes: of a device's, and of all others.
const (
	MaxDeviceMessage = 256 << 10
	MaxMessage       = 8 << 20
)

// MaxWait bounds how long a check-in may wait for news.
const MaxWait = 10 * time.Minute

// KeyStorage is where a device keeps its private key.
type KeyStorage string

// The places for keys.
const (
	KeyInTPM  KeyStorage = "tpm"
	KeyInFile KeyStorage = "file"
)

// TPM names a Trusted Platform Module, as it names itself.
type TPM struct {
	// Manufacturer is of the TCG's registry, such as INTC or IFX.
	Manufacturer string `json:"manufacturer"`
	// Firmware is its version, four numbers of 16 bits with dots between.
	Firmware string `json:"firmware"`
}

var (
	tpmManufacturer = regexp.MustCompile(`^[!-~]{1,16}$`)
	tpmFirmware     = regexp.MustCompile(`^[0-9]{1,5}(\.[0-9]{1,5}){3}$`)
)

// Check refuses what no TPM says.
func (t *TPM) Check() error {
	if !tpmManufacturer.MatchString(t.Manufacturer) || !tpmFirmware.MatchString(t.Firmware) {
		return fmt.Errorf("tpm: %.20q %.30q names no TPM", t.Manufacturer, t.Firmware)
	}
	return nil
}

// Facts is what a device says about itself. Nothing of it proves anything.
type Facts struct {
	Platform     Platform `json:"platform"`
	Serial       string   `json:"serial"` // empty: the firmware does not say
	Manufacturer string   `json:"manufacturer,omitempty"`
	Model        string   `json:"model,omitempty"`
	Name         string   `json:"name"` // of the computer
	OS           string   `json:"os"`   // such as Windows 11 Pro
	OSVersion    string   `json:"osVersion"`
	Arch         string   `json:"arch"` // in Go's words
	AgentVersion string   `json:"agentVersion"`
	// KeyStorage is where the device's private key is, and TPM which one holds it,
	// as far as it says. That is the device's own claim: the directory has no
	// proof (attestation) of either.
	KeyStorage KeyStorage  `json:"keyStorage"`
	TPM        *TPM        `json:"tpm,omitempty"`
	Encrypted  *bool       `json:"encrypted,omitempty"` // the system's disk; nil: not known
	Users      []LocalUser `json:"users,omitempty"`
	Problems   []string    `json:"problems,omitempty"` // of the agent's health
}

// LocalUser is an account on the device that people can sign in to.
type LocalUser struct {
	Name          string `json:"name"`
	FullName      string `json:"fullName,omitempty"`
	Administrator bool   `json:"administrator"`
	Disabled      bool   `json:"disabled"`
	Managed       bool   `json:"managed"` // made by the agent for a directory's user
}

const (
	maxFact       = 256 // bytes
	maxLocalUsers = 500
	maxProblems   = 50
)

// Check refuses facts that no device would send.
func (f *Facts) Check() error {
	if !slices.Contains(Platforms, f.Platform) {
		return fmt.Errorf("platform %.20q is none of windows, macos and linux", string(f.Platform))
	}
	if f.KeyStorage != KeyInTPM && f.KeyStorage != KeyInFile {
		return fmt.Errorf("keyStorage %.20q is neither tpm nor file", string(f.KeyStorage))
	}
	if f.TPM != nil {
		if f.KeyStorage != KeyInTPM {
			return errors.New("tpm: the key is not in it")
		}
		if err := f.TPM.Check(); err != nil {
			return err
		}
	}
	if len(f.Users) > maxLocalUsers || len(f.Problems) > maxProblems {
		return fmt.Errorf("%d users and %d problems, at most %d and %d are allowed", len(f.Users), len(f.Problems), maxLocalUsers, maxProblems)
	}
	texts := []string{f.Serial, f.Manufacturer, f.Model, f.Name, f.OS, f.OSVersion, f.Arch, f.AgentVersion}
	texts = append(texts, f.Problems...)
	for _, u := range f.Users {
		texts = append(texts, u.Name, u.FullName)
	}
	for _, t := range texts {
		if !PlainText(t) {
			return fmt.Errorf("%.20q… is longer than %d bytes, or no plain text", t, maxFact)
		}
	}
	return nil
}

// EnrollRequest asks the directory to take a device.
type EnrollRequest struct {
	ConnectKey Secret    `json:"connectKey"`
	PackageID  uuid.UUID `json:"packageId"`
	Facts      Facts     `json:"facts"`
	// CertificateRequest is a PKCS #10 request, DER, by the device's own key,
	// which must be on the curve P-256. Its subject does not matter.
	CertificateRequest []byte `json:"certificateRequest"`
}

const (
	maxConnectKey         = 256 // bytes
	maxCertificateRequest = 16 << 10
)

// Check refuses a request that cannot be one.
func (r *EnrollRequest) Check() error {
	switch {
	case len(r.ConnectKey) == 0 || len(r.ConnectKey) > maxConnectKey:
		return errors.New("connectKey is missing or too long")
	case len(r.CertificateRequest) == 0 || len(r.CertificateRequest) > maxCertificateRequest:
		return errors.New("certificateRequest is missing or too long")
	}
	return r.Facts.Check()
}

// DeviceState is where a device stands.
type DeviceState string

// The states of devices.
const (
	DeviceActive   DeviceState = "active"
	DevicePending  DeviceState = "pending"  // waits for approval
	DeviceReplaced DeviceState = "replaced" // the same hardware enrolled again
	DeviceRemoved  DeviceState = "removed"
)

// EnrollResponse is what an enrolled device gets.
type EnrollResponse struct {
	DeviceID uuid.UUID   `json:"deviceId"`
	State    DeviceState `json:"state"` // active or pending
	// Certificates are the device's, then those above it, DER.
	Certificates [][]byte        `json:"certificates"`
	CheckIn      CheckInResponse `json:"checkIn"`
}

// CheckInRequest is a device's report and its question for news.
type CheckInRequest struct {
	// Facts are those that changed since the last check-in; nil: none did.
	Facts *Facts `json:"facts,omitempty"`
	// Version is that of the last response.
	Version int64 `json:"version"`
	// Wait is how long to wait for another version, in seconds.
	Wait int `json:"wait,omitempty"`
	// CertificateRequest renews the certificate, by the same key.
	CertificateRequest []byte `json:"certificateRequest,omitempty"`
}

// Check refuses a request that cannot be one.
func (r *CheckInRequest) Check() error {
	if r.Wait < 0 || r.Wait > int(MaxWait/time.Second) {
		return fmt.Errorf("wait: %d seconds, at most %d are allowed", r.Wait, int(MaxWait/time.Second))
	}
	if len(r.CertificateRequest) > maxCertificateRequest {
		return errors.New("certificateRequest is too long")
	}
	if r.Facts != nil {
		return r.Facts.Check()
	}
	return nil
}

// CheckInResponse is all that a device must know. It grows only by a higher
// version.
type CheckInResponse struct {
	Time    time.Time   `json:"time"` // the directory's
	Version int64       `json:"version"`
	State   DeviceState `json:"state"`
	// Organisation is the name on the button.
	Organisation string           `json:"organisation"`
	Settings     PlatformSettings `json:"settings"`
	// Free tells whether the device may have another managed user.
	Free bool `json:"free"`
	// Users are the device's, those who are no more among them.
	Users []Binding `json:"users,omitempty"`
	// RecoveryKey is the age recipient to which the device seals the password of
	// its break-glass account; Rotate asks for another password.
	RecoveryKey string `json:"recoveryKey,omitempty"`
	Rotate      bool   `json:"rotate,omitempty"`
	// Logo is that of [Settings]. It comes with another version than the device
	// had, and stays until then.
	Logo []byte `json:"logo,omitempty"`
	// Certificates are new ones, if they were asked for.
	Certificates [][]byte `json:"certificates,omitempty"`
}
