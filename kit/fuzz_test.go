package kit

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"firstday.dev/internal/testagents"
	"firstday.dev/pkgbuild/macho"
	"firstday.dev/templates/macos"
)

func FuzzParseSums(f *testing.F) {
	hash := strings.Repeat("5a", 32)
	f.Add([]byte(hash + "  Acme.cat\n" + hash + "  Acme.ppkg\n"))
	f.Add([]byte(hash + "  ../Acme.ppkg\n"))
	f.Add([]byte(hash + " *Acme.ppkg\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSums(data)
		if err != nil {
			return
		}
		for name := range s {
			if strings.ContainsAny(name, `/\`) || name == ".." {
				t.Errorf("%q leads out of the kit", name)
			}
		}
		if !bytes.Equal(sums(s).encode(), data) {
			t.Error("accepted, and written differently")
		}
	})
}

// emptyDLL has headers, and a section that is all of what they point to.
func emptyDLL(machine uint16) []byte {
	const headers, section = 0x200, 0x200
	head := pe.OptionalHeader64{
		Magic: 0x20b, ImageBase: 0x180000000, SectionAlignment: 0x1000, FileAlignment: 0x200, SizeOfImage: 0x2000, SizeOfHeaders: headers,
		DllCharacteristics: hardening, NumberOfRvaAndSizes: 16,
	}
	head.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_EXPORT] = pe.DataDirectory{VirtualAddress: 0x1000, Size: section}
	head.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_RESOURCE] = pe.DataDirectory{VirtualAddress: 0x1000, Size: section}
	b := bytes.NewBuffer(append([]byte("MZ"), make([]byte, 0x3a)...))
	for _, part := range []any{
		uint32(0x40), [4]byte{'P', 'E'},
		pe.FileHeader{Machine: machine, NumberOfSections: 1, SizeOfOptionalHeader: 240, Characteristics: pe.IMAGE_FILE_DLL | pe.IMAGE_FILE_EXECUTABLE_IMAGE},
		head,
		pe.SectionHeader32{Name: [8]uint8{'.', 'r'}, VirtualSize: section, VirtualAddress: 0x1000, SizeOfRawData: section, PointerToRawData: headers},
	} {
		_ = binary.Write(b, binary.LittleEndian, part) // a buffer takes all
	}
	return append(b.Bytes(), make([]byte, headers+section-b.Len())...)
}

// What is called a DLL may be anything: it is read before anybody vouches for it.
func FuzzReadProgram(f *testing.F) {
	for _, machine := range []uint16{pe.IMAGE_FILE_MACHINE_AMD64, pe.IMAGE_FILE_MACHINE_ARM64} {
		dll := emptyDLL(machine)
		f.Add(dll)
		f.Add(dll[:128])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "firstday-credprov-arm64.dll")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		file, _, err := openRegular(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		p, err := readProgram(file)
		if err != nil {
			return
		}
		if p.checkProvider("arm64", testagents.Version) == nil && (p.Arch != "arm64" || !bytes.HasPrefix(data, []byte("MZ"))) {
			t.Errorf("%+v is taken for a credential provider", p)
		}
	})
}

// emptyPlugin has a symbol, and nothing else.
func emptyPlugin(cpu macho.CPU) []byte {
	const header, symbolTable = 32, 24
	var b bytes.Buffer
	name := pluginExport + "\x00"
	for _, part := range []any{
		[]uint32{0xfeedfacf, cpu.Type, cpu.Subtype, 8, 1, symbolTable, 0, 0},             // a bundle with a command
		[]uint32{2, symbolTable, header + symbolTable, 1, header + symbolTable + 16, 32}, // LC_SYMTAB
		uint32(0), uint8(0x0f), uint8(1), uint16(0), uint64(0), // the symbol
	} {
		_ = binary.Write(&b, binary.LittleEndian, part) // a buffer takes all
	}
	b.WriteString(name)
	return append(b.Bytes(), make([]byte, 32-len(name))...)
}

// What is called a plug-in may be anything, too.
func FuzzCheckPlugin(f *testing.F) {
	info := `<plist version="1.0"><dict><key>CFBundleIdentifier</key><string>dev.firstday.login</string><key>CFBundleExecutable</key><string>FirstdayLogin</string>` +
		`<key>CFBundleVersion</key><string>1.2.3</string><key>CFBundleShortVersionString</key><string>1.2.3</string></dict></plist>`
	var fat bytes.Buffer
	intel, arm := emptyPlugin(macho.AMD64), emptyPlugin(macho.ARM64)
	program := func(b []byte) macho.Program { return macho.Program{ReaderAt: bytes.NewReader(b), Size: int64(len(b))} }
	if err := macho.MakeFat(&fat, program(intel), program(arm)); err != nil {
		f.Fatal(err)
	}
	check := func(info, code []byte) error {
		return checkPlugin(fstest.MapFS{
			"Contents/Info.plist": {Data: info}, macos.PluginProgram: {Data: code}, macos.PluginPage: {Data: []byte("<p>")},
		}, "1.2.3")
	}
	if err := check([]byte(info), fat.Bytes()); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(info), fat.Bytes())
	f.Add([]byte(info), intel)
	f.Add([]byte("bplist00"), fat.Bytes())
	f.Fuzz(func(t *testing.T, info, code []byte) {
		if check(info, code) != nil {
			return
		}
		slices, err := macho.Slices(bytes.NewReader(code), int64(len(code)))
		if err == nil && len(slices) != 2 || !bytes.Contains(code, []byte(pluginExport)) || !bytes.Contains(info, []byte("dev.firstday.login")) {
			t.Errorf("taken for a plug-in, %v", slices)
		}
	})
}

func FuzzReadManifest(f *testing.F) {
	f.Add([]byte(`{"version":1,"builder":"firstday 1.0.0","organisation":"Acme","directory":"https://d.example",` +
		`"created":"2026-11-23T12:00:00Z","packages":[{"platform":"windows","file":"Acme.ppkg","size":1,"sha256":"00",` +
		`"id":"3f2b1c60-9a1e-4a52-8d6e-0a6c0a2a7b11","name":"Acme","version":"1.0","catalog":"Acme.cat","contents":[]}]}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ReadManifest(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadManifest(bytes.NewReader(again)); err != nil {
			t.Errorf("not accepted a second time: %v", err)
		}
	})
}

// FuzzJournal reads journals that others may have touched.
func FuzzJournal(f *testing.F) {
	first := `{"version":1,"key":"` + strings.Repeat("ab", 32) + `"}` + "\n"
	for _, seed := range []string{"", first, first + `{"kit":"a","inputs":"1","sums":"2"}` + "\n", "{}\n", first + "{\n", "\n" + first} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j := &journal{made: make(map[string]*entry)}
		if err := j.parse(data); err == nil && len(data) > 0 && len(j.key) != 32 {
			t.Errorf("a key of %d bytes", len(j.key))
		}
	})
}
