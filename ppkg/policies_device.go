package ppkg

// devicePolicies are about the device's parts: power, camera, storage, input and display.
var devicePolicies = map[string]map[string]row{
	// policy-csp-camera
	"Camera": {
		"AllowCamera": policyYesNo,
	},
	// policy-csp-display
	"Display": {
		"EnablePerProcessDpi":         policyYesNo,
		"TurnOffGdiDPIScalingForApps": policyText,
		"TurnOnGdiDPIScalingForApps":  policyText,
	},
	// policy-csp-power
	"Power": {
		"AllowStandbyStatesWhenSleepingOnBattery":   policyText,
		"AllowStandbyWhenSleepingPluggedIn":         policyText,
		"DisplayOffTimeoutOnBattery":                policyText,
		"DisplayOffTimeoutPluggedIn":                policyText,
		"EnergySaverBatteryThresholdOnBattery":      policyNumber,
		"EnergySaverBatteryThresholdPluggedIn":      policyNumber,
		"HibernateTimeoutOnBattery":                 policyText,
		"HibernateTimeoutPluggedIn":                 policyText,
		"RequirePasswordWhenComputerWakesOnBattery": policyText,
		"RequirePasswordWhenComputerWakesPluggedIn": policyText,
		"SelectLidCloseActionOnBattery":             policyNumber,
		"SelectLidCloseActionPluggedIn":             policyNumber,
		"SelectPowerButtonActionOnBattery":          policyNumber,
		"SelectPowerButtonActionPluggedIn":          policyNumber,
		"SelectSleepButtonActionOnBattery":          policyNumber,
		"SelectSleepButtonActionPluggedIn":          policyNumber,
		"StandbyTimeoutOnBattery":                   policyText,
		"StandbyTimeoutPluggedIn":                   policyText,
		"TurnOffHybridSleepOnBattery":               policyNumber,
		"TurnOffHybridSleepPluggedIn":               policyNumber,
		"UnattendedSleepTimeoutOnBattery":           policyNumber,
		"UnattendedSleepTimeoutPluggedIn":           policyNumber,
	},
	// policy-csp-storage
	"Storage": {
		"AllowDiskHealthModelUpdates":                        policyYesNo,
		"AllowStorageSenseGlobal":                            policyYesNo,
		"AllowStorageSenseTemporaryFilesCleanup":             policyYesNo,
		"ConfigStorageSenseCloudContentDehydrationThreshold": policyNumber,
		"ConfigStorageSenseDownloadsCleanupThreshold":        policyNumber,
		"ConfigStorageSenseGlobalCadence":                    policyNumber,
		"ConfigStorageSenseRecycleBinCleanupThreshold":       policyNumber,
		"RemovableDiskDenyWriteAccess":                       policyYesNo,
	},
	// policy-csp-textinput
	"TextInput": {
		"AllowHardwareKeyboardTextSuggestions":    policyYesNo,
		"AllowIMELogging":                         policyYesNo,
		"AllowIMENetworkAccess":                   policyYesNo,
		"AllowInputPanel":                         policyYesNo,
		"AllowJapaneseIMESurrogatePairCharacters": policyYesNo,
		"AllowJapaneseIVSCharacters":              policyYesNo,
		"AllowJapaneseNonPublishingStandardGlyph": policyYesNo,
		"AllowJapaneseUserDictionary":             policyYesNo,
		"AllowKeyboardTextSuggestions":            policyYesNo,
		"AllowLanguageFeaturesUninstall":          policyYesNo,
		"AllowLinguisticDataCollection":           policyYesNo,
		"ExcludeJapaneseIMEExceptJIS0208":         policyNumber,
		"ExcludeJapaneseIMEExceptJIS0208andEUDC":  policyNumber,
		"ExcludeJapaneseIMEExceptShiftJIS":        policyNumber,
		"ForceTouchKeyboardDockedState":           policyNumber,
	},
	// policy-csp-timelanguagesettings
	"TimeLanguageSettings": {
		"AllowSet24HourClock": policyNumber,
		"ConfigureTimeZone":   policyText,
	},
}
