package agent

import (
	"debug/pe"
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"firstday.dev/agent/credprov"
)

// Where Windows keeps what it knows of credential providers, and we our switch
// (platform/windows-signin.md §7).
const (
	classKey     = `SOFTWARE\Classes\CLSID\` + credprov.CLSID
	serverKey    = classKey + `\InprocServer32`
	providerKey  = `SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication\Credential Providers\` + credprov.CLSID
	policyKey    = `SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System`
	ourKey       = `SOFTWARE\Firstday`
	tileKey      = ourKey + `\CredentialProvider` // the tile reads it itself, see credprov/native/sentinel.c
	threading    = "ThreadingModel"
	apartment    = "Apartment"
	disabled     = "Disabled"
	excluded     = "ExcludedCredentialProviders"
	switchBy     = "DisabledBy"
	switchReason = "Reason"
	switchSince  = "Since"
	switchSHA256 = "SHA256"
)

func (windowsSystem) Tile() Tile { return windowsTile{} }

// windowsTile is the tile in the registry.
type windowsTile struct{}

func (windowsTile) Registration() (*TileRegistration, error) {
	r := new(TileRegistration)
	var model string
	err := reading(serverKey, func(k registry.Key) {
		r.DLL, model = text(k, ""), text(k, threading)
	})
	if err != nil {
		return nil, err
	}
	r.Complete = model == apartment
	if err := reading(providerKey, func(k registry.Key) { r.Listed, r.Disabled = true, isSet(k, disabled) }); err != nil {
		return nil, err
	}
	if err := reading(policyKey, func(k registry.Key) { r.Excluded = isExcluded(text(k, excluded)) }); err != nil {
		return nil, err
	}
	return r, reading(tileKey, func(k registry.Key) { r.Off = readSwitch(k) })
}

// isExcluded looks for our provider in a policy's list.
func isExcluded(list string) bool {
	for id := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(id), credprov.CLSID) {
			return true
		}
	}
	return false
}

// readSwitch takes a switch without further values, set by hand or by a policy,
// for an administrator's.
func readSwitch(k registry.Key) *TileSwitch {
	if !isSet(k, disabled) {
		return nil
	}
	s := &TileSwitch{By: ByAdministrator, Reason: fact(text(k, switchReason))}
	if text(k, switchBy) == string(ByWatchdog) {
		s.By, s.SHA256 = ByWatchdog, text(k, switchSHA256)
	}
	if since, err := time.Parse(time.RFC3339, text(k, switchSince)); err == nil {
		s.Since = since.UTC() // so that it compares
	}
	return s
}

// Register writes what names the file last of what loads it, and the list of
// providers last of all.
func (windowsTile) Register(dll string) error {
	if err := writing(classKey, func(k registry.Key) error { return k.SetStringValue("", credprov.Name) }); err != nil {
		return err
	}
	err := writing(serverKey, func(k registry.Key) error {
		if err := k.SetStringValue(threading, apartment); err != nil {
			return err
		}
		return k.SetStringValue("", dll)
	})
	if err != nil {
		return err
	}
	return writing(providerKey, func(k registry.Key) error { return k.SetStringValue("", credprov.Name) })
}

func (windowsTile) Suspend() error { return deleteTree(serverKey) }

// Unregister takes it off the list of providers first.
func (windowsTile) Unregister() error {
	if err := deleteTree(providerKey); err != nil {
		return err
	}
	return deleteTree(classKey)
}

func (windowsTile) Switch(off *TileSwitch) error {
	names := []string{switchBy, switchReason, switchSince, switchSHA256}
	if off == nil {
		err := writing(tileKey, func(k registry.Key) error { return deleteValues(k, append(names, disabled)) })
		return errors.Join(err, removeEmpty(tileKey), removeEmpty(ourKey))
	}
	return writing(tileKey, func(k registry.Key) error {
		// It is off before it is said why.
		if err := k.SetDWordValue(disabled, 1); err != nil {
			return err
		}
		if err := deleteValues(k, names); err != nil {
			return err
		}
		values := map[string]string{switchBy: string(off.By), switchReason: off.Reason, switchSince: off.Since.Format(time.RFC3339), switchSHA256: off.SHA256}
		for _, name := range names {
			if values[name] == "" {
				continue
			}
			if err := k.SetStringValue(name, values[name]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (windowsTile) Forget() error {
	if err := deleteTree(tileKey); err != nil {
		return err
	}
	return removeEmpty(ourKey)
}

// CheckSignature asks Windows as the tile itself does, which tells nobody outside
// (credprov/native/peer.c).
func (windowsTile) CheckSignature(dll string) error {
	signed, err := isSigned(dll)
	if err != nil || !signed {
		return err
	}
	path, err := windows.UTF16PtrFromString(dll)
	if err != nil {
		return err
	}
	file := &windows.WinTrustFileInfo{FilePath: path}
	file.Size = uint32(unsafe.Sizeof(*file))
	data := &windows.WinTrustData{
		UIChoice: windows.WTD_UI_NONE, RevocationChecks: windows.WTD_REVOKE_NONE, UnionChoice: windows.WTD_CHOICE_FILE,
		FileOrCatalogOrBlobOrSgnrOrCert: unsafe.Pointer(file), StateAction: windows.WTD_STATEACTION_VERIFY,
		ProvFlags: windows.WTD_CACHE_ONLY_URL_RETRIEVAL | windows.WTD_REVOCATION_CHECK_NONE,
	}
	data.Size = uint32(unsafe.Sizeof(*data))
	verdict := windows.WinVerifyTrustEx(windows.InvalidHWND, &windows.WINTRUST_ACTION_GENERIC_VERIFY_V2, data)
	data.StateAction = windows.WTD_STATEACTION_CLOSE
	_ = windows.WinVerifyTrustEx(windows.InvalidHWND, &windows.WINTRUST_ACTION_GENERIC_VERIFY_V2, data) // it only frees
	if verdict != nil {
		return fmt.Errorf("not trusted by Windows: %w", verdict)
	}
	return nil
}

// isSigned tells whether a program names a signature in its header.
func isSigned(path string) (bool, error) {
	f, err := pe.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	head, is := f.OptionalHeader.(*pe.OptionalHeader64)
	return is && head.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY].Size != 0, nil
}

// reading looks at a key if it is there.
func reading(path string, look func(registry.Key)) error {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf(`reading HKLM\%s: %w`, path, err)
	}
	look(k)
	return k.Close()
}

// writing makes a key if it is not there.
func writing(path string, change func(registry.Key) error) error {
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE|registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf(`making HKLM\%s: %w`, path, err)
	}
	if err := errors.Join(change(k), k.Close()); err != nil {
		return fmt.Errorf(`writing HKLM\%s: %w`, path, err)
	}
	return nil
}

// text is a value's, nothing if it is none.
func text(k registry.Key, name string) string {
	s, kind, err := k.GetStringValue(name)
	if err != nil || kind != registry.SZ {
		return ""
	}
	return s
}

// isSet tells what RegGetValue with RRF_RT_REG_DWORD does.
func isSet(k registry.Key, name string) bool {
	n, kind, err := k.GetIntegerValue(name)
	return err == nil && kind == registry.DWORD && n != 0
}

func deleteValues(k registry.Key, names []string) error {
	for _, name := range names {
		if err := k.DeleteValue(name); err != nil && !errors.Is(err, registry.ErrNotExist) {
			return err
		}
	}
	return nil
}

var regDeleteTree = windows.NewLazySystemDLL("advapi32.dll").NewProc("RegDeleteTreeW")

// deleteTree deletes a key with all that is in it.
func deleteTree(path string) error {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	code, _, _ := regDeleteTree.Call(uintptr(registry.LOCAL_MACHINE), uintptr(unsafe.Pointer(name)))
	if code == 0 || windows.Errno(code) == windows.ERROR_FILE_NOT_FOUND {
		return nil
	}
	return fmt.Errorf(`deleting HKLM\%s: %w`, path, windows.Errno(code))
}

// removeEmpty deletes a key in which nothing is.
func removeEmpty(path string) error {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := k.Stat()
	if err := errors.Join(err, k.Close()); err != nil || info.SubKeyCount > 0 || info.ValueCount > 0 {
		return err
	}
	return registry.DeleteKey(registry.LOCAL_MACHINE, path)
}

// LoginWindow is macOS' only.
func (windowsSystem) LoginWindow() LoginWindow { return nil }
