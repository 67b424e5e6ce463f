package simulate

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"firstday.dev/internal/testpki"
	"firstday.dev/ppkg"
)

// What Windows keeps of a package's settings, and what it refuses.
func TestProviders(t *testing.T) {
	root := testpki.New(t).Root.Certificate()
	encoded, thumbprint := base64.StdEncoding.EncodeToString(root.Raw), fmt.Sprintf("%X", sha1.Sum(root.Raw))
	for _, c := range []struct {
		node, name, value string
		kind              ppkg.Type
		refused           string // "": taken
	}{
		{"RootCATrustedCertificates/Root/" + thumbprint, "EncodedCertificate", encoded, ppkg.String, ""},
		{"RootCATrustedCertificates/Root/00", "EncodedCertificate", encoded, ppkg.String, "the package says 00"},
		{"RootCATrustedCertificates/Root/" + thumbprint, "EncodedCertificate", "AAAA", ppkg.String, "x509"},
		{"RootCATrustedCertificates/Root/" + thumbprint, "EncodedCertificate", "!", ppkg.String, "base64"},
		{"RootCATrustedCertificates/Root/" + thumbprint, "Other", encoded, ppkg.String, "there is none"},
		{"Accounts/Domain", "ComputerName", "ACME-%SERIAL%", ppkg.String, ""},
		{"Accounts/Domain", "ComputerName", "%SERIAL", ppkg.String, "without a second one"},
		{"Accounts/Domain", "DomainName", "corp.example", ppkg.String, ""},
		{"Accounts/Users/admin", "Password", "a long password", ppkg.String, ""},
		{"Accounts/Users/admin", "LocalUserGroup", "2", ppkg.Integer, "no password"},
		{"Accounts/Users/a@b", "Password", "a long password", ppkg.String, "no name of an account"},
		{"Accounts/Users/a_name_of_20_letters", "Password", "a long password", ppkg.String, ""},
		{"Accounts/Users/a_name_of_21_letters_", "Password", "a long password", ppkg.String, "no name of an account"},
		{"Accounts/Users", "Password", "a long password", ppkg.String, "names no account"},
		{"WiFi/Profile/Acme", "WlanXml", "<x/>", ppkg.String, "profile"},
		{"WiFi/Profile/Acme", "Other", "<x/>", ppkg.String, "no profile"},
		{"Policy/Config/Area", "Name", "1", ppkg.Integer, ""},
		{"Policy/Config/Area", "Name", "one", ppkg.Integer, "no number"},
		{"MCSF/OOBE/Desktop", "HideOobe", "false", ppkg.Boolean, ""},
		{"SharedPC", "DeletionPolicy", "1", ppkg.Integer, ""},
	} {
		told := new(story)
		w := &provisioning{Machine: &Machine{told: newNarrator(told.tell)}}
		s := &state{Device: Device{Serial: "S1"}}
		w.applyNode(s, &values{strings.Split(c.node, "/"), []ppkg.Parm{{Name: c.name, Value: c.value, Type: c.kind}}})
		if (len(w.failed) > 0) != (c.refused != "") || !strings.Contains(fmt.Sprint(w.failed), c.refused) {
			t.Errorf("%s %s: %v, want %q", c.node, c.name, w.failed, c.refused)
		}
		if strings.Contains(told.String(), "a long password") {
			t.Errorf("%s: a password is told", c.node)
		}
	}
}
