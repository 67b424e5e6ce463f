package ppkg

// networkPolicies are about networks, near and far.
var networkPolicies = map[string]map[string]row{
	// policy-csp-bluetooth
	"Bluetooth": {
		"AllowAdvertising":                 policyYesNo,
		"AllowDiscoverableMode":            policyYesNo,
		"AllowPrepairing":                  policyYesNo,
		"AllowPromptedProximalConnections": policyYesNo,
		"LocalDeviceName":                  policyText,
		"ServicesAllowedList":              policyText,
		"SetMinimumEncryptionKeySize":      policyNumber,
	},
	// policy-csp-cellular
	"Cellular": {
		"LetAppsAccessCellularData": policyNumber,
	},
	// policy-csp-connectivity
	"Connectivity": {
		"AllowBluetooth":                         policyNumber,
		"AllowCellularData":                      policyNumber,
		"AllowCellularDataRoaming":               policyNumber,
		"AllowConnectedDevices":                  policyYesNo,
		"AllowNFC":                               policyYesNo,
		"AllowPhonePCLinking":                    policyYesNo,
		"AllowUSBConnection":                     policyYesNo,
		"AllowVPNOverCellular":                   policyYesNo,
		"AllowVPNRoamingOverCellular":            policyYesNo,
		"DisallowNetworkConnectivityActiveTests": policyYesNo,
	},
	// policy-csp-deliveryoptimization
	"DeliveryOptimization": {
		"DOAbsoluteMaxCacheSize":                       policyNumber,
		"DOAllowVPNPeerCaching":                        policyYesNo,
		"DOCacheHost":                                  policyText,
		"DODelayBackgroundDownloadFromHttp":            policyNumber,
		"DODelayForegroundDownloadFromHttp":            policyNumber,
		"DODownloadMode":                               policyNumber,
		"DOGroupId":                                    policyText,
		"DOGroupIdSource":                              policyNumber,
		"DOMaxBackgroundDownloadBandwidth":             policyNumber,
		"DOMaxCacheAge":                                policyNumber,
		"DOMaxCacheSize":                               policyNumber,
		"DOMaxDownloadBandwidth":                       policyNumber,
		"DOMaxForegroundDownloadBandwidth":             policyNumber,
		"DOMaxUploadBandwidth":                         policyNumber,
		"DOMinBackgroundQos":                           policyNumber,
		"DOMinBatteryPercentageAllowedToUpload":        policyNumber,
		"DOMinDiskSizeAllowedToPeer":                   policyNumber,
		"DOMinFileSizeToCache":                         policyNumber,
		"DOMinRAMAllowedToPeer":                        policyNumber,
		"DOModifyCacheDrive":                           policyText,
		"DOMonthlyUploadDataCap":                       policyNumber,
		"DOPercentageMaxBackgroundBandwidth":           policyNumber,
		"DOPercentageMaxDownloadBandwidth":             policyNumber,
		"DOPercentageMaxForegroundBandwidth":           policyNumber,
		"DORestrictPeerSelectionBy":                    policyNumber,
		"DOSetHoursToLimitBackgroundDownloadBandwidth": policyText,
		"DOSetHoursToLimitForegroundDownloadBandwidth": policyText,
	},
	// policy-csp-lanmanworkstation
	"LanmanWorkstation": {
		"EnableInsecureGuestLogons": policyYesNo,
	},
	// policy-csp-wifi
	"Wifi": {
		"AllowAutoConnectToWiFiSenseHotspots": policyYesNo,
		"AllowInternetSharing":                policyYesNo,
		"AllowManualWiFiConfiguration":        policyYesNo,
		"AllowWiFi":                           policyYesNo,
		"AllowWiFiDirect":                     policyYesNo,
		"WLANScanMode":                        policyNumber,
	},
	// policy-csp-wirelessdisplay
	"WirelessDisplay": {
		"AllowMdnsAdvertisement":                    policyYesNo,
		"AllowMdnsDiscovery":                        policyYesNo,
		"AllowProjectionFromPC":                     policyYesNo,
		"AllowProjectionFromPCOverInfrastructure":   policyYesNo,
		"AllowProjectionToPC":                       policyNumber,
		"AllowProjectionToPCOverInfrastructure":     policyNumber,
		"AllowUserInputFromWirelessDisplayReceiver": policyYesNo,
		"RequirePinForPairing":                      policyNumber,
	},
	// policy-csp-remotedesktopservices
	"RemoteDesktopServices": {
		"AllowUsersToConnectRemotely":     policyText,
		"ClientConnectionEncryptionLevel": policyText,
		"DoNotAllowDriveRedirection":      policyText,
		"DoNotAllowPasswordSaving":        policyText,
		"PromptForPasswordUponConnection": policyText,
		"RequireSecureRPCCommunication":   policyText,
	},
}
