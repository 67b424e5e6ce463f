package ppkg

// userPolicies are about what a person sees and may change.
var userPolicies = map[string]map[string]row{
	// policy-csp-abovelock
	"AboveLock": {
		"AllowActionCenterNotifications": policyYesNo,
		"AllowCortanaAboveLock":          policyYesNo,
		"AllowToasts":                    policyYesNo,
	},
	// policy-csp-accounts
	"Accounts": {
		"AllowAddingNonMicrosoftAccountsManually": policyYesNo,
		"AllowMicrosoftAccountConnection":         policyYesNo,
		"AllowMicrosoftAccountSignInAssistant":    policyNumber,
		"DomainNamesForEmailSync":                 policyText,
	},
	// policy-csp-experience
	"Experience": {
		"AllowClipboardHistory":                         policyNumber,
		"AllowCopyPaste":                                policyYesNo,
		"AllowCortana":                                  policyYesNo,
		"AllowDeviceDiscovery":                          policyYesNo,
		"AllowFindMyDevice":                             policyYesNo,
		"AllowManualMDMUnenrollment":                    policyYesNo,
		"AllowSIMErrorDialogPromptWhenNoSIM":            policyYesNo,
		"AllowScreenCapture":                            policyYesNo,
		"AllowSyncMySettings":                           policyYesNo,
		"AllowTailoredExperiencesWithDiagnosticData":    policyYesNo,
		"AllowTaskSwitcher":                             policyYesNo,
		"AllowThirdPartySuggestionsInWindowsSpotlight":  policyYesNo,
		"AllowVoiceRecording":                           policyYesNo,
		"AllowWindowsConsumerFeatures":                  policyYesNo,
		"AllowWindowsSpotlight":                         policyYesNo,
		"AllowWindowsSpotlightOnActionCenter":           policyYesNo,
		"AllowWindowsSpotlightOnSettings":               policyYesNo,
		"AllowWindowsSpotlightWindowsWelcomeExperience": policyYesNo,
		"AllowWindowsTips":                              policyYesNo,
		"ConfigureChatIcon":                             policyNumber,
		"ConfigureWindowsSpotlightOnLockScreen":         policyNumber,
		"DisableCloudOptimizedContent":                  policyYesNo,
		"DoNotShowFeedbackNotifications":                policyYesNo,
	},
	// policy-csp-messaging
	"Messaging": {
		"AllowMessageSync": policyYesNo,
	},
	// policy-csp-newsandinterests
	"NewsAndInterests": {
		"AllowNewsAndInterests": policyYesNo,
	},
	// policy-csp-notifications
	"Notifications": {
		"DisallowCloudNotification":     policyYesNo,
		"DisallowNotificationMirroring": policyYesNo,
		"DisallowTileNotification":      policyYesNo,
	},
	// policy-csp-settings
	"Settings": {
		"AllowAutoPlay":            policyYesNo,
		"AllowDataSense":           policyYesNo,
		"AllowDateTime":            policyYesNo,
		"AllowLanguage":            policyYesNo,
		"AllowOnlineTips":          policyYesNo,
		"AllowPowerSleep":          policyYesNo,
		"AllowRegion":              policyYesNo,
		"AllowSignInOptions":       policyYesNo,
		"AllowVPN":                 policyYesNo,
		"AllowWorkplace":           policyYesNo,
		"AllowYourAccount":         policyYesNo,
		"ConfigureTaskbarCalendar": policyNumber,
		"PageVisibilityList":       policyText,
	},
	// policy-csp-start
	"Start": {
		"AllowPinnedFolderDocuments":      policyYesNo,
		"AllowPinnedFolderDownloads":      policyYesNo,
		"AllowPinnedFolderFileExplorer":   policyYesNo,
		"AllowPinnedFolderHomeGroup":      policyYesNo,
		"AllowPinnedFolderMusic":          policyYesNo,
		"AllowPinnedFolderNetwork":        policyYesNo,
		"AllowPinnedFolderPersonalFolder": policyYesNo,
		"AllowPinnedFolderPictures":       policyYesNo,
		"AllowPinnedFolderSettings":       policyYesNo,
		"AllowPinnedFolderVideos":         policyYesNo,
		"ConfigureStartPins":              policyText,
		"DisableContextMenus":             policyYesNo,
		"ForceStartSize":                  policyNumber,
		"HideAppList":                     policyNumber,
		"HideChangeAccountSettings":       policyYesNo,
		"HideFrequentlyUsedApps":          policyYesNo,
		"HideHibernate":                   policyYesNo,
		"HideLock":                        policyYesNo,
		"HidePeopleBar":                   policyYesNo,
		"HidePowerButton":                 policyYesNo,
		"HideRecentJumplists":             policyYesNo,
		"HideRecentlyAddedApps":           policyYesNo,
		"HideRestart":                     policyYesNo,
		"HideShutDown":                    policyYesNo,
		"HideSignOut":                     policyYesNo,
		"HideSleep":                       policyYesNo,
		"HideSwitchAccount":               policyYesNo,
		"HideUserTile":                    policyYesNo,
		"ImportEdgeAssets":                policyText,
		"NoPinningToTaskbar":              policyYesNo,
		"StartLayout":                     policyText,
	},
	// policy-csp-taskmanager
	"TaskManager": {
		"AllowEndTask": policyYesNo,
	},
	// policy-csp-windowsinkworkspace
	"WindowsInkWorkspace": {
		"AllowSuggestedAppsInWindowsInkWorkspace": policyYesNo,
		"AllowWindowsInkWorkspace":                policyNumber,
	},
	// policy-csp-windowslogon
	"WindowsLogon": {
		"AllowAutomaticRestartSignOn":       policyText,
		"DisableLockScreenAppNotifications": policyText,
		"DontDisplayNetworkSelectionUI":     policyText,
		"EnableFirstLogonAnimation":         policyYesNo,
		"HideFastUserSwitching":             policyYesNo,
	},
}
