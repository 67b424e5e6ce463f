package macho

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"firstday.dev/internal/testmacho"
	"firstday.dev/internal/testtool"
)

// build makes a real program for macOS.
func build(t testing.TB, arch string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program-"+arch)
	if err := os.WriteFile(program, testmacho.Thin(t, arch), 0o600); err != nil {
		t.Fatal(err)
	}
	return program
}

func contents(t testing.TB, path string) Program {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Program{bytes.NewReader(b), int64(len(b))}
}

func TestMakeFatIsLipo(t *testing.T) {
	lipo := testtool.LLVM(t, "llvm-lipo")
	amd64, arm64 := build(t, "amd64"), build(t, "arm64")
	for name, programs := range map[string][]string{"both": {arm64, amd64}, "one": {amd64}} {
		path := filepath.Join(t.TempDir(), "fat")
		if out, err := exec.Command(lipo, append([]string{"-create", "-output", path}, programs...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var parts []Program
		for _, p := range programs {
			parts = append(parts, contents(t, p))
		}
		var got bytes.Buffer
		if err := MakeFat(&got, parts...); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: %d bytes, lipo makes %d", name, got.Len(), len(want))
		}
	}
}

func TestSlicesAreThePrograms(t *testing.T) {
	programs := map[CPU]Program{AMD64: contents(t, build(t, "amd64")), ARM64: contents(t, build(t, "arm64"))}
	var fat bytes.Buffer
	if err := MakeFat(&fat, programs[AMD64], programs[ARM64]); err != nil {
		t.Fatal(err)
	}
	r := bytes.NewReader(fat.Bytes())
	list, err := Slices(r, r.Size())
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	if peeked := Peek(fat.Bytes()[:PeekSize], r.Size()); !slices.Equal(peeked, list) {
		t.Errorf("at first sight it holds %v", peeked)
	}
	for _, s := range list {
		got, err := io.ReadAll(io.NewSectionReader(r, s.Offset, s.Size))
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(io.NewSectionReader(programs[s.CPU], 0, programs[s.CPU].Size))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v comes out different, %v", s.CPU, err)
		}
	}
	file, err := macho.NewFatFile(r)
	if err != nil || len(file.Arches) != 2 {
		t.Errorf("debug/macho: %v", err)
	}
	if again := MakeFat(io.Discard, Program{r, r.Size()}); !errors.Is(again, ErrArch) {
		t.Errorf("a universal binary within one: %v", again)
	}
	if twice := MakeFat(io.Discard, programs[AMD64], programs[AMD64]); !errors.Is(twice, ErrArch) {
		t.Errorf("twice the same: %v", twice)
	}
}

// thin is a program of headers alone.
func thin(cpu CPU) []byte {
	b := make([]byte, 4096)
	binary.LittleEndian.PutUint32(b, magicThin)
	binary.LittleEndian.PutUint32(b[4:], cpu.Type)
	binary.LittleEndian.PutUint32(b[8:], cpu.Subtype)
	return b
}

func fat(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	amd64, arm64 := thin(AMD64), thin(ARM64)
	if err := MakeFat(&b, Program{bytes.NewReader(amd64), int64(len(amd64))}, Program{bytes.NewReader(arm64), int64(len(arm64))}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSlicesRefuses(t *testing.T) {
	good := fat(t)
	edit := func(at int, value ...byte) []byte { b := bytes.Clone(good); copy(b[at:], value); return b }
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"empty":        {nil, ErrFormat},
		"text":         {[]byte("#!/bin/sh\n"), ErrFormat},
		"Java":         {edit(7, 52), ErrFormat},
		"none":         {edit(7, 0), ErrFormat},
		"cut":          {good[:len(good)-1], ErrFormat},
		"cut in table": {good[:20], ErrFormat},
		"32 bit":       {append([]byte{0xce, 0xfa, 0xed, 0xfe}, make([]byte, 100)...), ErrArch},
		"64-bit table": {edit(3, 0xbf), ErrArch},
		"alignment":    {edit(27, 20), ErrFormat},
		"odd offset":   {edit(19, 1), ErrFormat},
		"overlap":      {edit(36, 0, 0, 0x10, 0, 0, 0, 0x10, 0, 0, 0, 0, 12), ErrFormat},
		"in the table": {edit(16, 0, 0, 0, 0), ErrFormat},
		"other CPU":    {edit(8, 1, 0, 0, 12), ErrFormat},
	} {
		if _, err := Slices(bytes.NewReader(c.b), int64(len(c.b))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzSlices(f *testing.F) {
	f.Add(fat(f))
	f.Add(thin(ARM64))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Slices(bytes.NewReader(b), int64(len(b))); err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrArch) {
			t.Fatal(err)
		}
	})
}
