package agent

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// maxSessions bounds what Windows says it has.
const maxSessions = 1000

// Sessions asks for the active ones. One whose user cannot be told is nobody's.
func (windowsSystem) Sessions() ([]session, error) {
	var list *windows.WTS_SESSION_INFO
	var count uint32
	if err := windows.WTSEnumerateSessions(0, 0, 1, &list, &count); err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(list)))
	shells, err := sessionsWithShell()
	if err != nil {
		return nil, err
	}
	var sessions []session
	for _, s := range unsafe.Slice(list, min(count, maxSessions)) {
		if s.State != windows.WTSActive {
			continue
		}
		user, err := userOf(s.SessionID)
		if err != nil {
			continue // the sign-in screen
		}
		sessions = append(sessions, session{ID: s.SessionID, User: user, Ready: shells[s.SessionID]})
	}
	return sessions, nil
}

func userOf(session uint32) (string, error) {
	var token windows.Token
	if err := windows.WTSQueryUserToken(session, &token); err != nil {
		return "", err
	}
	defer token.Close() //nolint:errcheck // it was only read
	user, err := token.GetTokenUser()
	if err != nil {
		return "", err
	}
	return user.User.Sid.String(), nil
}

// shell is the program that has the desktop.
const shell = "explorer.exe"

// sessionsWithShell finds the sessions in which the desktop is there.
func sessionsWithShell() (map[uint32]bool, error) {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	defer windows.CloseHandle(snapshot) //nolint:errcheck // it was only read
	found := make(map[uint32]bool)
	entry := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err = windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
		var session uint32
		if strings.EqualFold(windows.UTF16ToString(entry.ExeFile[:]), shell) && windows.ProcessIdToSessionId(entry.ProcessID, &session) == nil {
			found[session] = true
		}
	}
	if !errors.Is(err, windows.ERROR_NO_MORE_FILES) {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	return found, nil
}

// OpenPage has the user's own shell open it, with their own token: nothing of the
// service's is theirs then.
func (windowsSystem) OpenPage(s session, uri string) error {
	var token windows.Token
	if err := windows.WTSQueryUserToken(s.ID, &token); err != nil {
		return fmt.Errorf("the token of session %d: %w", s.ID, err)
	}
	defer token.Close() //nolint:errcheck // nothing was written
	user, err := token.GetTokenUser()
	if err != nil {
		return fmt.Errorf("whose session %d is: %w", s.ID, err)
	}
	if now := user.User.Sid.String(); now != s.User {
		return fmt.Errorf("session %d is another's by now, %s", s.ID, now)
	}
	folder, err := windows.GetSystemWindowsDirectory()
	if err != nil {
		return err
	}
	program := filepath.Join(folder, shell)
	var texts [4]*uint16
	for i, text := range []string{program, windows.ComposeCommandLine([]string{program, uri}), folder, `winsta0\default`} {
		if texts[i], err = windows.UTF16PtrFromString(text); err != nil {
			return err
		}
	}
	var environment *uint16
	if err := windows.CreateEnvironmentBlock(&environment, token, false); err != nil {
		return fmt.Errorf("the environment of session %d: %w", s.ID, err)
	}
	defer windows.DestroyEnvironmentBlock(environment) //nolint:errcheck // nothing to be done about it
	startup := &windows.StartupInfo{Desktop: texts[3]}
	startup.Cb = uint32(unsafe.Sizeof(*startup))
	var started windows.ProcessInformation
	if err := windows.CreateProcessAsUser(token, texts[0], texts[1], nil, nil, false, windows.CREATE_UNICODE_ENVIRONMENT, environment, texts[2], startup, &started); err != nil {
		return fmt.Errorf("starting %s in session %d: %w", shell, s.ID, err)
	}
	return errors.Join(windows.CloseHandle(started.Thread), windows.CloseHandle(started.Process))
}

// passportPolicy is below the machine's key and each user's.
const passportPolicy = `SOFTWARE\Policies\Microsoft\PassportForWork`

// HelloForbidden reads the policy "Use Windows Hello for Business", and the one
// that wants people not to be led to it after their sign-in.
func (windowsSystem) HelloForbidden(user string) (bool, error) {
	for _, key := range []struct {
		root registry.Key
		path string
	}{{registry.LOCAL_MACHINE, passportPolicy}, {registry.USERS, user + `\` + passportPolicy}} {
		forbidden, err := forbidsHello(key.root, key.path)
		if forbidden || err != nil {
			return forbidden, err
		}
	}
	return false, nil
}

func forbidsHello(root registry.Key, path string) (bool, error) {
	k, err := registry.OpenKey(root, path, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("the policy of Windows Hello: %w", err)
	}
	defer k.Close() //nolint:errcheck // it was only read
	for name, forbids := range map[string]func(uint64) bool{
		"Enabled":                      func(v uint64) bool { return v == 0 },
		"DisablePostLogonProvisioning": func(v uint64) bool { return v != 0 },
	} {
		value, _, err := k.GetIntegerValue(name)
		switch {
		case errors.Is(err, registry.ErrNotExist):
		case err != nil:
			return false, fmt.Errorf("the policy of Windows Hello, %s: %w", name, err)
		case forbids(value):
			return true, nil
		}
	}
	return false, nil
}
