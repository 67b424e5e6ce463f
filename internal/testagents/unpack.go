package testagents

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"firstday.dev/ppkg"
)

// Unpack does what Windows does with a provisioning package: it puts the files of
// its one command into a folder, and gives the command line to run there.
func Unpack(tb testing.TB, path string) (dir, line string) {
	tb.Helper()
	f, size := open(tb, path)
	r, err := ppkg.Open(f, size)
	if err != nil {
		tb.Fatal(err)
	}
	commands := r.Commands()
	if len(commands) != 1 || len(commands[0].Files) != 5 {
		tb.Fatalf("commands are %+v", commands)
	}
	dir = tb.TempDir()
	for _, a := range commands[0].Files {
		data, err := fs.ReadFile(r.FS, a.Path)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, a.Name), data, 0o600)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	return dir, commands[0].Line
}

// open opens a package until the test has ended.
func open(tb testing.TB, path string) (f *os.File, size int64) {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() }) // it is only read
	info, err := f.Stat()
	if err != nil {
		tb.Fatal(err)
	}
	return f, info.Size()
}
