package agent

import "firstday.dev/agent/logon"

// packLogon packs what the plug-in of the login window logs an account on with.
var packLogon = logon.PackPair
