package ppkg

// The policies people use most, by area and name: the type of each from the
// Policy CSP reference, one page an area,
//
//	https://learn.microsoft.com/windows/client-management/mdm/policy-csp-<area>
//
// and the names under which the Designer offers them from its own reference,
//
//	https://learn.microsoft.com/windows/configuration/wcd/wcd-policies
//
// What the Designer shows for values is not public. Two of its labels were
// seen (formats/ppkg.md §2.1a): Yes for 1 and No for 0, both of policies that
// allow something. They are accepted of policies whose page says that 1 is
// what the name says and 0 is not; where a page says the reverse, such as of
// DeviceLock/DevicePasswordEnabled, or knows more values, only the number will
// do. A wrong label would turn a protection off unnoticed.
//
// Policies that come from ADMX files are text: <enabled/> or <disabled/>, and
// their data.
var policyTables = []map[string]map[string]row{
	appPolicies,
	browserPolicies,
	devicePolicies,
	networkPolicies,
	privacyPolicies,
	securityPolicies,
	updatePolicies,
	userPolicies,
}

var (
	policyYesNo  = row{Type: Integer, labels: yesNo}
	policyNumber = row{Type: Integer}
	policyText   = row{Type: String}
)
