package wifi

import (
	"errors"
	"log/slog"
	"time"

	"github.com/ebitengine/purego/objc"
	"golang.org/x/sys/unix"

	"firstday.dev/agent/program"
	"firstday.dev/internal/cocoa"
)

// No Mac has run the files for darwin of this package yet.

// Open gives this Mac's. Close ends it.
func Open(log *slog.Logger) (*Radio, error) {
	r := newRadio(program.System{}, log)
	if version, err := unix.Sysctl("kern.osproductversion"); err == nil {
		r.savedFirst = currentIsFirst(version)
	}
	if err := loadFrameworks(); err != nil {
		log.Warn("Wi-Fi without CoreWLAN", "error", err) // networksetup does most of it
		return r, nil
	}
	r.air, r.identities = coreWLAN{}, keychainIdentities
	return r, nil
}

// coreWLAN is the framework's (CWWiFiClient.h, CWInterface.h, CWNetwork.h).
type coreWLAN struct{}

func (coreWLAN) name(device string) (name string) {
	_ = onInterface(device, func(i objc.ID) error {
		name = cocoa.GoText(i.Send(cocoa.Sel("ssid")))
		return nil
	})
	return name
}

func (coreWLAN) scan(device string) (seen []sighting, err error) {
	err = onInterface(device, func(i objc.ID) error {
		networks, err := networksOf(i, 0, false)
		for _, n := range networks {
			seen = append(seen, readNetwork(n))
		}
		return err
	})
	return seen, err
}

func (coreWLAN) associate(device string, j Join) error {
	return onInterface(device, func(i objc.ID) error {
		networks, err := networksOf(i, cocoa.Text(j.Name), true)
		if err != nil {
			return err
		}
		seen := make([]sighting, 0, len(networks))
		for _, n := range networks {
			seen = append(seen, readNetwork(n))
		}
		at, err := pick(seen, j)
		if err != nil {
			return err
		}
		if j.Identity != "" {
			return withIdentity(j.Identity, func(identity objc.ID) error {
				var problem objc.ID
				if objc.Send[bool](i, cocoa.Sel("associateToEnterpriseNetwork:identity:username:password:error:"),
					networks[at], identity, objc.ID(0), objc.ID(0), &problem) {
					return nil
				}
				return associateError(cocoa.Code(problem), SecurityEnterprise, errorOf(problem))
			})
		}
		var password objc.ID
		if len(j.Password) > 0 {
			password = cocoa.TextOf(j.Password)
		}
		var problem objc.ID
		if objc.Send[bool](i, cocoa.Sel("associateToNetwork:password:error:"), networks[at], password, &problem) {
			return nil
		}
		return associateError(cocoa.Code(problem), seen[at].security, errorOf(problem))
	})
}

// networksOf scans, for a name or (0) for all.
func networksOf(i, name objc.ID, hidden bool) (networks []objc.ID, err error) {
	var problem objc.ID
	set := i.Send(cocoa.Sel("scanForNetworksWithName:includeHidden:error:"), name, hidden, &problem)
	if set == 0 {
		return nil, associateError(cocoa.Code(problem), SecurityPassword, errorOf(problem))
	}
	all := set.Send(cocoa.Sel("allObjects"))
	for at := range min(objc.Send[uint](all, cocoa.Sel("count")), maxSightings) {
		networks = append(networks, all.Send(cocoa.Sel("objectAtIndex:"), at))
	}
	return networks, nil
}

func readNetwork(n objc.ID) sighting {
	s := sighting{name: cocoa.GoText(n.Send(cocoa.Sel("ssid"))), dBm: objc.Send[int](n, cocoa.Sel("rssiValue"))}
	if s.name == redacted || !showable(s.name) {
		s.name = ""
	}
	s.security = securityOfCoreWLAN(func(number int) bool {
		return objc.Send[bool](n, cocoa.Sel("supportsSecurity:"), number)
	})
	return s
}

// onInterface calls do with CoreWLAN's interface, in a pool.
func onInterface(device string, do func(i objc.ID) error) error {
	return cocoa.InPool(func() error {
		i := cocoa.Class("CWWiFiClient").Send(cocoa.Sel("sharedWiFiClient")).Send(cocoa.Sel("interfaceWithName:"), cocoa.Text(device))
		if i == 0 {
			return errors.Join(errElsewhere, errors.New("CoreWLAN does not know "+device))
		}
		return do(i)
	})
}

// keychainIdentities gives those that a network can be joined with.
func keychainIdentities() (ids []Identity, err error) {
	now := time.Now()
	err = eachIdentity(func(_ objc.ID, der []byte) bool {
		if id, ok := identityOf(der, now); ok {
			ids = append(ids, id)
		}
		return len(ids) < maxIDs
	})
	return ids, err
}

// withIdentity calls do with the SecIdentityRef of an ID.
func withIdentity(id string, do func(identity objc.ID) error) error {
	var result error = &refusal{CodeIdentity, errors.New("there is no such identity any more")}
	err := eachIdentity(func(identity objc.ID, der []byte) bool {
		found, ok := identityOf(der, time.Now())
		if !ok || found.ID != id {
			return true
		}
		result = do(identity)
		return false
	})
	if err != nil {
		return err
	}
	return result
}
