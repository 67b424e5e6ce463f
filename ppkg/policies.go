package ppkg

var policyTables = []map[string]map[string]row{}
