package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// takeFolder gives an existing folder the security descriptor. Everybody may
// make folders in %ProgramData%, so it may be a trap: one that leads
// elsewhere, or that somebody else owns, or owns a part of, who could change
// it again at any time. It is looked at and changed through one handle, so
// that it is one folder from the first look to the last.
func takeFolder(dir string, sd *windows.SECURITY_DESCRIPTOR) error {
	folder, attributes, err := openPlain(dir, windows.WRITE_DAC|windows.WRITE_OWNER, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(folder) //nolint:errcheck // nothing was written through it
	if attributes&windows.FILE_ATTRIBUTE_DIRECTORY == 0 {
		return fmt.Errorf("%s is not a folder", dir)
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return err
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return err
	}
	const parts = windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	if err := windows.SetSecurityInfo(folder, windows.SE_FILE_OBJECT, parts, owner, nil, dacl, nil); err != nil {
		return fmt.Errorf("protecting %s: %w", dir, err)
	}
	// Nobody else can add anything any more; what is there must be of ours. What has
	// gone meanwhile went by us, as the file does in which the tile counts its starts.
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		h, _, err := openPlain(path, 0, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return windows.CloseHandle(h)
	})
}

// openPlain opens a file or folder that leads nowhere else and belongs to
// somebody who is trusted. Nobody can rename or remove it meanwhile, unless that
// is shared.
func openPlain(path string, access, share uint32) (h windows.Handle, attributes uint32, err error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, 0, err
	}
	const flags = windows.FILE_FLAG_BACKUP_SEMANTICS | windows.FILE_FLAG_OPEN_REPARSE_POINT
	h, err = windows.CreateFile(name, access|windows.READ_CONTROL|windows.FILE_READ_ATTRIBUTES,
		share, nil, windows.OPEN_EXISTING, flags, 0)
	if err != nil {
		return 0, 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	if attributes, err = checkPlain(h, path); err != nil {
		_ = windows.CloseHandle(h)
		return 0, 0, err
	}
	return h, attributes, nil
}

func checkPlain(h windows.Handle, path string) (attributes uint32, err error) {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(h, &info); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if info.FileAttributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0 {
		return 0, fmt.Errorf("%s leads elsewhere; remove it and try again", path)
	}
	sd, err := windows.GetSecurityInfo(h, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return 0, fmt.Errorf("reading the owner of %s: %w", path, err)
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return 0, fmt.Errorf("reading the owner of %s: %w", path, err)
	}
	if !isTrusted(owner) {
		return 0, fmt.Errorf("%s belongs to %s; remove it and try again", path, owner)
	}
	return info.FileAttributes, nil
}

// isTrusted knows SYSTEM, Administrators, and whoever runs this program: who
// may install is an administrator.
func isTrusted(sid *windows.SID) bool {
	if sid.IsWellKnown(windows.WinLocalSystemSid) || sid.IsWellKnown(windows.WinBuiltinAdministratorsSid) {
		return true
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	return err == nil && user.User.Sid.Equals(sid)
}
