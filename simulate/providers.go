package simulate

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"firstday.dev/config"
	"firstday.dev/ppkg"
)

// set is a configuration service provider of Windows, as far as a package
// reaches it: it changes the device's state and says in a few words what it did.
type set func(w *provisioning, s *state, v *values) (text, detail string, err error)

// providers are found by how the node begins
// (formats/ppkg.md §2.2).
var providers = []struct {
	begin []string
	set   set // nil: no setting
}{
	{[]string{"Provisioning"}, nil},
	{[]string{"ProvisioningCommands"}, nil},
	{[]string{"Accounts", "Domain"}, setComputer},
	{[]string{"Accounts", "Users"}, setAccount},
	{[]string{"MCSF", "OOBE", "Desktop"}, setFirstRun},
	{[]string{"WiFi", "Profile"}, setNetwork},
	{[]string{"RootCATrustedCertificates", "Root"}, setRoot},
	{[]string{"Policy", "Config"}, setPolicy},
	{nil, setOther},
}

func provider(node []string) set {
	for _, p := range providers {
		if len(node) >= len(p.begin) && slices.Equal(node[:len(p.begin)], p.begin) {
			return p.set
		}
	}
	return nil
}

// setComputer names the device, from the next start on.
func setComputer(w *provisioning, s *state, v *values) (text, detail string, err error) {
	template, ok := v.get("ComputerName")
	if domain, joins := v.get("DomainName"); joins {
		w.told.note(StepSetting, fmt.Sprintf("the device would join the domain %.100s", domain), "there is no domain controller here")
	}
	if !ok {
		return "Accounts/Domain", "", nil
	}
	text = fmt.Sprintf("computer name %.60s", template)
	if s.NextName, err = config.ComputerName(template).For(s.Device.Serial, randomDigit); err != nil {
		return text, "", err
	}
	w.restart = "the device takes its name " + s.NextName
	return text, "becomes " + s.NextName + " at the next start", nil
}

func randomDigit() byte {
	for {
		var b [1]byte
		_, _ = rand.Read(b[:]) // never fails
		if b[0] < 250 {        // all digits equally often
			return '0' + b[0]%10
		}
	}
}

// maxAccountName is what Windows allows, in characters.
const maxAccountName = 20

// administrators is the number of that group (formats/ppkg.md §2.2).
const administrators = "2"

func setAccount(_ *provisioning, s *state, v *values) (text, detail string, err error) {
	if len(v.node) != 3 {
		return v.path(), "", errors.New("it names no account")
	}
	name := v.node[2]
	text = fmt.Sprintf("local account %.60s", name)
	if name == "" || utf8.RuneCountInString(name) > maxAccountName || strings.ContainsAny(name, `"/\[]:;|=,+*?<>@%`) || strings.Trim(name, ". ") != name {
		return text, "", errors.New("that is no name of an account")
	}
	if password, _ := v.get("Password"); password == "" {
		return text, "", errors.New("it has no password")
	}
	group, _ := v.get("LocalUserGroup")
	a := account{Name: name, Administrator: group == administrators}
	i := slices.IndexFunc(s.Accounts, func(o account) bool { return strings.EqualFold(o.Name, name) })
	if i < 0 {
		s.Accounts = append(s.Accounts, a)
	} else {
		s.Accounts[i] = a
	}
	if a.Administrator {
		return text, "administrator, with the package's password", nil
	}
	return text, "standard user, with the package's password", nil
}

func setFirstRun(_ *provisioning, s *state, v *values) (text, detail string, err error) {
	hide, _ := v.get("HideOobe")
	s.HideOOBE = hide == "true"
	if !s.HideOOBE {
		return "first-run pages are shown", "", nil
	}
	return "first-run pages are hidden", "", nil
}

func setNetwork(_ *provisioning, s *state, v *values) (text, detail string, err error) {
	profile, ok := v.get("WlanXml")
	if !ok || len(v.node) != 3 {
		return v.path(), "", errors.New("it holds no profile of a network")
	}
	text = fmt.Sprintf("wireless network %.60s", v.node[2])
	n, err := parseWLAN([]byte(profile))
	if err != nil {
		return text, "", err
	}
	s.Networks = slices.DeleteFunc(s.Networks, func(o network) bool { return o.SSID == n.SSID })
	s.Networks = append(s.Networks, n)
	return text, n.Authentication, nil
}

func setRoot(_ *provisioning, s *state, v *values) (text, detail string, err error) {
	text = "root certificate"
	encoded, ok := v.get("EncodedCertificate")
	if !ok || len(v.node) != 3 {
		return text, "", errors.New("there is none")
	}
	der, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return text, "", fmt.Errorf("it is not base64: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return text, "", err
	}
	c := certificate{SHA1: fmt.Sprintf("%X", sha1.Sum(der)), Subject: cert.Subject.String()}
	if c.SHA1 != v.node[2] {
		return text, "", fmt.Errorf("it has SHA-1 %s, the package says %.60s", c.SHA1, v.node[2])
	}
	if !slices.Contains(s.Roots, c) {
		s.Roots = append(s.Roots, c)
	}
	return text, fmt.Sprintf("%.200s, until %s", c.Subject, cert.NotAfter.Format("2006-01-02")), nil
}

func setPolicy(_ *provisioning, s *state, v *values) (text, detail string, err error) {
	area := strings.Join(v.node[2:], "/")
	text = fmt.Sprintf("policy %.100s", area)
	var said []string
	for _, p := range v.parms {
		name := area + "/" + p.Name
		if p.Type == ppkg.Integer {
			if _, err := strconv.ParseInt(p.Value, 10, 64); err != nil {
				return text, "", fmt.Errorf("%.60s: %.60q is no number", p.Name, p.Value)
			}
		}
		if s.Policies == nil {
			s.Policies = make(map[string]string)
		}
		s.Policies[name] = p.Value
		said = append(said, fmt.Sprintf("%.60s = %.60s", p.Name, p.Value))
	}
	return text, strings.Join(said, ", "), nil
}

// setOther takes what only Windows understands. Values may be secret, and are
// not kept.
func setOther(_ *provisioning, s *state, v *values) (text, detail string, err error) {
	path := v.path()
	if !slices.Contains(s.Others, path) {
		s.Others = append(s.Others, path)
	}
	return fmt.Sprintf("setting %.200s", path), "handed to Windows, which is not simulated that far", nil
}
