package devicekey

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"firstday.dev/api"
)

// State is how a TPM is doing.
type State struct {
	api.TPM
	// StorageKey: the system keeps a storage root key in it.
	StorageKey bool `json:"storageKey"`
	// Owned: the storage hierarchy wants a password, or is switched off.
	Owned bool `json:"owned"`
	// LockedOut: too many wrong passwords were tried on somebody's keys. The
	// device's own key does not mind.
	LockedOut   bool   `json:"lockedOut"`
	Failures    uint32 `json:"failures"` // wrong passwords that count
	MaxFailures uint32 `json:"maxFailures"`
	// Loaded is how many objects of others and ours are in it now.
	Loaded int `json:"loaded"`
}

// Bits of TPM properties, Part 2, 8.6 and 8.7.
const (
	ownerAuthSet  = 1 << 0 // of TPM_PT_PERMANENT
	inLockout     = 1 << 9
	storageHandle = 1 << 1 // of TPM_PT_STARTUP_CLEAR: the storage hierarchy is on
)

// State looks at the TPM.
func (t *TPM) State() (*State, error) {
	return use(t, lookLimit, func(device transport.TPM) (*State, error) {
		named, err := identify(device)
		if err != nil {
			return nil, err
		}
		s := &State{TPM: *named}
		properties, err := properties(device, tpm2.TPMPTPermanent, tpm2.TPMPTStartupClear, tpm2.TPMPTLockoutCounter, tpm2.TPMPTMaxAuthFail)
		if err != nil {
			return nil, err
		}
		s.Owned = properties[0]&ownerAuthSet != 0 || properties[1]&storageHandle == 0
		s.LockedOut = properties[0]&inLockout != 0
		s.Failures, s.MaxFailures = properties[2], properties[3]
		p, err := persistent(device)
		if err != nil {
			return nil, err
		}
		s.StorageKey = p != nil
		s.Loaded, err = transients(device)
		return s, err
	})
}

// Identity names the TPM, nil if it cannot be asked.
func (t *TPM) Identity() *api.TPM {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.named == nil {
		named, err := use(t, lookLimit, identify)
		if err != nil {
			return nil // whoever uses its key is told
		}
		t.named = named
	}
	return t.named
}

func identify(device transport.TPM) (*api.TPM, error) {
	values, err := properties(device, tpm2.TPMPTManufacturer, tpm2.TPMPTFirmwareVersion1, tpm2.TPMPTFirmwareVersion2)
	if err != nil {
		return nil, err
	}
	named := &api.TPM{
		Manufacturer: manufacturer(values[0]),
		Firmware:     fmt.Sprintf("%d.%d.%d.%d", values[1]>>16, values[1]&0xffff, values[2]>>16, values[2]&0xffff),
	}
	return named, named.Check()
}

// manufacturer is the TCG's name of four letters, shorter ones with blanks or
// zeros; of one without a name its number.
func manufacturer(id uint32) string {
	name := string(bytes.TrimRight(binary.BigEndian.AppendUint32(nil, id), " \x00"))
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Sprintf("0x%08X", id)
	}
	return name
}

// properties asks for some of the TPM's properties.
func properties(device transport.TPM, wanted ...tpm2.TPMPT) ([]uint32, error) {
	values := make([]uint32, len(wanted))
	for i, p := range wanted {
		answer, err := tpm2.GetCapability{Capability: tpm2.TPMCapTPMProperties, Property: uint32(p), PropertyCount: 1}.Execute(device)
		if err != nil {
			return nil, fmt.Errorf("asking the TPM for its properties: %w", err)
		}
		list, err := answer.CapabilityData.Data.TPMProperties()
		if err != nil {
			return nil, err
		}
		if len(list.TPMProperty) != 1 || list.TPMProperty[0].Property != p {
			return nil, fmt.Errorf("the TPM does not tell its property %#x", uint32(p))
		}
		values[i] = list.TPMProperty[0].Value
	}
	return values, nil
}

// firstTransient is where the handles of loaded objects begin.
const firstTransient = 0x80000000

// transients counts the objects in the TPM, as far as its resource manager shows
// them.
func transients(device transport.TPM) (int, error) {
	const most = 64
	answer, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: firstTransient, PropertyCount: most}.Execute(device)
	if err != nil {
		return 0, fmt.Errorf("asking the TPM for its handles: %w", err)
	}
	list, err := answer.CapabilityData.Data.Handles()
	if err != nil {
		return 0, err
	}
	return len(list.Handle), nil
}
