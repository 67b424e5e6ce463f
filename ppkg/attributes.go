package ppkg

import (
	"strings"
	"sync"
)

// itemKeys are the settings there can be many of, each with the attribute that
// tells one from another.
var itemKeys = map[string]string{
	"Accounts/Users/User":                               "UserName",
	"Certificates/ClientCertificates/ClientCertificate": "CertificateName",
	"Certificates/RootCertificates/RootCertificate":     "CertificateName",
	"ConnectivityProfiles/WLAN/WLANSetting/WLANConfig":  "SSID",

	"ProvisioningCommands/DeviceContext/CommandFiles/CommandFile":                             "Name",
	"ProvisioningCommands/PrimaryContext/Command/CommandConfig":                               "Name",
	"ProvisioningCommands/PrimaryContext/Command/CommandConfig/DependencyPackages/Dependency": "Name",
}

// knownGroups are the paths that only lead to settings this package knows.
var knownGroups = sync.OnceValue(func() map[string]bool {
	groups := map[string]bool{}
	add := func(path string) {
		for i := strings.LastIndexByte(path, '/'); i >= 0; i = strings.LastIndexByte(path, '/') {
			path = path[:i]
			groups[path] = true
		}
	}
	for path := range settingTable {
		add(path)
	}
	for path := range compilers {
		add(path)
	}
	return groups
})

// checkAttributes refuses attributes that this package does not know, at and
// below a place: left aside, they would be lost, and taken for a key they
// would end up in names. Of settings it does not know it takes any.
func (p *place) checkAttributes() error {
	item := itemKeys[p.path]
	_, single := settingTable[p.path]
	_, compiled := compilers[p.path]
	known := item != "" || single || compiled || knownGroups()[p.path] || p.inItem()
	for _, a := range p.attrs {
		if known && a.space == "" && a.name != item && (item == "" || a.name != "Name") {
			return p.errorf("%w %.60s", errUnknownAttribute, a.name)
		}
	}
	if item != "" && strings.TrimSpace(p.attr(item)) == "" {
		return p.errorf("it has no %s", item)
	}
	for _, e := range p.children {
		if err := p.at(e).checkAttributes(); err != nil {
			return err
		}
	}
	return nil
}

// inItem tells whether the place is a value of a setting with several.
func (p *place) inItem() bool {
	parent := p.path
	for i := strings.LastIndexByte(parent, '/'); i >= 0; i = strings.LastIndexByte(parent, '/') {
		parent = parent[:i]
		if compilers[parent] != nil {
			return true
		}
	}
	return false
}
