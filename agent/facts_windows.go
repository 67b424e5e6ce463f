package agent

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"firstday.dev/api"
)

// Facts asks the firmware and the registry.
func (s windowsSystem) Facts() (api.Facts, error) {
	arch, err := s.Arch()
	if err != nil {
		return api.Facts{}, err
	}
	name, err := os.Hostname()
	if err != nil {
		return api.Facts{}, err
	}
	f := api.Facts{Platform: api.Windows, Name: name, Arch: arch}
	firmware := parseSMBIOS(firmwareTables())
	f.Serial, f.Manufacturer, f.Model = meaningful(firmware.serial), meaningful(firmware.manufacturer), meaningful(firmware.product)
	major, minor, build := windows.RtlGetNtVersionNumbers()
	f.OSVersion = fmt.Sprintf("%d.%d.%d", major, minor, build)
	f.OS = productName(build)
	f.Encrypted = bitLocker()
	return f, nil
}

// bitLocker tells whether BitLocker protected the system's volume when it started.
// Windows notes that in its registry, where it has BitLocker.
func bitLocker() *bool {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Control\BitLockerStatus`, registry.QUERY_VALUE)
	if err != nil {
		return nil
	}
	defer k.Close() //nolint:errcheck // it was only read
	status, _, err := k.GetIntegerValue("BootStatus")
	if err != nil || status > 1 {
		return nil
	}
	return new(status == 1)
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
