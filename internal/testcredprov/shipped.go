package testcredprov

import (
	"bytes"
	"debug/pe"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	saferwall "github.com/saferwall/pe"

	"firstday.dev/agent/credprov"
)

var machines = map[string]uint16{"amd64": pe.IMAGE_FILE_MACHINE_AMD64, "arm64": pe.IMAGE_FILE_MACHINE_ARM64}

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

// CheckShipped fails the test unless a DLL is for the architecture, has the
// version, asks for no more than it may, and is hardened as far as its compiler can.
func CheckShipped(tb testing.TB, path, arch, version string) {
	tb.Helper()
	f, err := pe.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() }) // it was only read
	head := f.OptionalHeader.(*pe.OptionalHeader64)
	if f.Machine != machines[arch] || f.Characteristics&pe.IMAGE_FILE_DLL == 0 {
		tb.Errorf("%s: machine %#x, characteristics %#x", arch, f.Machine, f.Characteristics)
	}
	const wanted = pe.IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE | pe.IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA | pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT | pe.IMAGE_DLLCHARACTERISTICS_GUARD_CF
	if head.DllCharacteristics&wanted != wanted {
		tb.Errorf("%s: DLL characteristics %#x", arch, head.DllCharacteristics)
	}
	for _, i := range []int{pe.IMAGE_DIRECTORY_ENTRY_EXCEPTION, pe.IMAGE_DIRECTORY_ENTRY_BASERELOC, pe.IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG} {
		if head.DataDirectory[i].Size == 0 {
			tb.Errorf("%s: the data directory %d is empty", arch, i)
		}
	}
	for _, i := range []int{pe.IMAGE_DIRECTORY_ENTRY_TLS, pe.IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT} {
		if head.DataDirectory[i].Size != 0 {
			tb.Errorf("%s: there is a data directory %d", arch, i)
		}
	}
	for _, s := range f.Sections {
		if s.Characteristics&pe.IMAGE_SCN_MEM_WRITE != 0 && s.Characteristics&pe.IMAGE_SCN_MEM_EXECUTE != 0 {
			tb.Errorf("%s: the section %s is writable and executable", arch, s.Name)
		}
	}
	checkImports(tb, arch, f)
	checkAgain(tb, arch, version, path)
}

func checkImports(tb testing.TB, arch string, f *pe.File) {
	tb.Helper()
	symbols, err := f.ImportedSymbols()
	if err != nil {
		tb.Fatal(err)
	}
	for _, s := range symbols {
		name, library, _ := strings.Cut(s, ":")
		if !slices.Contains(imports[strings.ToLower(library)], name) {
			tb.Errorf("%s: imports %s of %s", arch, name, library)
		}
	}
}

// checkAgain asks another reader.
func checkAgain(tb testing.TB, arch, version, path string) {
	tb.Helper()
	f, err := saferwall.New(path, &saferwall.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() }) // it was only read
	if err := f.Parse(); err != nil {
		tb.Fatal(err)
	}
	var exports []string
	for _, e := range f.Export.Functions {
		exports = append(exports, e.Name)
	}
	if diff := cmp.Diff([]string{"DllCanUnloadNow", "DllGetClassObject"}, exports); diff != "" {
		tb.Errorf("%s: exports (-want +got):\n%s", arch, diff)
	}
	config, ok := f.LoadConfig.Struct.(saferwall.ImageLoadConfigDirectory64)
	if !ok {
		tb.Fatalf("%s: the load configuration is %T", arch, f.LoadConfig.Struct)
	}
	const instrumentedWithTable = 0x500
	if config.GuardFlags&instrumentedWithTable != instrumentedWithTable || config.GuardCFFunctionCount == 0 || config.GuardCFFunctionTable == 0 ||
		config.GuardCFCheckFunctionPointer == 0 || config.SecurityCookie == 0 {
		tb.Errorf("%s: no control flow guard in %+v", arch, config)
	}
	const system32Only = 0x800
	if config.DependentLoadFlags != system32Only {
		tb.Errorf("%s: loads what it imports from anywhere (%#x)", arch, config.DependentLoadFlags)
	}
	if int(config.GuardCFFunctionCount) != len(f.LoadConfig.GFIDS) {
		tb.Errorf("%s: %d functions in a table of %d", arch, config.GuardCFFunctionCount, len(f.LoadConfig.GFIDS))
	}
	versions, err := f.ParseVersionResources()
	if err != nil || versions["ProductName"] != "Firstday" || versions["FileVersion"] != version {
		tb.Errorf("%s: version resource %v, %v", arch, versions, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if !bytes.Contains(data, classBytes(tb)) {
		tb.Errorf("%s: the class is not %s", arch, credprov.CLSID)
	}
}

// classBytes is CLSID as memory holds it.
func classBytes(tb testing.TB) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.NewReplacer("{", "", "}", "", "-", "").Replace(credprov.CLSID))
	if err != nil {
		tb.Fatal(err)
	}
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return b
}
