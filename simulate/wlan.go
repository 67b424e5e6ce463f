package simulate

import (
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
)

// wlanProfile is the part of a WLAN profile that a network cannot do without
// (learn.microsoft.com, "WLAN_profile Schema").
type wlanProfile struct {
	XMLName xml.Name `xml:"http://www.microsoft.com/networking/WLAN/profile/v1 WLANProfile"`
	Name    string   `xml:"name"`
	SSID    []struct {
		Hex  string `xml:"hex"`
		Name string `xml:"name"`
	} `xml:"SSIDConfig>SSID"`
	Hidden bool `xml:"SSIDConfig>nonBroadcast"`
	Auth   struct {
		Authentication string `xml:"authentication"`
		Encryption     string `xml:"encryption"`
		OneX           bool   `xml:"useOneX"`
	} `xml:"MSM>security>authEncryption"`
	Key struct {
		Type     string `xml:"keyType"`
		Material string `xml:"keyMaterial"`
	} `xml:"MSM>security>sharedKey"`
}

const (
	maxProfile = 1 << 20 // bytes
	maxSSID    = 32      // bytes
)

// parseWLAN reads a profile, and refuses what the WLAN service would. The key is
// looked at, not kept.
func parseWLAN(profile []byte) (network, error) {
	if len(profile) > maxProfile {
		return network{}, fmt.Errorf("a profile of %d bytes", len(profile))
	}
	var p wlanProfile
	if err := xml.Unmarshal(profile, &p); err != nil {
		return network{}, fmt.Errorf("its profile: %w", err)
	}
	if p.Name == "" || len(p.SSID) == 0 {
		return network{}, errors.New("its profile names no network")
	}
	n := network{SSID: p.SSID[0].Name, Authentication: p.Auth.Authentication, Hidden: p.Hidden}
	if p.SSID[0].Hex != "" {
		b, err := hex.DecodeString(p.SSID[0].Hex)
		if err != nil {
			return network{}, fmt.Errorf("its name in hexadecimal: %w", err)
		}
		n.SSID = string(b)
	}
	if n.SSID == "" || len(n.SSID) > maxSSID {
		return network{}, fmt.Errorf("its name has %d bytes, not 1 to %d", len(n.SSID), maxSSID)
	}
	return n, p.checkKey()
}

// checkKey: networks with a shared key need one that can be.
func (p *wlanProfile) checkKey() error {
	if p.Auth.Authentication == "" {
		return errors.New("its profile does not say how to let devices in")
	}
	shared := slices.Contains([]string{"WPAPSK", "WPA2PSK", "WPA3SAE"}, p.Auth.Authentication)
	length := len(p.Key.Material)
	switch {
	case !shared || p.Auth.OneX:
		return nil
	case p.Key.Type == "passPhrase" && length >= 8 && length <= 63:
		return nil
	case p.Key.Type == "networkKey" && length == 64:
		return nil
	}
	return fmt.Errorf("its key cannot be one: a %.20q of %d characters", p.Key.Type, length)
}
