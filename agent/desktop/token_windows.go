package desktop

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

var procCreateRestrictedToken = windows.NewLazySystemDLL("advapi32.dll").NewProc("CreateRestrictedToken")

// disableMaxPrivilege leaves the privilege to pass through folders.
const disableMaxPrivilege = 1

// strip gives the token without its privileges.
func strip(t windows.Token) (windows.Token, error) {
	var stripped windows.Token
	ok, _, err := procCreateRestrictedToken.Call(uintptr(t), disableMaxPrivilege, 0, 0, 0, 0, 0, 0, uintptr(unsafe.Pointer(&stripped)))
	if ok == 0 {
		return 0, os.NewSyscallError("CreateRestrictedToken", err)
	}
	return stripped, nil
}

// moveTo moves a token to another session, which is where a process with it will
// run.
func moveTo(t windows.Token, session uint32) error {
	err := windows.SetTokenInformation(t, windows.TokenSessionId, (*byte)(unsafe.Pointer(&session)), uint32(unsafe.Sizeof(session)))
	if err != nil {
		return fmt.Errorf("moving a token to session %d: %w", session, err)
	}
	return nil
}

// lower sets medium integrity.
func lower(t windows.Token) error {
	sid, err := windows.CreateWellKnownSid(windows.WinMediumLabelSid)
	if err != nil {
		return err
	}
	label := &windows.Tokenmandatorylabel{Label: windows.SIDAndAttributes{Sid: sid, Attributes: windows.SE_GROUP_INTEGRITY}}
	if err := windows.SetTokenInformation(t, windows.TokenIntegrityLevel, (*byte)(unsafe.Pointer(label)), label.Size()); err != nil {
		return fmt.Errorf("the integrity level of a token: %w", err)
	}
	return nil
}

// windowToken makes the token of the window of the one our account was logged
// on with.
func windowToken(logon windows.Token, session uint32) (windows.Token, error) {
	token, err := strip(logon)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(lower(token), moveTo(token, session)); err != nil {
		return 0, errors.Join(err, token.Close())
	}
	return token, nil
}

// logonOf gives the SID that stands for the logon of a token.
func logonOf(t windows.Token) (string, error) {
	groups, err := t.GetTokenGroups()
	if err != nil {
		return "", fmt.Errorf("the groups of a token: %w", err)
	}
	for _, g := range groups.AllGroups() {
		if g.Attributes&windows.SE_GROUP_LOGON_ID == windows.SE_GROUP_LOGON_ID {
			return g.Sid.String(), nil
		}
	}
	return "", errors.New("a token that does not say which logon it is of")
}

// doorkeeperToken makes the token of the doorkeeper of this process's own.
func doorkeeperToken(session uint32) (windows.Token, error) {
	var own, token windows.Token
	const access = windows.TOKEN_DUPLICATE | windows.TOKEN_QUERY
	if err := windows.OpenProcessToken(windows.CurrentProcess(), access, &own); err != nil {
		return 0, os.NewSyscallError("OpenProcessToken", err)
	}
	defer own.Close() //nolint:errcheck // nothing was written through it
	if err := windows.DuplicateTokenEx(own, windows.TOKEN_ALL_ACCESS, nil, windows.SecurityAnonymous, windows.TokenPrimary, &token); err != nil {
		return 0, os.NewSyscallError("DuplicateTokenEx", err)
	}
	defer token.Close() //nolint:errcheck // nothing was written through it
	stripped, err := strip(token)
	if err != nil {
		return 0, err
	}
	if err := moveTo(stripped, session); err != nil {
		return 0, errors.Join(err, stripped.Close())
	}
	return stripped, nil
}
