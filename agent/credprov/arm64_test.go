//go:build !windows

package credprov_test

import (
	"debug/pe"
	"encoding/binary"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	saferwall "github.com/saferwall/pe"

	"firstday.dev/internal/testcredprov"
	"firstday.dev/internal/testtool"
)

// The DLL for ARM64 has what the other has, and not one instruction of x64; what
// Windows needs to walk the stack is there for all that calls something.
func TestARM64DLLIsOfOneKind(t *testing.T) {
	dir := testcredprov.Build(t, "1.2.3")
	path := filepath.Join(dir, "firstday-credprov-arm64.dll")
	if diff := cmp.Diff(parts(t, filepath.Join(dir, "firstday-credprov-amd64.dll")), parts(t, path)); diff != "" {
		t.Errorf("(-amd64 +arm64):\n%s", diff)
	}
	checkInstructions(t, path)
	checkUnwinding(t, path)
	f, err := saferwall.New(path, &saferwall.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Parse(); err != nil {
		t.Fatal(err)
	}
	if config, ok := f.LoadConfig.Struct.(saferwall.ImageLoadConfigDirectory64); !ok || config.CHPEMetadataPointer != 0 {
		t.Errorf("there is code of two kinds: %+v", f.LoadConfig.Struct)
	}
}

// parts gives a DLL's sections, with what may be done to each, and its imports.
func parts(t *testing.T, path string) (names []string) {
	t.Helper()
	f, err := pe.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, s := range f.Sections {
		var flags [3]byte
		for i, flag := range []uint32{pe.IMAGE_SCN_MEM_READ, pe.IMAGE_SCN_MEM_WRITE, pe.IMAGE_SCN_MEM_EXECUTE} {
			flags[i] = '-'
			if s.Characteristics&flag != 0 {
				flags[i] = "rwx"[i]
			}
		}
		names = append(names, "section "+s.Name+" "+string(flags[:]))
	}
	symbols, err := f.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(symbols)
	return append(names, symbols...)
}

// checkInstructions reads all of the code, but for what fills it up between functions.
func checkInstructions(t *testing.T, path string) {
	t.Helper()
	out, err := exec.Command(testtool.Need(t, "llvm-objdump"), "-d", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "<unknown>") && !strings.Contains(line, "cc cc cc cc") {
			t.Errorf("no instruction: %s", line)
		}
		count++
	}
	if count < 1000 {
		t.Errorf("%d lines of code:\n%s", count, out)
	}
}

// checkUnwinding finds each instruction that calls in a function that .pdata knows.
func checkUnwinding(t *testing.T, path string) {
	t.Helper()
	f, err := pe.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	code := f.Section(".text")
	words, err := code.Data()
	if err != nil {
		t.Fatal(err)
	}
	words = words[:code.VirtualSize]
	known := functionsIn(t, f)
	calls := 0
	for at := 0; at+4 <= len(words); at += 4 {
		const branchWithLink, toRegister = 0x25, 0xd63f0000 // BL, BLR
		word := binary.LittleEndian.Uint32(words[at:])
		if word>>26 != branchWithLink && word&^(31<<5) != toRegister {
			continue
		}
		calls++
		address := code.VirtualAddress + uint32(at)
		if !slices.ContainsFunc(known, func(k [2]uint32) bool { return k[0] <= address && address < k[1] }) {
			t.Errorf("a call at %#x that Windows cannot unwind", address)
		}
	}
	t.Logf("%d calls in %d functions", calls, len(known))
	if calls == 0 || len(words)%4 != 0 {
		t.Errorf("%d calls in %d bytes", calls, len(words))
	}
}

// functionsIn reads .pdata: where functions begin and end.
func functionsIn(t *testing.T, f *pe.File) (known [][2]uint32) {
	t.Helper()
	table := f.OptionalHeader.(*pe.OptionalHeader64).DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_EXCEPTION]
	entries := at(t, f, table.VirtualAddress, table.Size)
	end := uint32(0)
	for ; len(entries) >= 8; entries = entries[8:] {
		begin, unwind := binary.LittleEndian.Uint32(entries), binary.LittleEndian.Uint32(entries[4:])
		length := unwind >> 2 & 0x7ff // words, in an entry that is packed
		if unwind&3 == 0 {
			length = binary.LittleEndian.Uint32(at(t, f, unwind, 4)) & 0x3ffff
		}
		if begin < end || length == 0 {
			t.Errorf("a function of %d words at %#x, after one that ends at %#x", length, begin, end)
		}
		end = begin + 4*length
		known = append(known, [2]uint32{begin, end})
	}
	return known
}

// at gives bytes at an address of the image.
func at(t *testing.T, f *pe.File, address, size uint32) []byte {
	t.Helper()
	for _, s := range f.Sections {
		if s.VirtualAddress <= address && address+size <= s.VirtualAddress+s.VirtualSize {
			data, err := s.Data()
			if err != nil {
				t.Fatal(err)
			}
			return data[address-s.VirtualAddress:][:size]
		}
	}
	t.Fatalf("there is nothing at %#x", address)
	return nil
}
