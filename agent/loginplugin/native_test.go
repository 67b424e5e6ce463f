//go:build !windows

package loginplugin_test

import (
	"bytes"
	"crypto/sha256"
	"debug/macho"
	"encoding/binary"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/authdb"
	"firstday.dev/agent/loginplugin"
	loginpage "firstday.dev/agent/page"
	"firstday.dev/internal/propertylist"
	"firstday.dev/internal/testtool"
)

// build builds the bundle, and gives its folder.
func build(t *testing.T) string {
	t.Helper()
	testtool.LLVM(t, "clang")
	testtool.LLVM(t, "ld64.lld")
	testtool.LLVM(t, "llvm-lipo")
	dir := t.TempDir()
	if out, err := exec.Command("./build.sh", dir, "1.2.3").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, loginplugin.Bundle)
}

// program is the code within a bundle.
func program(bundle string) string {
	return filepath.Join(bundle, "Contents", "MacOS", "FirstdayLogin")
}

// files gives what is in a bundle, with the modes.
func files(t *testing.T, bundle string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(bundle, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(bundle, path)
		text := info.Mode().String() + " "
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += string(data)
		}
		all[name] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestBuildIsReproducible(t *testing.T) {
	first, second := files(t, build(t)), files(t, build(t))
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range first {
		if second[name] != text {
			t.Errorf("%s differs from itself", name)
		}
		if strings.Contains(text, filepath.Dir(filepath.Dir(home))) {
			t.Errorf("%s tells where it was built", name)
		}
	}
	var names []string
	for name, text := range first {
		mode, _, _ := strings.Cut(text, " ")
		names = append(names, mode+" "+name)
	}
	slices.Sort(names)
	want := []string{
		"-rw-r--r-- Contents/Info.plist", "-rwxr-xr-x Contents/MacOS/FirstdayLogin", "drwxr-xr-x .", "drwxr-xr-x Contents", "drwxr-xr-x Contents/MacOS", "drwxr-xr-x Contents/Resources",
	}
	err = fs.WalkDir(loginpage.Files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case d.IsDir():
			want = append(want, "drwxr-xr-x Contents/Resources/"+name)
		default:
			want = append(want, "-rw-r--r-- Contents/Resources/"+name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, names); diff != "" || len(second) != len(first) {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestInfo(t *testing.T) {
	bundle := build(t)
	data, err := os.ReadFile(filepath.Join(bundle, "Contents", "Info.plist"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := propertylist.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"CFBundleDevelopmentRegion": "en", "CFBundleExecutable": filepath.Base(program(bundle)), "CFBundleIdentifier": "dev.firstday.login",
		"CFBundleInfoDictionaryVersion": "6.0", "CFBundleName": "FirstdayLogin", "CFBundlePackageType": "BNDL",
		"CFBundleShortVersionString": "1.2.3", "CFBundleVersion": "1.2.3", "LSMinimumSystemVersion": "12.0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if filepath.Base(authdb.BundlePath) != loginplugin.Bundle {
		t.Errorf("authd looks for %s", authdb.BundlePath)
	}
}

// A version goes into a script's and a compiler's arguments.
func TestBuildRefusesOddVersions(t *testing.T) {
	for _, version := range []string{`1"`, "1;x", "1 2", "$(x)", "1/../.."} {
		dir := t.TempDir()
		out, err := exec.Command("./build.sh", dir, version).CombinedOutput()
		if left, _ := os.ReadDir(dir); err == nil || !strings.Contains(string(out), "is no version") || len(left) > 0 {
			t.Errorf("%q: %v, %s", version, err, out)
		}
	}
}

// allowed is all that the plug-in may ask of macOS. None of it reads or writes a
// file, but for what runs a program and talks to it.
var allowed = []string{
	"/System/Library/Frameworks/AppKit.framework/Versions/C/AppKit: _OBJC_CLASS_$_NSApplication _OBJC_CLASS_$_NSScreen _OBJC_CLASS_$_NSWindow _OBJC_METACLASS_$_NSWindow",
	"/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation: _CFPreferencesGetAppBooleanValue",
	"/System/Library/Frameworks/Foundation.framework/Versions/C/Foundation: _OBJC_CLASS_$_NSBundle _OBJC_CLASS_$_NSString _OBJC_CLASS_$_NSURL _OBJC_CLASS_$_NSURLRequest",
	"/System/Library/Frameworks/WebKit.framework/Versions/A/WebKit: _OBJC_CLASS_$_WKWebView _OBJC_CLASS_$_WKWebViewConfiguration _OBJC_CLASS_$_WKWebsiteDataStore",
	"/usr/lib/libSystem.B.dylib: ___stack_chk_fail ___stack_chk_guard __dispatch_main_q _calloc _clock_gettime_nsec_np _close _connect _dispatch_async_f _free" +
		" _getaudit_addr _getpeereid _kill _memchr _memcmp _memcpy _memmove _memset _memset_s _pipe _poll _posix_spawn _posix_spawn_file_actions_addclose" +
		" _posix_spawn_file_actions_adddup2 _posix_spawn_file_actions_destroy _posix_spawn_file_actions_init _pthread_create _pthread_detach" +
		" _pthread_mutex_destroy _pthread_mutex_init _pthread_mutex_lock _pthread_mutex_unlock _pthread_self _read _recv _send _setsockopt _socket" +
		" _strchr _strcmp _strcspn _strlen _strncmp _strspn _strstr _waitpid _write _bzero dyld_stub_binder",
	"/usr/lib/libobjc.A.dylib: _OBJC_CLASS_$_NSObject _OBJC_METACLASS_$_NSObject __objc_empty_cache _objc_alloc _objc_alloc_init _objc_autoreleasePoolPop" +
		" _objc_autoreleasePoolPush _objc_msgSend _objc_msgSendSuper2 _objc_msgSend_stret _objc_opt_class _objc_opt_isKindOfClass _objc_release _objc_retain",
}

// imported gives the imports of a slice, by library, as the linker's two-level
// names have them.
func imported(t *testing.T, f *macho.File) map[string][]string {
	t.Helper()
	libraries, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for _, l := range libraries {
		all[l] = nil
	}
	for _, s := range f.Symtab.Syms[f.Dysymtab.Iundefsym:][:f.Dysymtab.Nundefsym] {
		ordinal := int(s.Desc >> 8) // GET_LIBRARY_ORDINAL
		if ordinal == 0 || ordinal > len(libraries) {
			t.Fatalf("%s is of library %d", s.Name, ordinal)
		}
		all[libraries[ordinal-1]] = append(all[libraries[ordinal-1]], s.Name)
	}
	return all
}

func TestSlices(t *testing.T) {
	fat, err := macho.OpenFat(program(build(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer fat.Close()
	var cpus []macho.Cpu
	for _, slice := range fat.Arches {
		cpus = append(cpus, slice.Cpu)
		if slice.Type != macho.TypeBundle || slice.Flags&macho.FlagTwoLevel == 0 || slice.Flags&(macho.FlagAllowStackExecution) != 0 {
			t.Errorf("%v: type %v, flags %#x", slice.Cpu, slice.Type, slice.Flags)
		}
		for library, names := range imported(t, slice.File) {
			i := slices.IndexFunc(allowed, func(line string) bool { return strings.HasPrefix(line, library+": ") })
			if i < 0 {
				t.Errorf("%v: it is linked with %s", slice.Cpu, library)
				continue
			}
			for _, name := range names {
				if !slices.Contains(strings.Fields(allowed[i])[1:], name) {
					t.Errorf("%v: it imports %s", slice.Cpu, name)
				}
			}
		}
		var exported []string
		for _, s := range slice.Symtab.Syms[slice.Dysymtab.Iextdefsym:][:slice.Dysymtab.Nextdefsym] {
			exported = append(exported, s.Name)
		}
		if diff := cmp.Diff([]string{"_AuthorizationPluginCreate"}, exported); diff != "" {
			t.Errorf("%v: exports (-want +got):\n%s", slice.Cpu, diff)
		}
		checkLoads(t, slice.File)
	}
	if diff := cmp.Diff([]macho.Cpu{macho.CpuAmd64, macho.CpuArm64}, cpus); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// checkLoads looks at the load commands: macOS 12 will do, and no page can be
// written to and run.
func checkLoads(t *testing.T, f *macho.File) {
	t.Helper()
	const buildVersion, rpath, platformMac, macOS12 = 0x32, 0x8000001c, 1, 12 << 16
	versions := 0
	for _, l := range f.Loads {
		raw := l.Raw()
		number := func(at int) uint32 { return binary.LittleEndian.Uint32(raw[at:]) }
		switch s, _ := l.(*macho.Segment); {
		case number(0) == buildVersion:
			if versions++; number(8) != platformMac || number(12) != macOS12 {
				t.Errorf("%v: platform %d, from %#x", f.Cpu, number(8), number(12))
			}
		case number(0) == rpath:
			t.Errorf("%v: it looks for libraries elsewhere", f.Cpu)
		case s != nil && s.Prot&6 == 6:
			t.Errorf("%v: %s can be written to and run", f.Cpu, s.Name)
		}
	}
	if versions != 1 {
		t.Errorf("%v: %d versions", f.Cpu, versions)
	}
}

// LLVM is asked, too: it reads the trie of exports and the opcodes that dyld binds
// by, not the table of symbols.
func TestLLVMFindsTheSame(t *testing.T) {
	objdump := testtool.LLVM(t, "llvm-objdump")
	path := program(build(t))
	for _, arch := range []string{"x86_64", "arm64"} {
		run := func(what ...string) string {
			out, err := exec.Command(objdump, append([]string{"--macho", "--arch=" + arch}, append(what, path)...)...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			return string(out)
		}
		exports := regexp.MustCompile(`(?m)^0x\w+\s+(\S+)$`).FindAllStringSubmatch(run("--exports-trie"), -1)
		if len(exports) != 1 || exports[0][1] != "_AuthorizationPluginCreate" {
			t.Errorf("%s: exports %q", arch, exports)
		}
		bound := regexp.MustCompile(`(?m)^__\w+ .* (libSystem|libobjc|CoreFoundation|Foundation|AppKit|WebKit)\s+(\S+)$`).FindAllStringSubmatch(run("--bind", "--lazy-bind"), -1)
		names := strings.Fields(strings.Join(allowed, " "))
		if len(bound) < 40 {
			t.Errorf("%s: %d imports", arch, len(bound))
		}
		for _, b := range bound {
			if !slices.Contains(names, b[2]) {
				t.Errorf("%s: %s of %s is bound", arch, b[2], b[1])
			}
		}
	}
}

// The linker's signature holds for every page, and a flipped byte would be found.
func TestPagesAreHashed(t *testing.T) {
	data, err := os.ReadFile(program(build(t)))
	if err != nil {
		t.Fatal(err)
	}
	fat, err := macho.NewFatFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for _, slice := range fat.Arches {
		code := data[slice.Offset:][:slice.Size]
		if bad := badPages(t, slice.File, code); bad != 0 {
			t.Errorf("%v: %d pages are not as they were signed", slice.Cpu, bad)
		}
		at := bytes.Index(code, []byte("/var/run/firstday/agent.sock"))
		if at < 0 {
			t.Fatalf("%v: it names no socket", slice.Cpu)
		}
		code[at]++
		if bad := badPages(t, slice.File, code); bad != 1 {
			t.Errorf("%v: of one changed page %d are found", slice.Cpu, bad)
		}
	}
}

// badPages counts the pages whose hashes differ from those of the CodeDirectory.
func badPages(t *testing.T, f *macho.File, code []byte) (bad int) {
	t.Helper()
	const codeSignature, superBlob, directory, adHoc, sha256Hash = 0x1d, 0xfade0cc0, 0xfade0c02, 2, 2
	i := slices.IndexFunc(f.Loads, func(l macho.Load) bool { return binary.LittleEndian.Uint32(l.Raw()) == codeSignature })
	if i < 0 {
		t.Fatalf("%v: it has no signature", f.Cpu)
	}
	raw := f.Loads[i].Raw()
	whole := code[binary.LittleEndian.Uint32(raw[8:]):][:binary.LittleEndian.Uint32(raw[12:])]
	number := func(b []byte, at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
	if number(whole, 0) != superBlob || number(whole, 8) != 1 || number(whole, 12) != 0 {
		t.Fatalf("%v: the signature is not a linker's", f.Cpu)
	}
	d := whole[number(whole, 16):]
	hashes, identifier, count, limit := d[number(d, 16):], d[number(d, 20):], int(number(d, 28)), int(number(d, 32))
	size, kind, page := int(d[36]), d[37], 1<<d[39]
	name, _, _ := bytes.Cut(identifier, []byte{0})
	if number(d, 0) != directory || number(d, 12)&adHoc == 0 || string(name) != "FirstdayLogin" || kind != sha256Hash || size != sha256.Size {
		t.Fatalf("%v: %q has flags %#x and hashes of kind %d", f.Cpu, name, number(d, 12), kind)
	}
	if limit != int(binary.LittleEndian.Uint32(raw[8:])) || count != (limit+page-1)/page {
		t.Fatalf("%v: %d pages for %d bytes", f.Cpu, count, limit)
	}
	for i := range count {
		if sum := sha256.Sum256(code[i*page : min(limit, (i+1)*page)]); !bytes.Equal(sum[:], hashes[i*size:][:size]) {
			bad++
		}
	}
	return bad
}
