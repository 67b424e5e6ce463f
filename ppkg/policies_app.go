package ppkg

// appPolicies are about apps: what is installed, started and kept where.
var appPolicies = map[string]map[string]row{
	// policy-csp-applicationdefaults
	"ApplicationDefaults": {
		"DefaultAssociationsConfiguration": policyText,
		"EnableAppUriHandlers":             policyYesNo,
	},
	// policy-csp-applicationmanagement
	"ApplicationManagement": {
		"AllowAllTrustedApps":                    policyYesNo,
		"AllowAppStoreAutoUpdate":                policyYesNo,
		"AllowDeveloperUnlock":                   policyYesNo,
		"AllowGameDVR":                           policyYesNo,
		"AllowSharedUserAppData":                 policyYesNo,
		"AllowStore":                             policyYesNo,
		"ApplicationRestrictions":                policyText,
		"BlockNonAdminUserInstall":               policyYesNo,
		"DisableStoreOriginatedApps":             policyYesNo,
		"LaunchAppAfterLogOn":                    policyText,
		"MSIAllowUserControlOverInstall":         policyYesNo,
		"MSIAlwaysInstallWithElevatedPrivileges": policyYesNo,
		"RequirePrivateStoreOnly":                policyYesNo,
		"RestrictAppDataToSystemVolume":          policyYesNo,
		"RestrictAppToSystemVolume":              policyYesNo,
		"ScheduleForceRestartForUpdateFailures":  policyText,
	},
	// policy-csp-games
	"Games": {
		"AllowAdvancedGamingServices": policyYesNo,
	},
	// policy-csp-kioskbrowser
	"KioskBrowser": {
		"BlockedUrlExceptions":    policyText,
		"BlockedUrls":             policyText,
		"DefaultURL":              policyText,
		"EnableEndSessionButton":  policyYesNo,
		"EnableHomeButton":        policyYesNo,
		"EnableNavigationButtons": policyYesNo,
		"RestartOnIdleTime":       policyNumber,
	},
}
