package media

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	cfgmgr32           = windows.NewLazySystemDLL("cfgmgr32.dll")
	locateDevNode      = cfgmgr32.NewProc("CM_Locate_DevNodeW")
	getParent          = cfgmgr32.NewProc("CM_Get_Parent")
	getDevNodeProperty = cfgmgr32.NewProc("CM_Get_DevNode_PropertyW")

	// DEVPKEY_Device_LocationPaths
	locationPaths = windows.DEVPROPKEY{
		FmtID: windows.DEVPROPGUID{Data1: 0xa45c254e, Data2: 0xdf1c, Data3: 0x4efd, Data4: [8]byte{0x80, 0x20, 0x67, 0xd1, 0x46, 0xa8, 0x50, 0xe0}},
		PID:   37,
	}
)

// diskInterface is GUID_DEVINTERFACE_DISK.
var diskInterface = windows.GUID{Data1: 0x53f56307, Data2: 0xb6bf, Data3: 0x11d0, Data4: [8]byte{0x94, 0xf2, 0x00, 0xa0, 0xc9, 0x1e, 0xfb, 0x8b}}

// ports gives the sockets of disks by their numbers. Where they cannot be found out
// they have no names.
func ports() map[uint32]string {
	found := make(map[uint32]string)
	paths, err := windows.CM_Get_Device_Interface_List("", &diskInterface, windows.CM_GET_DEVICE_INTERFACE_LIST_PRESENT)
	if err != nil {
		return found
	}
	for _, path := range paths {
		h, err := open(path, 0, 0)
		if err != nil {
			continue
		}
		number, err := ask(h, getDeviceNumber, nil, 12)
		_ = windows.CloseHandle(h)
		if err == nil && len(number) == 12 {
			found[binary.LittleEndian.Uint32(number[4:])] = port(instanceOf(path))
		}
	}
	return found
}

// port is the socket that a disk is in: that of the USB device above it, which may
// have other functions, too. It is empty if there is none.
func port(instance string) string {
	wide, err := windows.UTF16PtrFromString(instance)
	if err != nil || locateDevNode.Find() != nil || getParent.Find() != nil || getDevNodeProperty.Find() != nil {
		return ""
	}
	const success, above = 0, 4
	var node uint32
	if r, _, _ := locateDevNode.Call(uintptr(unsafe.Pointer(&node)), uintptr(unsafe.Pointer(wide)), 0); r != success {
		return ""
	}
	for range above {
		var kind uint32
		paths := make([]uint16, 1024)
		size := uint32(2 * len(paths)) // bytes
		r, _, _ := getDevNodeProperty.Call(uintptr(node), uintptr(unsafe.Pointer(&locationPaths)), uintptr(unsafe.Pointer(&kind)),
			uintptr(unsafe.Pointer(&paths[0])), uintptr(unsafe.Pointer(&size)), 0)
		if r == success {
			if name := portOf(windows.UTF16ToString(paths)); name != "" { // the first of the list
				return name
			}
		}
		if r, _, _ := getParent.Call(uintptr(unsafe.Pointer(&node)), uintptr(node), 0); r != success {
			return ""
		}
	}
	return ""
}
