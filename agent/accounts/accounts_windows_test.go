package accounts

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"
)

// These run under Wine too, see TestUnderWine. There accounts live only in the
// process that made them, and netapi32 has neither levels that show all of an
// account nor any way to change one: that much nothing here has seen work.

func TestWindowsGroupsHaveTheirNames(t *testing.T) {
	for kind, sid := range map[windows.WELL_KNOWN_SID_TYPE]string{
		windows.WinBuiltinAdministratorsSid: "S-1-5-32-544",
		windows.WinBuiltinUsersSid:          "S-1-5-32-545",
	} {
		name, err := groupName(kind)
		if err != nil || name == "" {
			t.Errorf("%s: %q, %v", sid, name, err)
		}
		if back, _, _, err := windows.LookupSID("", name); err != nil || back.String() != sid {
			t.Errorf("%s is called %q, which is %v, %v", sid, name, back, err)
		}
	}
}

func TestWindowsTakenNames(t *testing.T) {
	computer, err := windows.ComputerName()
	if err != nil {
		t.Fatal(err)
	}
	users, err := groupName(windows.WinBuiltinUsersSid)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{computer, strings.ToLower(computer), users} {
		if err := checkFree(name); !errors.Is(err, ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := checkFree("jane-of-nowhere"); err != nil {
		t.Error(err)
	}
	profiles, err := windows.KnownFolderPath(windows.FOLDERID_UserProfiles, windows.KF_FLAG_DEFAULT)
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(profiles, "jane-who-left")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(left) })
	if err := checkFree("Jane-Who-Left"); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), "is there") {
		t.Errorf("somebody's profile: %v", err)
	}
	if _, err := (windowsStore{}).Create(t.Context(), New{Name: users, Password: []byte("x"), Tag: "T"}); !errors.Is(err, ErrExists) {
		t.Errorf("Create: %v", err)
	}
}

func TestWindowsAddsAUser(t *testing.T) {
	const name = "jane.doe"
	password := utf16Password([]byte("correct horse é😀"))
	if err := addUser(name, password, mark("T-1", true), ufAccountDisable); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := deleteUser(name); err != nil {
			t.Error(err)
		}
	})
	var buf *byte
	if err := windows.NetUserGetInfo(nil, utf16Text(name), 1, &buf); err != nil {
		t.Fatal(err)
	}
	defer windows.NetApiBufferFree(buf)
	// Wine shows nothing else of it.
	if got := windows.UTF16PtrToString((*userInfo1)(unsafe.Pointer(buf)).name); got != name {
		t.Errorf("made %q", got)
	}
}

// As mingw-w64's lmaccess.h has them, on 64 bits.
func TestWindowsLayouts(t *testing.T) {
	var one userInfo1
	var twenty userInfo20
	var twentyThree userInfo23
	var reset validateReset
	got := []uintptr{
		unsafe.Offsetof(one.password), unsafe.Offsetof(one.passwordAge), unsafe.Offsetof(one.priv), unsafe.Offsetof(one.homeFolder),
		unsafe.Offsetof(one.comment), unsafe.Offsetof(one.flags), unsafe.Offsetof(one.script), unsafe.Sizeof(one),
		unsafe.Offsetof(twenty.comment), unsafe.Offsetof(twenty.flags), unsafe.Offsetof(twenty.rid), unsafe.Sizeof(twenty),
		unsafe.Offsetof(twentyThree.comment), unsafe.Offsetof(twentyThree.flags), unsafe.Offsetof(twentyThree.sid), unsafe.Sizeof(twentyThree),
		unsafe.Sizeof(stringInfo{}), unsafe.Sizeof(flagsInfo{}), unsafe.Sizeof(memberInfo{}),
		unsafe.Sizeof(userModals0{}), unsafe.Sizeof(validatePersisted{}), unsafe.Sizeof(validateHash{}),
		unsafe.Offsetof(reset.password), unsafe.Offsetof(reset.hash), unsafe.Offsetof(reset.mustChange), unsafe.Offsetof(reset.clearLocked), unsafe.Sizeof(reset),
		unsafe.Offsetof(validated{}.status), unsafe.Sizeof(validated{}),
	}
	want := []uintptr{
		8, 16, 20, 24, 32, 40, 48, 56, 16, 24, 28, 32, 16, 24, 32, 40, 8, 4, 8,
		20, 48, 16, 48, 64, 80, 81, 88, 48, 56,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWindowsMembers(t *testing.T) {
	if _, err := administratorsOfWindows(); err != nil {
		t.Error(err)
	}
	sid, err := windows.StringToSid("S-1-5-21-1-2-3-1004")
	if err != nil {
		t.Fatal(err)
	}
	// Wine takes every member; Windows none that there is not.
	if err := addMember(windows.WinBuiltinUsersSid, sid); err != nil && !errors.Is(err, windows.ERROR_NO_SUCH_MEMBER) && !errors.Is(err, windows.ERROR_INVALID_MEMBER) {
		t.Error(err)
	}
}

func TestWindowsNobody(t *testing.T) {
	for _, name := range []string{"", "nobody-here", "a\x00b", "a/b", strings.Repeat("a", 5000)} {
		if _, err := lookUser(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	if err := deleteUser("nobody-here"); !errors.Is(err, ErrNotFound) {
		t.Errorf("removing: %v", err)
	}
}

// The numbers are those of the system's headers.
func TestWindowsCodesAreTheSystems(t *testing.T) {
	for number, want := range map[uint32]windows.Errno{
		5: windows.ERROR_ACCESS_DENIED, 86: windows.ERROR_INVALID_PASSWORD, 112: windows.ERROR_DISK_FULL, 1316: windows.ERROR_USER_EXISTS,
		1324: windows.ERROR_ILL_FORMED_PASSWORD, 1325: windows.ERROR_PASSWORD_RESTRICTION, 1326: windows.ERROR_LOGON_FAILURE,
		1327: windows.ERROR_ACCOUNT_RESTRICTION, 1328: windows.ERROR_INVALID_LOGON_HOURS, 1329: windows.ERROR_INVALID_WORKSTATION,
		1330: windows.ERROR_PASSWORD_EXPIRED, 1331: windows.ERROR_ACCOUNT_DISABLED, 1332: windows.ERROR_NONE_MAPPED,
		1371: windows.ERROR_SPECIAL_ACCOUNT, 1376: windows.ERROR_NO_SUCH_ALIAS, 1377: windows.ERROR_MEMBER_NOT_IN_ALIAS,
		1378: windows.ERROR_MEMBER_IN_ALIAS, 1379: windows.ERROR_ALIAS_EXISTS, 1385: windows.ERROR_LOGON_TYPE_NOT_GRANTED,
		1793: windows.ERROR_ACCOUNT_EXPIRED, 1907: windows.ERROR_PASSWORD_MUST_CHANGE, 1909: windows.ERROR_ACCOUNT_LOCKED_OUT,
	} {
		if windows.Errno(number) != want || !slices.ContainsFunc(windowsCodes, func(c windowsCode) bool { return c.number == number }) {
			t.Errorf("%d is %v", number, want)
		}
	}
}

func TestWindowsPasswordText(t *testing.T) {
	for _, s := range []string{"a", "correct horse", "é山😀"} {
		if got := utf16Password([]byte(s)); string(utf16.Decode(got)) != s+"\x00" {
			t.Errorf("%q: %x", s, got)
		}
	}
}

func TestWindowsHasNoOtherRoot(t *testing.T) {
	if _, err := Open(`D:\`); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestWindowsProfiles(t *testing.T) {
	sid, err := windows.StringToSid("S-1-5-21-1-2-3-4")
	if err != nil {
		t.Fatal(err)
	}
	if home := profileOf(sid); home != "" {
		t.Errorf("a home of nobody: %s", home)
	}
}

func TestWindowsPasswordOfNobody(t *testing.T) {
	if _, err := (windowsStore{}).PasswordWorks(t.Context(), "nobody-of-that-name", []byte("x")); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}
