package pkgbuild

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"firstday.dev/internal/testtool"
	"firstday.dev/pkgbuild/cpio"
)

// archive is a cpio archive of one file.
func archive(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	if err := w.WriteHeader(&cpio.Header{Name: "./file", Mode: cpio.ModeRegular | 0o644, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compress(t testing.TB, data []byte, name string, arguments ...string) []byte {
	t.Helper()
	tool := exec.Command(testtool.Need(t, name), arguments...)
	tool.Stdin = bytes.NewReader(data)
	out, err := tool.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// makePBZX compresses blocks of a size as Apple does: each an xz stream of its
// own without a check, or stored.
func makePBZX(t testing.TB, data []byte, size int) []byte {
	t.Helper()
	b := append([]byte("pbzx"), make([]byte, 0, 12)...)
	b = binary.BigEndian.AppendUint64(b, uint64(size))
	for len(data) > 0 {
		block := data[:min(size, len(data))]
		stored := compress(t, block, "xz", "--format=xz", "--check=none", "--lzma2=dict=8MiB", "-c")
		if len(stored) >= len(block) {
			stored = block
		}
		b = binary.BigEndian.AppendUint64(b, uint64(len(block)))
		b = binary.BigEndian.AppendUint64(b, uint64(len(stored)))
		b = append(b, stored...)
		data = data[len(block):]
	}
	return b
}

func firstFile(data []byte) (string, error) {
	in, err := openPayload(bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	if _, err := in.Next(); err != nil {
		return "", err
	}
	content, err := io.ReadAll(in)
	if err != nil {
		return "", err
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		return "", err
	}
	return string(content), nil
}

func TestPayloadsOfAllKinds(t *testing.T) {
	content := strings.Repeat("contents of a file ", 5000)
	plain := archive(t, content)
	for name, data := range map[string][]byte{
		"plain":           plain,
		"gzip":            compress(t, plain, "gzip", "-c"),
		"bzip2":           compress(t, plain, "bzip2", "-c"),
		"pbzx, one block": makePBZX(t, plain, 1<<24),
		"pbzx, blocks":    makePBZX(t, plain, 10_000),
		"pbzx, stored":    makePBZX(t, plain, 40),
	} {
		got, err := firstFile(data)
		if err != nil || got != content {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestBadPayloads(t *testing.T) {
	good := makePBZX(t, archive(t, strings.Repeat("contents ", 1000)), 5000)
	edit := func(at int, value ...byte) []byte { b := bytes.Clone(good); copy(b[at:], value); return b }
	for name, data := range map[string][]byte{
		"empty":                nil,
		"text":                 []byte("payload"),
		"pbzx header":          good[:8],
		"gigantic blocks":      edit(4, 0xff),
		"gigantic block":       edit(12, 0xff),
		"gigantic compressed":  edit(20, 0xff),
		"cut":                  good[:len(good)/2],
		"no xz":                edit(28, 'x'),
		"gigantic dictionary":  edit(28+12+4, 40),
		"another filter":       edit(28+12+2, 0x03),
		"data changed":         edit(28+30, 0xff, 0xff, 0xff),
		"shorter than it says": edit(19, 0xff),
	} {
		if got, err := firstFile(data); err == nil {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
}

func FuzzPBZX(f *testing.F) {
	f.Add(makePBZX(f, archive(f, strings.Repeat("contents ", 100)), 500))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = firstFile(append([]byte("pbzx"), data...))
		_, _ = firstFile(data)
	})
}
