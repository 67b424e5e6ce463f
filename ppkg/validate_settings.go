package ppkg

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// settings checks each value, and that none is given twice: Windows refuses a
// file that adds what is there (0x82AA0002).
func (v *validator) settings() {
	nodes := map[string]string{}
	account, hidden := false, ""
	for _, e := range v.Entries {
		file := runTimeFolder + e.File
		if len(e.Parms) == 0 {
			v.add(Warning, file, "sets nothing")
		}
		for _, p := range e.Parms {
			name := strings.Join(p.Node, "/") + "/" + p.Name
			if before, twice := nodes[strings.ToLower(name)]; twice {
				v.add(Problem, file, "%.200s is set by %s already", name, before)
			}
			nodes[strings.ToLower(name)] = e.File
			if err := p.Type.check(p.Value); err != nil {
				v.add(Problem, file, "%.200s: %v", name, err)
			}
			if err := p.checkValue(); err != nil {
				v.add(Problem, file, "%.200s: %v", name, err)
			}
			if r, known := settingTable[p.Path]; known && r.Type != p.Type {
				v.add(Warning, file, "%s is of type %v, not %v", p.Path, r.Type, p.Type)
			}
			switch first := nodeAt(p.Node, 0); {
			case first == "AADJ", first == "Accounts" && (nodeAt(p.Node, 1) == "Users" || p.Name == "DomainName"):
				account = true
			case p.Name == "HideOobe" && p.Value == "true":
				hidden = file
			}
		}
	}
	if hidden != "" && !account {
		v.add(Warning, hidden, "hides the pages that make an account, and the package makes none: the device may be of no use")
	}
}

func nodeAt(node []string, i int) string {
	if i < len(node) {
		return node[i]
	}
	return ""
}

// checkValue checks values of which more is known than their type.
func (p *Parm) checkValue() error {
	switch place := nodeAt(p.Node, 0) + "/" + nodeAt(p.Node, 1); {
	case place == "Accounts/Domain" && p.Name == "ComputerName":
		return checkComputerName(p.Value)
	case place == "Accounts/Users" && p.Name == "LocalUserGroup":
		if p.Value != "1" && p.Value != "2" {
			return errors.New("is neither 1, standard users, nor 2, administrators")
		}
	case place == "Accounts/Users":
		return checkUserName(nodeAt(p.Node, 2))
	case place == "WiFi/Profile" && p.Name == "WlanXml":
		return checkWLANXML(p.Value)
	case place == "RootCATrustedCertificates/Root" && p.Name == "EncodedCertificate":
		return checkThumbprint(p.Value, nodeAt(p.Node, 2))
	case p.Name == "PFXCertBlob":
		_, err := base64.StdEncoding.DecodeString(p.Value)
		return err
	}
	return nil
}

// variable is what Windows fills in, in the name of a computer.
var variable = regexp.MustCompile(`%(SERIAL|RAND:([0-9]{1,2}))%`)

// checkComputerName checks what is certain of a name before Windows fills in
// the serial number.
//
// Source: learn.microsoft.com, Windows Configuration Designer reference,
// Accounts.
func checkComputerName(name string) error {
	filled := variable.ReplaceAllStringFunc(name, func(s string) string {
		digits, err := strconv.Atoi(variable.FindStringSubmatch(s)[2])
		if err != nil {
			digits = 1 // %SERIAL%, of unknown length
		}
		return strings.Repeat("x", digits)
	})
	switch {
	case filled == "":
		return errors.New("the computer's name is empty")
	case len(filled) > 15:
		return fmt.Errorf("%.60q is longer than 15 bytes", name)
	case strings.ContainsAny(filled, " {|}~[\\]^':;<=>?@!\"#$%`()+/.,*&\t\r\n"):
		return fmt.Errorf("%.60q holds a character that Windows forbids", name)
	case strings.Trim(filled, "0123456789") == "":
		return fmt.Errorf("%.60q has digits only", name)
	}
	return nil
}

// checkUserName checks the name of a local account.
//
// Source: learn.microsoft.com, NetUserAdd: names are limited to 20 characters
// and cannot contain these.
func checkUserName(name string) error {
	switch {
	case strings.Trim(name, ". ") == "":
		return errors.New("the account's name is empty")
	case utf8.RuneCountInString(name) > 20:
		return fmt.Errorf("the account's name %.60q is longer than 20 characters", name)
	case strings.ContainsAny(name, "\"/\\[]:;|=,+*?<>@\t\r\n"):
		return fmt.Errorf("the account's name %.60q holds a character that Windows forbids", name)
	}
	return nil
}

// checkWLANXML checks that a wireless profile is XML, escaped once.
func checkWLANXML(profile string) error {
	if strings.HasPrefix(strings.TrimSpace(profile), "&lt;") {
		return errors.New("the profile is escaped twice")
	}
	return checkWLANProfile(profile)
}

// checkThumbprint checks a certificate and the name of its node, its SHA-1.
func checkThumbprint(encoded, thumbprint string) error {
	der, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return err
	}
	if _, err := x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("not a certificate: %w", err)
	}
	if want := fmt.Sprintf("%X", sha1.Sum(der)); thumbprint != want {
		return fmt.Errorf("the certificate's thumbprint is %s", want)
	}
	return nil
}

// orderedCommands is how many commands surely run in their order: how Windows
// sorts 2 and 10 is not known (formats/ppkg.md §4).
const orderedCommands = 10

func (v *validator) commands() {
	commands := v.Commands()
	if len(commands) > orderedCommands {
		v.add(Warning, "", "%d commands: the order of more than %d is not certain", len(commands), orderedCommands)
	}
	for _, c := range commands {
		name := strings.TrimSpace(c.Context + " " + c.Number)
		if strings.TrimSpace(c.Line) == "" {
			v.add(Problem, "", "command %s has no command line", name)
		}
		files := map[string]bool{}
		for _, f := range c.Files {
			if files[strings.ToLower(f.Name)] {
				v.add(Problem, f.Path, "command %s has two files of this name: one overwrites the other", name)
			}
			files[strings.ToLower(f.Name)] = true
		}
	}
}
