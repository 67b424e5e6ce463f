package kit

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/config"
)

// commonEnrollment is what devices of all kinds are told alike.
func (b *builder) commonEnrollment(id uuid.UUID, platform Platform, s config.SignIn) *api.Enrollment {
	c := b.Config
	return &api.Enrollment{
		Version:      api.EnrollmentVersion,
		Organisation: c.Organisation.Name,
		Directory:    api.Directory{URL: c.Directory.URL, Pin: c.Directory.Pin},
		ConnectKey:   b.connectKey(platform),
		ExpiresAt:    b.expires(),
		PackageID:    id,
		PackageName:  c.Package.Name,
		PackageVer:   c.Package.Version,
		SignIn:       api.SignIn{Enabled: s.Enabled, Permission: string(s.Permission), Text: s.Text, HelpURL: s.HelpURL},
	}
}

// encodeEnrollment writes what the agent would not refuse on the device.
func encodeEnrollment(e *api.Enrollment) ([]byte, error) {
	if err := e.Check(); err != nil {
		return nil, fmt.Errorf("writing %s: %w", api.EnrollmentFile, err)
	}
	return json.MarshalIndent(e, "", "  ")
}
