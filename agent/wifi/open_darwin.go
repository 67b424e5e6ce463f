package wifi

import (
	"errors"
	"log/slog"
	"runtime"
	"time"

	"github.com/ebitengine/purego/objc"
	"golang.org/x/sys/unix"

	"firstday.dev/agent/program"
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
		name = goText(i.Send(selector("ssid")))
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
		networks, err := networksOf(i, text([]byte(j.Name)), true)
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
				if objc.Send[bool](i, selector("associateToEnterpriseNetwork:identity:username:password:error:"),
					networks[at], identity, objc.ID(0), objc.ID(0), &problem) {
					return nil
				}
				return associateError(code(problem), SecurityEnterprise, errorOf(problem))
			})
		}
		var password objc.ID
		if len(j.Password) > 0 {
			password = text(j.Password)
		}
		var problem objc.ID
		if objc.Send[bool](i, selector("associateToNetwork:password:error:"), networks[at], password, &problem) {
			return nil
		}
		return associateError(code(problem), seen[at].security, errorOf(problem))
	})
}

// networksOf scans, for a name or (0) for all.
func networksOf(i, name objc.ID, hidden bool) (networks []objc.ID, err error) {
	var problem objc.ID
	set := i.Send(selector("scanForNetworksWithName:includeHidden:error:"), name, hidden, &problem)
	if set == 0 {
		return nil, associateError(code(problem), SecurityPassword, errorOf(problem))
	}
	all := set.Send(selector("allObjects"))
	for at := range min(objc.Send[uint](all, selector("count")), maxSightings) {
		networks = append(networks, all.Send(selector("objectAtIndex:"), at))
	}
	return networks, nil
}

func readNetwork(n objc.ID) sighting {
	s := sighting{name: goText(n.Send(selector("ssid"))), dBm: objc.Send[int](n, selector("rssiValue"))}
	if s.name == redacted || !showable(s.name) {
		s.name = ""
	}
	s.security = securityOfCoreWLAN(func(number int) bool {
		return objc.Send[bool](n, selector("supportsSecurity:"), number)
	})
	return s
}

// onInterface calls do with CoreWLAN's interface. What Objective-C makes meanwhile
// lives until do ends, on this thread.
func onInterface(device string, do func(i objc.ID) error) error {
	return inPool(func() error {
		i := class("CWWiFiClient").Send(selector("sharedWiFiClient")).Send(selector("interfaceWithName:"), text([]byte(device)))
		if i == 0 {
			return errors.Join(errElsewhere, errors.New("CoreWLAN does not know "+device))
		}
		return do(i)
	})
}

func inPool(do func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pool := class("NSAutoreleasePool").Send(selector("new"))
	defer pool.Send(selector("drain"))
	return do()
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
