package ppkg

import "strings"

// ComputerName names the device: at most 15 characters, of which %SERIAL% and
// %RAND:n% stand for its serial number and n random digits. Windows restarts
// once to take the name.
func ComputerName(name string) Setting {
	if name == "" {
		return invalid("computer name is empty")
	}
	return branch("Accounts/ComputerAccount", textElement("ComputerName", name))
}

// DomainJoin joins the device to an Active Directory domain. The password ends
// up in the package in the clear: best use an account that may do nothing else.
type DomainJoin struct {
	Domain       string // such as corp.example.com
	OU           string // where the computer's account goes; may be empty
	Account      string // who may join devices
	Password     string
	ComputerName string // as in the function of that name
}

// Setting is the setting that does it; it takes the place of [ComputerName].
func (d DomainJoin) Setting() Setting {
	if d.Domain == "" || d.Account == "" || d.ComputerName == "" {
		return invalid("joining a domain needs the domain, an account and the computer's name")
	}
	leaves := []*element{textElement("Account", d.Account)}
	if d.OU != "" {
		leaves = append(leaves, textElement("AccountOU", d.OU))
	}
	return branch("Accounts/ComputerAccount", append(leaves,
		textElement("ComputerName", d.ComputerName),
		textElement("DomainName", d.Domain),
		textElement("Password", d.Password))...)
}

// Group is what a local account may do.
type Group int

// The groups of local accounts that a package can create.
const (
	StandardUsers Group = iota
	Administrators
)

// User creates a local account.
func User(name, password string, group Group) Setting {
	if name == "" || strings.ContainsAny(name, "/\\") {
		return invalid("%q is not the name of an account", name)
	}
	of := "Standard Users"
	if group == Administrators {
		of = "Administrators"
	}
	return branch("Accounts/Users", newElement("User", "UserName", name, "Name", name).add(
		textElement("Password", password),
		textElement("UserGroup", of)))
}

// userGroups gives standard users 1 and administrators 2, as ICD does
// (formats/ppkg.md §2.2).
var userGroups = []labelled{{"Administrators", "2"}, {"Standard Users", "1"}}

// HideOobe hides the pages of the first run. The package must then create an
// account, or the device is of no use (formats/ppkg.md §11).
func HideOobe() Setting {
	return branch("OOBE/Desktop", textElement("HideOobe", label(true)))
}

// AutoLogon signs an account in without asking. Its password is stored on the
// device in the clear.
func AutoLogon(user, password string) Setting {
	return branch("SMISettings/AutoLogon",
		textElement("Enable", "ENABLE"),
		textElement("Password", password),
		textElement("UserName", user))
}

// UIVerbosityLevel says which messages Windows shows at start and sign-in: 0
// for all, 1 for none.
func UIVerbosityLevel(level int) Setting {
	const path = "SMISettings/UIVerbosityLevel"
	for _, l := range settingTable[path].labels {
		if l.value == string(rune('0'+level)) {
			return branch("SMISettings", textElement("UIVerbosityLevel", l.label))
		}
	}
	return invalid("%s is 0 or 1, not %d", path, level)
}

var stringRow = row{Type: String}

func (c *compiler) computerAccount(p *place) error {
	parms, err := p.fields(map[string]field{
		"Account":      {"Account", stringRow},
		"AccountOU":    {"AccountOU", stringRow},
		"ComputerName": {"ComputerName", stringRow},
		"DomainName":   {"DomainName", stringRow},
		"Password":     {"Password", stringRow},
	}, "Accounts", "Domain")
	if err != nil {
		return err
	}
	if name := p.child("ComputerName"); name != nil {
		if err := checkComputerName(name.text); err != nil {
			return p.at(name).errorf("%w", err)
		}
		parms = append(parms, Parm{
			Path: p.at(name).path, Node: []string{"Provisioning", "ForceSettingReload"},
			Name: "ComputerName", Type: Integer, Value: "1",
		})
	}
	c.entry(p.path, p.entry, parms...)
	return nil
}

func (c *compiler) user(p *place) error {
	name := key(p.element)
	if err := checkUserName(name); err != nil {
		return p.errorf("%w", err)
	}
	parms, err := p.fields(map[string]field{
		"Password":  {"Password", stringRow},
		"UserGroup": {"LocalUserGroup", row{Type: Integer, labels: userGroups}},
	}, "Accounts", "Users", name)
	if err != nil {
		return err
	}
	if password := p.child("Password"); password == nil || password.text == "" {
		return p.errorf("the account %s has no password", name)
	}
	c.entry(p.path, p.entry, parms...)
	return nil
}

// azure is the join to Entra ID with a bulk token.
func (c *compiler) azure(p *place) error {
	parms, err := p.fields(map[string]field{
		"Authority": {"Authority", stringRow},
		"BPRT":      {"BPRT", stringRow},
	}, "AADJ")
	if err != nil {
		return err
	}
	c.entry(p.path, p.entry, parms...)
	return nil
}

func (c *compiler) autoLogon(p *place) error {
	parms, err := p.fields(map[string]field{
		"Enable":   {"Enable", row{Type: String, labels: []labelled{{"ENABLE", "1"}, {"DISABLE", "0"}}}},
		"Password": {"Password", stringRow},
		"UserName": {"UserName", stringRow},
	}, "MCSF", "SMISettings", "AutoLogon")
	if err != nil {
		return err
	}
	c.entry(p.path, p.entry, parms...)
	return nil
}
