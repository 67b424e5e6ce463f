package main

import (
	"bytes"
	"debug/pe"
	"strings"
	"testing"
)

// Nothing runs the agent for ARM64 here: it is the same source, and a program that
// Windows on ARM64 takes, with what is asked of one.
func TestAgentForARM64IsOne(t *testing.T) {
	t.Parallel()
	f, err := pe.NewFile(bytes.NewReader(build(t, "firstday.dev/cmd/firstday-agent", "arm64", "1.2.3")))
	if err != nil {
		t.Fatal(err)
	}
	head, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || f.Machine != pe.IMAGE_FILE_MACHINE_ARM64 || f.Characteristics&pe.IMAGE_FILE_DLL != 0 {
		t.Fatalf("machine %#x, characteristics %#x", f.Machine, f.Characteristics)
	}
	const wanted = pe.IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE | pe.IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA | pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT
	if head.DllCharacteristics&wanted != wanted || head.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_BASERELOC].Size == 0 {
		t.Errorf("DLL characteristics %#x, relocations %d", head.DllCharacteristics, head.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_BASERELOC].Size)
	}
	for _, s := range f.Sections {
		if s.Characteristics&pe.IMAGE_SCN_MEM_WRITE != 0 && s.Characteristics&pe.IMAGE_SCN_MEM_EXECUTE != 0 {
			t.Errorf("the section %s is writable and executable", s.Name)
		}
	}
	symbols, err := f.ImportedSymbols()
	if err != nil || len(symbols) == 0 {
		t.Errorf("imports %q, %v", symbols, err)
	}
	for _, s := range symbols {
		if !strings.HasSuffix(s, ":kernel32.dll") {
			t.Errorf("imports %s", s)
		}
	}
}
