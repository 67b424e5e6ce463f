//go:build !windows

package credprov_test

import (
	"bytes"
	"debug/pe"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	saferwall "github.com/saferwall/pe"

	"firstday.dev/agent/credprov"
	"firstday.dev/internal/testcredprov"
)

var archs = map[string]uint16{"amd64": pe.IMAGE_FILE_MACHINE_AMD64, "arm64": pe.IMAGE_FILE_MACHINE_ARM64}

// imports is all that a DLL in LogonUI may ask for.
var imports = map[string][]string{
	"kernel32.dll": {
		"AcquireSRWLockExclusive", "AcquireSRWLockShared", "CancelIoEx", "CloseHandle", "CompareStringOrdinal", "CreateEventW", "CreateFileW", "CreateThread", "DeleteFileW",
		"DisableThreadLibraryCalls", "FreeLibrary", "FreeLibraryAndExitThread", "GetCurrentProcessId", "GetFileSizeEx", "GetLastError", "GetModuleFileNameW",
		"GetModuleHandleExW", "GetNamedPipeServerProcessId", "GetOverlappedResult", "GetProcessHeap", "GetTickCount64", "HeapAlloc", "HeapFree", "MultiByteToWideChar",
		"OpenProcess", "QueryFullProcessImageNameW", "QueryPerformanceCounter", "ReadFile", "ReleaseSRWLockExclusive", "ReleaseSRWLockShared", "SetEvent",
		"WaitForMultipleObjects", "WaitForSingleObject", "WideCharToMultiByte", "WriteFile",
	},
	"ole32.dll":    {"CoTaskMemAlloc", "CoTaskMemFree"},
	"advapi32.dll": {"GetTokenInformation", "IsWellKnownSid", "OpenProcessToken", "RegGetValueW"},
	"gdi32.dll":    {"CreateDIBSection"},
	"secur32.dll":  {"LsaConnectUntrusted", "LsaDeregisterLogonProcess", "LsaLookupAuthenticationPackage"},
	"wintrust.dll": {"WTHelperGetProvCertFromChain", "WTHelperGetProvSignerFromChain", "WTHelperProvDataFromStateData", "WinVerifyTrust"},
}

func TestBuildIsReproducible(t *testing.T) {
	first, second := testcredprov.Build(t, "1.2.3"), testcredprov.Build(t, "1.2.3")
	for arch := range archs {
		name := "firstday-credprov-" + arch + ".dll"
		a, errA := os.ReadFile(filepath.Join(first, name))
		b, errB := os.ReadFile(filepath.Join(second, name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs from itself: %d and %d bytes, %v, %v", name, len(a), len(b), errA, errB)
		}
		if home, err := os.Getwd(); err != nil || bytes.Contains(a, []byte(filepath.Dir(filepath.Dir(home)))) {
			t.Errorf("%s tells where it was built (%v)", name, err)
		}
	}
}

func TestDLLsAreHardened(t *testing.T) {
	dir := testcredprov.Build(t, "1.2.3")
	for arch, machine := range archs {
		path := filepath.Join(dir, "firstday-credprov-"+arch+".dll")
		f, err := pe.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		head := f.OptionalHeader.(*pe.OptionalHeader64)
		if f.Machine != machine || f.Characteristics&pe.IMAGE_FILE_DLL == 0 {
			t.Errorf("%s: machine %#x, characteristics %#x", arch, f.Machine, f.Characteristics)
		}
		const wanted = pe.IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE | pe.IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA | pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT | pe.IMAGE_DLLCHARACTERISTICS_GUARD_CF
		if head.DllCharacteristics&wanted != wanted {
			t.Errorf("%s: DLL characteristics %#x", arch, head.DllCharacteristics)
		}
		for _, i := range []int{pe.IMAGE_DIRECTORY_ENTRY_EXCEPTION, pe.IMAGE_DIRECTORY_ENTRY_BASERELOC, pe.IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG} {
			if head.DataDirectory[i].Size == 0 {
				t.Errorf("%s: the data directory %d is empty", arch, i)
			}
		}
		for _, i := range []int{pe.IMAGE_DIRECTORY_ENTRY_TLS, pe.IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT} {
			if head.DataDirectory[i].Size != 0 {
				t.Errorf("%s: there is a data directory %d", arch, i)
			}
		}
		for _, s := range f.Sections {
			if s.Characteristics&pe.IMAGE_SCN_MEM_WRITE != 0 && s.Characteristics&pe.IMAGE_SCN_MEM_EXECUTE != 0 {
				t.Errorf("%s: the section %s is writable and executable", arch, s.Name)
			}
		}
		checkImports(t, arch, f)
		checkAgain(t, arch, path)
	}
}

func checkImports(t *testing.T, arch string, f *pe.File) {
	t.Helper()
	symbols, err := f.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		name, library, _ := strings.Cut(s, ":")
		if !slices.Contains(imports[strings.ToLower(library)], name) {
			t.Errorf("%s: imports %s of %s", arch, name, library)
		}
	}
}

// checkAgain asks another reader.
func checkAgain(t *testing.T, arch, path string) {
	t.Helper()
	f, err := saferwall.New(path, &saferwall.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Parse(); err != nil {
		t.Fatal(err)
	}
	var exports []string
	for _, e := range f.Export.Functions {
		exports = append(exports, e.Name)
	}
	if diff := cmp.Diff([]string{"DllCanUnloadNow", "DllGetClassObject"}, exports); diff != "" {
		t.Errorf("%s: exports (-want +got):\n%s", arch, diff)
	}
	config, ok := f.LoadConfig.Struct.(saferwall.ImageLoadConfigDirectory64)
	if !ok {
		t.Fatalf("%s: the load configuration is %T", arch, f.LoadConfig.Struct)
	}
	const instrumentedWithTable = 0x500
	if config.GuardFlags&instrumentedWithTable != instrumentedWithTable || config.GuardCFFunctionCount == 0 || config.GuardCFFunctionTable == 0 ||
		config.GuardCFCheckFunctionPointer == 0 || config.SecurityCookie == 0 {
		t.Errorf("%s: no control flow guard in %+v", arch, config)
	}
	const system32Only = 0x800
	if config.DependentLoadFlags != system32Only {
		t.Errorf("%s: loads what it imports from anywhere (%#x)", arch, config.DependentLoadFlags)
	}
	if int(config.GuardCFFunctionCount) != len(f.LoadConfig.GFIDS) {
		t.Errorf("%s: %d functions in a table of %d", arch, config.GuardCFFunctionCount, len(f.LoadConfig.GFIDS))
	}
	versions, err := f.ParseVersionResources()
	if err != nil || versions["ProductName"] != "Firstday" || versions["FileVersion"] != "1.2.3" {
		t.Errorf("%s: version resource %v, %v", arch, versions, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, classBytes(t)) {
		t.Errorf("%s: the class is not %s", arch, credprov.CLSID)
	}
}

// classBytes is CLSID as memory holds it.
func classBytes(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer("{", "", "}", "", "-", "").Replace(credprov.CLSID))
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return b
}
