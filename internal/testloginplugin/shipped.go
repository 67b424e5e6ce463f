package testloginplugin

import (
	"bytes"
	"crypto/sha256"
	"debug/macho"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testtool"
)

// Program is the code within a bundle.
func Program(bundle string) string {
	return filepath.Join(bundle, "Contents", "MacOS", "FirstdayLogin")
}

// allowed is all that the plug-in may ask of macOS. None of it reads or writes a
// file, but for what runs a program and talks to it.
var allowed = []string{
	"/System/Library/Frameworks/AppKit.framework/Versions/C/AppKit: _OBJC_CLASS_$_NSApplication _OBJC_CLASS_$_NSScreen _OBJC_CLASS_$_NSWindow _OBJC_METACLASS_$_NSWindow",
	"/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation: _CFPreferencesGetAppBooleanValue _CFRelease _OBJC_CLASS_$_NSArray",
	"/System/Library/Frameworks/CoreWLAN.framework/Versions/A/CoreWLAN: _OBJC_CLASS_$_CWWiFiClient",
	"/System/Library/Frameworks/Foundation.framework/Versions/C/Foundation: _OBJC_CLASS_$_NSBundle _OBJC_CLASS_$_NSData _OBJC_CLASS_$_NSString _OBJC_CLASS_$_NSURL _OBJC_CLASS_$_NSURLCredential _OBJC_CLASS_$_NSURLRequest" +
		" _NSURLAuthenticationMethodServerTrust",
	"/System/Library/Frameworks/Security.framework/Versions/A/Security: _SecCertificateCreateWithData _SecPolicyCreateSSL _SecTrustEvaluateWithError" +
		" _SecTrustSetAnchorCertificates _SecTrustSetAnchorCertificatesOnly _SecTrustSetNetworkFetchAllowed _SecTrustSetPolicies",
	"/System/Library/Frameworks/WebKit.framework/Versions/A/WebKit: _OBJC_CLASS_$_WKWebView _OBJC_CLASS_$_WKWebViewConfiguration _OBJC_CLASS_$_WKWebsiteDataStore _OBJC_METACLASS_$_WKWebView",
	"/usr/lib/libSystem.B.dylib: ___stack_chk_fail ___stack_chk_guard __dispatch_main_q _calloc _clock_gettime_nsec_np _close _connect _dispatch_async_f _free" +
		" _getaudit_addr _getpeereid _kill _memchr _memcmp _memcpy _memmove _memset _memset_s _pipe _poll _posix_spawn _posix_spawn_file_actions_addclose" +
		" _posix_spawn_file_actions_adddup2 _posix_spawn_file_actions_destroy _posix_spawn_file_actions_init _pthread_create _pthread_detach" +
		" _pthread_mutex_destroy _pthread_mutex_init _pthread_mutex_lock _pthread_mutex_unlock _pthread_self _read _recv _send _setsockopt _socket" +
		" _strchr _strcmp _strcspn _strlen _strncmp _strspn _strstr _waitpid _write _bzero dyld_stub_binder",
	"/usr/lib/libobjc.A.dylib: _OBJC_CLASS_$_NSObject _OBJC_METACLASS_$_NSObject __objc_empty_cache _objc_alloc _objc_alloc_init _objc_autoreleasePoolPop" +
		" _objc_autoreleasePoolPush _objc_msgSend _objc_msgSendSuper2 _objc_msgSend_stret _objc_opt_class _objc_opt_isKindOfClass _objc_release _objc_retain",
}

// CheckShipped fails the test unless the code of a bundle is for both processors,
// exports what authd calls and no more, asks macOS for no more than it may, and has
// the pages that were signed under a name.
func CheckShipped(tb testing.TB, bundle, identifier string) {
	tb.Helper()
	data, err := os.ReadFile(Program(bundle))
	if err != nil {
		tb.Fatal(err)
	}
	fat, err := macho.NewFatFile(bytes.NewReader(data))
	if err != nil {
		tb.Fatal(err)
	}
	var cpus []macho.Cpu
	for _, slice := range fat.Arches {
		cpus = append(cpus, slice.Cpu)
		checkSlice(tb, slice.File)
		checkLoads(tb, slice.File)
		code := data[slice.Offset:][:slice.Size]
		if bad := badPages(tb, slice.File, code, identifier); bad != 0 {
			tb.Errorf("%v: %d pages are not as they were signed", slice.Cpu, bad)
		}
		at := bytes.Index(code, []byte("/var/run/firstday/agent.sock"))
		if at < 0 {
			tb.Fatalf("%v: it names no socket", slice.Cpu)
		}
		code[at]++
		if bad := badPages(tb, slice.File, code, identifier); bad != 1 {
			tb.Errorf("%v: of one changed page %d are found", slice.Cpu, bad)
		}
	}
	if diff := cmp.Diff([]macho.Cpu{macho.CpuAmd64, macho.CpuArm64}, cpus); diff != "" {
		tb.Errorf("(-want +got):\n%s", diff)
	}
	checkAgain(tb, Program(bundle))
}

func checkSlice(tb testing.TB, f *macho.File) {
	tb.Helper()
	if f.Type != macho.TypeBundle || f.Flags&macho.FlagTwoLevel == 0 || f.Flags&(macho.FlagAllowStackExecution) != 0 {
		tb.Errorf("%v: type %v, flags %#x", f.Cpu, f.Type, f.Flags)
	}
	for library, names := range imported(tb, f) {
		i := slices.IndexFunc(allowed, func(line string) bool { return strings.HasPrefix(line, library+": ") })
		if i < 0 {
			tb.Errorf("%v: it is linked with %s", f.Cpu, library)
			continue
		}
		for _, name := range names {
			if !slices.Contains(strings.Fields(allowed[i])[1:], name) {
				tb.Errorf("%v: it imports %s", f.Cpu, name)
			}
		}
	}
	var exported []string
	for _, s := range f.Symtab.Syms[f.Dysymtab.Iextdefsym:][:f.Dysymtab.Nextdefsym] {
		exported = append(exported, s.Name)
	}
	if diff := cmp.Diff([]string{"_AuthorizationPluginCreate"}, exported); diff != "" {
		tb.Errorf("%v: exports (-want +got):\n%s", f.Cpu, diff)
	}
}

// imported gives the imports of a slice, by library, as the linker's two-level
// names have them.
func imported(tb testing.TB, f *macho.File) map[string][]string {
	tb.Helper()
	libraries, err := f.ImportedLibraries()
	if err != nil {
		tb.Fatal(err)
	}
	all := make(map[string][]string)
	for _, l := range libraries {
		all[l] = nil
	}
	for _, s := range f.Symtab.Syms[f.Dysymtab.Iundefsym:][:f.Dysymtab.Nundefsym] {
		ordinal := int(s.Desc >> 8) // GET_LIBRARY_ORDINAL
		if ordinal == 0 || ordinal > len(libraries) {
			tb.Fatalf("%s is of library %d", s.Name, ordinal)
		}
		all[libraries[ordinal-1]] = append(all[libraries[ordinal-1]], s.Name)
	}
	return all
}

// checkLoads looks at the load commands: macOS 12 will do, and no page can be
// written to and run.
func checkLoads(tb testing.TB, f *macho.File) {
	tb.Helper()
	const buildVersion, rpath, platformMac, macOS12 = 0x32, 0x8000001c, 1, 12 << 16
	versions := 0
	for _, l := range f.Loads {
		raw := l.Raw()
		number := func(at int) uint32 { return binary.LittleEndian.Uint32(raw[at:]) }
		switch s, _ := l.(*macho.Segment); {
		case number(0) == buildVersion:
			if versions++; number(8) != platformMac || number(12) != macOS12 {
				tb.Errorf("%v: platform %d, from %#x", f.Cpu, number(8), number(12))
			}
		case number(0) == rpath:
			tb.Errorf("%v: it looks for libraries elsewhere", f.Cpu)
		case s != nil && s.Prot&6 == 6:
			tb.Errorf("%v: %s can be written to and run", f.Cpu, s.Name)
		}
	}
	if versions != 1 {
		tb.Errorf("%v: %d versions", f.Cpu, versions)
	}
}

// checkAgain asks LLVM, too: it reads the trie of exports and the opcodes that dyld binds
// by, not the table of symbols.
func checkAgain(tb testing.TB, path string) {
	tb.Helper()
	objdump := testtool.LLVM(tb, "llvm-objdump")
	for _, arch := range []string{"x86_64", "arm64"} {
		run := func(what ...string) string {
			out, err := exec.Command(objdump, append([]string{"--macho", "--arch=" + arch}, append(what, path)...)...).CombinedOutput()
			if err != nil {
				tb.Fatalf("%v: %s", err, out)
			}
			return string(out)
		}
		exports := regexp.MustCompile(`(?m)^0x\w+\s+(\S+)$`).FindAllStringSubmatch(run("--exports-trie"), -1)
		if len(exports) != 1 || exports[0][1] != "_AuthorizationPluginCreate" {
			tb.Errorf("%s: exports %q", arch, exports)
		}
		bound := regexp.MustCompile(`(?m)^__\w+ .* (libSystem|libobjc|CoreFoundation|CoreWLAN|Foundation|AppKit|WebKit|Security)\s+(\S+)$`).FindAllStringSubmatch(run("--bind", "--lazy-bind"), -1)
		names := strings.Fields(strings.Join(allowed, " "))
		if len(bound) < 40 {
			tb.Errorf("%s: %d imports", arch, len(bound))
		}
		for _, b := range bound {
			if !slices.Contains(names, b[2]) {
				tb.Errorf("%s: %s of %s is bound", arch, b[2], b[1])
			}
		}
	}
}

// codeOf gives the code of a slice without its signature, and the signature.
func codeOf(tb testing.TB, f *macho.File, slice []byte) (code, signature []byte) {
	tb.Helper()
	const codeSignature = 0x1d
	i := slices.IndexFunc(f.Loads, func(l macho.Load) bool { return binary.LittleEndian.Uint32(l.Raw()) == codeSignature })
	if i < 0 {
		tb.Fatalf("%v: it has no signature", f.Cpu)
	}
	raw := f.Loads[i].Raw()
	at, size := binary.LittleEndian.Uint32(raw[8:]), binary.LittleEndian.Uint32(raw[12:])
	return slice[:at], slice[at:][:size]
}

// badPages counts the pages whose hashes differ from those of the CodeDirectory.
func badPages(tb testing.TB, f *macho.File, slice []byte, identifier string) (bad int) {
	tb.Helper()
	const superBlob, directory, sha256Hash = 0xfade0cc0, 0xfade0c02, 2
	code, whole := codeOf(tb, f, slice)
	number := func(b []byte, at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
	if number(whole, 0) != superBlob || number(whole, 12) != 0 {
		tb.Fatalf("%v: the signature does not begin with a CodeDirectory", f.Cpu)
	}
	d := whole[number(whole, 16):]
	hashes, names, count, limit := d[number(d, 16):], d[number(d, 20):], int(number(d, 28)), int(number(d, 32))
	size, kind, page := int(d[36]), d[37], 1<<d[39]
	name, _, _ := bytes.Cut(names, []byte{0})
	if number(d, 0) != directory || string(name) != identifier || kind != sha256Hash || size != sha256.Size {
		tb.Fatalf("%v: %q has hashes of kind %d", f.Cpu, name, kind)
	}
	if limit != len(code) || count != (limit+page-1)/page {
		tb.Fatalf("%v: %d pages for %d bytes", f.Cpu, count, limit)
	}
	for i := range count {
		if sum := sha256.Sum256(code[i*page : min(limit, (i+1)*page)]); !bytes.Equal(sum[:], hashes[i*size:][:size]) {
			bad++
		}
	}
	return bad
}

// CheckSame fails the test unless the code of two bundles is the same, apart from
// who signed it.
func CheckSame(tb testing.TB, one, other string) {
	tb.Helper()
	first, second := unsigned(tb, one), unsigned(tb, other)
	for cpu, code := range first {
		if !bytes.Equal(code, second[cpu]) {
			tb.Errorf("%v: the code of %s is other than that of %s", cpu, one, other)
		}
	}
	if len(first) != 2 || len(second) != 2 {
		tb.Errorf("%d and %d slices", len(first), len(second))
	}
}

// unsigned gives the slices of a bundle as if nobody had signed them: without the
// signatures, and what the load commands say of their size.
func unsigned(tb testing.TB, bundle string) map[macho.Cpu][]byte {
	tb.Helper()
	data, err := os.ReadFile(Program(bundle))
	if err != nil {
		tb.Fatal(err)
	}
	fat, err := macho.NewFatFile(bytes.NewReader(data))
	if err != nil {
		tb.Fatal(err)
	}
	all := make(map[macho.Cpu][]byte)
	for _, slice := range fat.Arches {
		code, signature := codeOf(tb, slice.File, data[slice.Offset:][:slice.Size])
		const header, segmentSize, fileSize, dataSize = 32, 32, 48, 12
		at := header
		for _, l := range slice.Loads {
			raw := l.Raw()
			if s, ok := l.(*macho.Segment); ok && s.Name == "__LINKEDIT" {
				clear(code[at+segmentSize:][:8])
				clear(code[at+fileSize:][:8])
			}
			if int(binary.LittleEndian.Uint32(raw[8:])) == len(code) && int(binary.LittleEndian.Uint32(raw[12:])) == len(signature) {
				clear(code[at+dataSize:][:4])
			}
			at += len(raw)
		}
		all[slice.Cpu] = code
	}
	return all
}
