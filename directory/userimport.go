package directory

import (
	"encoding/base64"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// importSeal is the name under which a list of users is sealed between two pages.
func importSeal(session uuid.UUID) string { return "import of " + session.String() }

// SealImport gives a list of users to a browser that is to send it back as it is:
// passwords may stand in it. It is of use to one session of the console, and gone
// with it.
func (d *Directory) SealImport(session uuid.UUID, list []byte) string {
	return base64.RawStdEncoding.EncodeToString(d.seal.close(importSeal(session), list))
}

// OpenImport gives what SealImport took.
func (d *Directory) OpenImport(session uuid.UUID, sealed string) ([]byte, error) {
	data, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "the list of users is damaged; begin again")
	}
	list, err := d.seal.open(importSeal(session), data)
	if err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "the list of users was checked in another session; begin again")
	}
	return list, nil
}
