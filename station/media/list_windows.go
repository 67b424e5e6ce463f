package media

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// Control codes of winioctl.h. Those of questions need no access to the disk.
const (
	getDeviceNumber  = 0x2d1080 // IOCTL_STORAGE_GET_DEVICE_NUMBER
	queryProperty    = 0x2d1400 // IOCTL_STORAGE_QUERY_PROPERTY
	getGeometry      = 0x0700a0 // IOCTL_DISK_GET_DRIVE_GEOMETRY_EX
	isWritable       = 0x070024 // IOCTL_DISK_IS_WRITABLE
	updateProperties = 0x070140 // IOCTL_DISK_UPDATE_PROPERTIES
	ejectMedia       = 0x2d4808 // IOCTL_STORAGE_EJECT_MEDIA
	getDiskExtents   = 0x560000 // IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS
	lockVolume       = 0x090018 // FSCTL_LOCK_VOLUME
	dismountVolume   = 0x090020 // FSCTL_DISMOUNT_VOLUME
)

// mostDisks is more than any machine has; the number of one that is pulled out goes
// to the next.
const mostDisks = 256

func list(ctx context.Context) ([]Disk, error) {
	volumes, err := volumes()
	if err != nil {
		return nil, err
	}
	system, err := systemVolumes()
	if err != nil {
		return nil, err
	}
	ports := ports()
	var disks []Disk
	for n := range uint32(mostDisks) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d, err := disk(n)
		if err != nil {
			continue // there is none, or it was pulled out
		}
		d.Port = ports[n]
		for _, v := range volumes {
			i := slices.IndexFunc(v.extents, func(e extent) bool { return e.Disk == n })
			if i < 0 {
				continue
			}
			if slices.ContainsFunc(v.Mounts, func(m string) bool { return slices.Contains(system, strings.ToUpper(m)) }) {
				d.Refusal = "the system runs from it"
			} else if len(v.extents) > 1 && d.Refusal == "" {
				d.Refusal = "it is part of a volume on several disks"
			}
			d.Volumes = append(d.Volumes, v.Volume)
		}
		if boots(n) {
			d.Refusal = "the system runs from it"
		}
		disks = append(disks, *d)
	}
	return disks, nil
}

// disk asks a disk what it is.
func disk(n uint32) (*Disk, error) {
	path := `\\.\` + physicalDrive(n)
	h, err := open(path, 0, 0)
	if err != nil {
		return nil, err
	}
	defer windows.CloseHandle(h) //nolint:errcheck // it was only looked at
	d, err := describe(h)
	if err != nil {
		return nil, err
	}
	d.Name, d.Path = physicalDrive(n), path
	return d, nil
}

func physicalDrive(n uint32) string { return "PhysicalDrive" + strconv.FormatUint(uint64(n), 10) }

// describe asks a disk that is open.
func describe(h windows.Handle) (*Disk, error) {
	const standardQuery = 12 // StorageDeviceProperty, PropertyStandardQuery
	b, err := ask(h, queryProperty, make([]byte, standardQuery), 4096)
	if err != nil {
		return nil, err
	}
	desc, ok := parseDescriptor(b)
	if !ok {
		return nil, errors.New("a disk does not say what it is")
	}
	d := &Disk{Vendor: desc.Vendor, Model: desc.Product, Serial: desc.Serial, Bus: desc.Bus}
	if b, err := ask(h, getGeometry, nil, 256); err == nil { // else a reader without a card
		if size, sector, ok := parseGeometry(b); ok {
			d.Size, d.SectorSize = size, sector
		}
		_, err := ask(h, isWritable, nil, 0)
		d.ReadOnly = errors.Is(err, windows.ERROR_WRITE_PROTECT)
	}
	d.Refusal = refusalOfWindows(d, desc.Removable)
	return d, nil
}

// open opens a disk or volume. Without access it can be asked what it is, which
// everybody may.
func open(path string, access, flags uint32) (windows.Handle, error) {
	wide, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE
	return windows.CreateFile(wide, access, share, nil, windows.OPEN_EXISTING, flags, 0)
}

// ask sends a control code, and gives the answer, of so many bytes at most.
func ask(h windows.Handle, code uint32, question []byte, most int) ([]byte, error) {
	answer := make([]byte, most)
	var n uint32
	err := windows.DeviceIoControl(h, code, unsafe.SliceData(question), uint32(len(question)), unsafe.SliceData(answer), uint32(most), &n, nil)
	return answer[:min(int(n), most)], err
}

// volume is one, and the disks it is on.
type volume struct {
	Volume
	extents []extent
}

func volumes() (list []volume, err error) {
	name := make([]uint16, windows.MAX_PATH)
	h, err := windows.FindFirstVolume(&name[0], uint32(len(name)))
	for ; err == nil; err = windows.FindNextVolume(h, &name[0], uint32(len(name))) {
		list = append(list, describeVolume(windows.UTF16ToString(name)))
	}
	if h != 0 && h != windows.InvalidHandle {
		_ = windows.FindVolumeClose(h)
	}
	if errors.Is(err, windows.ERROR_NO_MORE_FILES) {
		err = nil
	}
	return list, err
}

// describeVolume takes \\?\Volume{…}\.
func describeVolume(name string) volume {
	v := volume{Volume: Volume{Path: strings.TrimSuffix(name, `\`)}}
	if h, err := open(v.Path, 0, 0); err == nil {
		v.extents = extentsOf(h)
		_ = windows.CloseHandle(h)
	}
	for _, e := range v.extents {
		v.Size += e.Length
	}
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return v
	}
	folders := make([]uint16, 4096)
	var n uint32
	if windows.GetVolumePathNamesForVolumeName(wide, &folders[0], uint32(len(folders)), &n) == nil {
		for rest := folders[:min(int(n), len(folders))]; len(rest) > 0 && rest[0] != 0; {
			end := slices.Index(rest, 0)
			if end < 0 {
				break
			}
			v.Mounts = append(v.Mounts, windows.UTF16ToString(rest[:end]))
			rest = rest[end+1:]
		}
	}
	var label, system [windows.MAX_PATH + 1]uint16
	if windows.GetVolumeInformation(wide, &label[0], uint32(len(label)), nil, nil, nil, &system[0], uint32(len(system))) == nil {
		v.Label, v.FileSystem = windows.UTF16ToString(label[:]), fileSystemOf(windows.UTF16ToString(system[:]))
	}
	return v
}

// extentsOf gives nothing for what is on no disk, such as a drive for CDs.
func extentsOf(h windows.Handle) []extent {
	b, err := ask(h, getDiskExtents, nil, 4096)
	if err != nil && !errors.Is(err, windows.ERROR_MORE_DATA) {
		return nil
	}
	return parseExtents(b)
}

// systemVolumes are the drives of Windows itself and of its pagefiles, as C:\.
func systemVolumes() ([]string, error) {
	folder, err := windows.GetSystemWindowsDirectory()
	if err != nil {
		return nil, err
	}
	drives := pagefileDrives([]string{folder})
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management`, registry.QUERY_VALUE)
	if err != nil {
		return drives, nil // the drive of Windows is known
	}
	defer k.Close() //nolint:errcheck // it was only read
	files, _, _ := k.GetStringsValue("ExistingPageFiles")
	return append(drives, pagefileDrives(files)...), nil
}

// boots: the partition that the firmware starts from has no drive, and may be on
// another disk than Windows.
func boots(n uint32) bool {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\Setup`, registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	defer k.Close() //nolint:errcheck // it was only read
	partition, _, err := k.GetStringValue("SystemPartition")
	if err != nil {
		return false
	}
	h, err := open(`\\?\GLOBALROOT`+partition, 0, 0)
	if err != nil {
		return false
	}
	defer windows.CloseHandle(h) //nolint:errcheck // it was only looked at
	return slices.ContainsFunc(extentsOf(h), func(e extent) bool { return e.Disk == n })
}
