package api

import (
	"strings"
	"testing"
	"time"
)

func facts() Facts {
	return Facts{Platform: Windows, Serial: "ABC123", Name: "ACME-1", OS: "Windows 11 Pro", OSVersion: "10.0.26100", Arch: "amd64",
		AgentVersion: "1.0.0", KeyStorage: KeyInTPM, TPM: &TPM{Manufacturer: "INTC", Firmware: "600.18.54.0"}, Users: []LocalUser{{Name: "ann", FullName: "Ann"}}}
}

func TestRequestsAreChecked(t *testing.T) {
	enroll := func(change func(*EnrollRequest)) error {
		r := &EnrollRequest{ConnectKey: "k", Facts: facts(), CertificateRequest: []byte{1}}
		change(r)
		return r.Check()
	}
	checkIn := func(change func(*CheckInRequest)) error {
		f := facts()
		r := &CheckInRequest{Facts: &f, Wait: int(MaxWait / time.Second)}
		change(r)
		return r.Check()
	}
	for name, err := range map[string]error{
		"enroll":        enroll(func(*EnrollRequest) {}),
		"check-in":      checkIn(func(*CheckInRequest) {}),
		"no TPM's name": enroll(func(r *EnrollRequest) { r.Facts.TPM = nil }),
		"no facts":      checkIn(func(r *CheckInRequest) { r.Facts = nil }),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"no key":             enroll(func(r *EnrollRequest) { r.ConnectKey = "" }),
		"a huge key":         enroll(func(r *EnrollRequest) { r.ConnectKey = Secret(strings.Repeat("k", maxConnectKey+1)) }),
		"no request":         enroll(func(r *EnrollRequest) { r.CertificateRequest = nil }),
		"a huge request":     enroll(func(r *EnrollRequest) { r.CertificateRequest = make([]byte, maxCertificateRequest+1) }),
		"no platform":        enroll(func(r *EnrollRequest) { r.Facts.Platform = "" }),
		"no key storage":     enroll(func(r *EnrollRequest) { r.Facts.KeyStorage = "" }),
		"a TPM for a file":   enroll(func(r *EnrollRequest) { r.Facts.KeyStorage = KeyInFile }),
		"a nameless TPM":     enroll(func(r *EnrollRequest) { r.Facts.TPM.Manufacturer = "" }),
		"a TPM with blanks":  enroll(func(r *EnrollRequest) { r.Facts.TPM.Manufacturer = "I N" }),
		"a TPM's firmware":   enroll(func(r *EnrollRequest) { r.Facts.TPM.Firmware = "7.2" }),
		"a long serial":      enroll(func(r *EnrollRequest) { r.Facts.Serial = strings.Repeat("s", maxFact+1) }),
		"a line break":       enroll(func(r *EnrollRequest) { r.Facts.Name = "a\nb" }),
		"no text":            enroll(func(r *EnrollRequest) { r.Facts.Model = "\xff" }),
		"a user's escape":    enroll(func(r *EnrollRequest) { r.Facts.Users[0].Name = "\x1b[2J" }),
		"too many users":     enroll(func(r *EnrollRequest) { r.Facts.Users = make([]LocalUser, maxLocalUsers+1) }),
		"too many problems":  enroll(func(r *EnrollRequest) { r.Facts.Problems = make([]string, maxProblems+1) }),
		"a long wait":        checkIn(func(r *CheckInRequest) { r.Wait++ }),
		"a wait before":      checkIn(func(r *CheckInRequest) { r.Wait = -1 }),
		"a check-in's facts": checkIn(func(r *CheckInRequest) { r.Facts.OS = "\x00" }),
		"a huge renewal":     checkIn(func(r *CheckInRequest) { r.CertificateRequest = make([]byte, maxCertificateRequest+1) }),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
