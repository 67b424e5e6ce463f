package wifi

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// profile is what is read of "system_profiler -json SPAirPortDataType". Its keys are
// not translated.
type profile struct {
	Groups []struct {
		Interfaces []struct {
			Device  string           `json:"_name"`
			Status  string           `json:"spairport_status_information"`
			Current profileNetwork   `json:"spairport_current_network_information"`
			Others  []profileNetwork `json:"spairport_airport_other_local_wireless_networks"`
			// Not connected, there are no others.
			Networks []profileNetwork `json:"spairport_airport_local_wireless_networks"`
		} `json:"spairport_airport_interfaces"`
	} `json:"SPAirPortDataType"`
}

type profileNetwork struct {
	Name     string `json:"_name"`
	Type     string `json:"spairport_network_type"`
	Security string `json:"spairport_security_mode"`
	Signal   string `json:"spairport_signal_noise"` // "-52 dBm / -94 dBm"
}

// maxSightings bounds a scan. A network has one for each of its access points.
const maxSightings = 1000

// readProfile gives what system_profiler saw from a device, the current network
// among it.
func readProfile(text []byte, device string) (seen []sighting, err error) {
	var p profile
	// A value of another kind than it had until now is left out, and the rest is read.
	if err := json.Unmarshal(text, &p); err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) {
		return nil, fmt.Errorf("reading system_profiler: %w", err)
	}
	found := false
	for _, g := range p.Groups {
		for _, i := range g.Interfaces {
			if i.Device != device {
				continue // awdl0 has a current network of no name
			}
			found = true
			if i.Current.Name != "" {
				seen = append(seen, i.Current.sighting())
			}
			for _, list := range [][]profileNetwork{i.Others, i.Networks} {
				for _, n := range list {
					if n.Type == "spairport_network_type_ibss" {
						continue // another computer
					}
					if seen = append(seen, n.sighting()); len(seen) >= maxSightings {
						return seen, nil
					}
				}
			}
		}
	}
	if !found {
		return nil, fmt.Errorf("reading system_profiler: it does not know %s", device)
	}
	return seen, nil
}

func (n profileNetwork) sighting() sighting {
	s := sighting{security: securityOfProfile(n.Security)}
	if n.Name != redacted && showable(n.Name) {
		s.name = n.Name
	}
	signal, _, _ := strings.Cut(n.Signal, " dBm")
	if dBm, err := strconv.Atoi(signal); err == nil && dBm < 0 && dBm > -200 {
		s.dBm = dBm
	}
	return s
}

// securityOfProfile knows that Apple has lost the first letter of some of its
// words. What is not known wants a password: it is not called open.
func securityOfProfile(mode string) Security {
	_, mode, _ = strings.Cut(mode, "airport_security_mode_")
	switch {
	case mode == "none" || strings.HasPrefix(mode, "owe"):
		return SecurityOpen
	case strings.Contains(mode, "enterprise") || strings.Contains(mode, "8021x"):
		return SecurityEnterprise
	}
	return SecurityPassword
}

// securityOfCoreWLAN reads the CWSecurity numbers that a network supports: those of
// CoreWLANTypes.h, and WPA3 and OWE, which came later (as fastfetch has them).
func securityOfCoreWLAN(supports func(int) bool) Security {
	for _, n := range []int{12, 9, 10, 8, 7, 6} { // the last is WEP with keys from 802.1X
		if supports(n) {
			return SecurityEnterprise
		}
	}
	for _, n := range []int{11, 13, 4, 5, 3, 2, 1} {
		if supports(n) {
			return SecurityPassword
		}
	}
	for _, n := range []int{0, 14, 15} { // 14 and 15: OWE, encrypted and without a password
		if supports(n) {
			return SecurityOpen
		}
	}
	return SecurityPassword
}
