package agent

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"firstday.dev/api"
)

// Facts asks the firmware, the registry and the local accounts.
func (s windowsSystem) Facts() (api.Facts, error) {
	arch, err := s.Arch()
	if err != nil {
		return api.Facts{}, err
	}
	name, err := os.Hostname()
	if err != nil {
		return api.Facts{}, err
	}
	f := api.Facts{Platform: api.Windows, Name: name, Arch: arch, Users: usersOfWindows()}
	firmware := parseSMBIOS(firmwareTables())
	f.Serial, f.Manufacturer, f.Model = meaningful(firmware.serial), meaningful(firmware.manufacturer), meaningful(firmware.product)
	major, minor, build := windows.RtlGetNtVersionNumbers()
	f.OSVersion = fmt.Sprintf("%d.%d.%d", major, minor, build)
	f.OS = productName(build)
	return f, nil
}

// firstBuildOf11 is that of Windows 11; its registry still says Windows 10.
const firstBuildOf11 = 22000

func productName(build uint32) string {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Windows NT\CurrentVersion`, registry.QUERY_VALUE)
	if err != nil {
		return "Windows"
	}
	defer k.Close() //nolint:errcheck // it was only read
	edition, _, err := k.GetStringValue("EditionID")
	if err != nil {
		edition = ""
	}
	if build >= firstBuildOf11 {
		return "Windows 11 " + edition
	}
	return "Windows 10 " + edition
}

var procGetSystemFirmwareTable = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetSystemFirmwareTable")

// maxFirmwareTables bounds the firmware's tables, in bytes; real ones have a
// few thousand.
const maxFirmwareTables = 1 << 20

// firmwareTables gives the SMBIOS tables, nothing if there are none.
func firmwareTables() []byte {
	const rsmb = 'R'<<24 | 'S'<<16 | 'M'<<8 | 'B'
	if procGetSystemFirmwareTable.Find() != nil {
		return nil
	}
	size, _, _ := procGetSystemFirmwareTable.Call(rsmb, 0, 0, 0)
	if size == 0 || size > maxFirmwareTables {
		return nil
	}
	tables := make([]byte, size)
	got, _, _ := procGetSystemFirmwareTable.Call(rsmb, 0, uintptr(unsafe.Pointer(&tables[0])), size)
	if got > size {
		return nil
	}
	return tables[:got]
}

// userInfo20 is USER_INFO_20, userInfo1 USER_INFO_1 of lmaccess.h.
type userInfo20 struct {
	name, fullName, comment *uint16
	flags, id               uint32
}

type userInfo1 struct {
	name, password      *uint16
	passwordAge, priv   uint32
	homeFolder, comment *uint16
	flags               uint32
	script              *uint16
}

const (
	filterNormalAccount = 2
	maxPreferredLength  = 0xffffffff
	privAdministrator   = 2
	flagAccountDisabled = 2
	maxUsersAsked       = 500
)

// usersOfWindows lists local accounts; none where the system does not say.
func usersOfWindows() []api.LocalUser {
	var buf *byte
	var read, total uint32
	err := windows.NetUserEnum(nil, 20, filterNormalAccount, &buf, maxPreferredLength, &read, &total, nil)
	if buf != nil {
		defer windows.NetApiBufferFree(buf) //nolint:errcheck // nothing to be done about it
	}
	if err != nil && !errors.Is(err, windows.ERROR_MORE_DATA) || buf == nil {
		return nil
	}
	var users []api.LocalUser
	for _, u := range unsafe.Slice((*userInfo20)(unsafe.Pointer(buf)), min(read, maxUsersAsked)) {
		users = append(users, api.LocalUser{
			Name: windows.UTF16PtrToString(u.name), FullName: windows.UTF16PtrToString(u.fullName),
			Disabled: u.flags&flagAccountDisabled != 0, Administrator: isAdministrator(u.name),
		})
	}
	return users
}

func isAdministrator(name *uint16) bool {
	var buf *byte
	if windows.NetUserGetInfo(nil, name, 1, &buf) != nil || buf == nil {
		return false
	}
	defer windows.NetApiBufferFree(buf) //nolint:errcheck // nothing to be done about it
	return (*userInfo1)(unsafe.Pointer(buf)).priv == privAdministrator
}
