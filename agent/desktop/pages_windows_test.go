package desktop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/windows"
)

// removePlainly is os.RemoveAll in deletions that Wine knows.
func removePlainly(path string) error {
	var all []string
	err := filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		all = append(all, p)
		return err
	})
	for _, p := range slices.Backward(all) {
		err = errors.Join(err, os.Remove(p))
	}
	return err
}

// The window with the pages may write, and start processes; it leaves neither files
// nor processes behind, and says why it failed.
func TestWindowsPagesLeaveNothing(t *testing.T) {
	signInScreen(t)
	before := doors(t)
	root, err := os.MkdirTemp("", "pages") // Wine cannot remove a TempDir as Go does it
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(root) // it is empty if all is well
	o := opener(t)
	o.Folder, o.Remove = root, removePlainly
	for _, end := range []string{"say nothing", "hang", "failure"} {
		if err := os.MkdirAll(filepath.Join(root, "of one that was killed"), 0o700); err != nil {
			t.Fatal(err)
		}
		opened, err := o.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w := opened.(*window)
		entries, err := os.ReadDir(root)
		if err != nil || len(entries) != 1 {
			t.Fatalf("%v, %v", entries, err)
		}
		folder := filepath.Join(root, entries[0].Name())
		answers := bufio.NewScanner(w)
		ask := func(what string) string {
			t.Helper()
			if _, err := io.WriteString(w, what+"\n"); err != nil {
				t.Fatal(err)
			}
			if !answers.Scan() {
				t.Fatal(answers.Err())
			}
			return answers.Text()
		}
		for what, want := range map[string]string{
			"arguments":             PagesCommand + " " + folder,
			"environment":           "APPDATA LOCALAPPDATA PATH SystemRoot TEMP TMP USERPROFILE",
			"variable LOCALAPPDATA": folder,
			"variable TEMP":         folder,
			"write cookies":         "written",
		} {
			if got := ask(what); got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		var pid uint32
		if _, err := fmt.Sscanf(ask("start"), "%d <nil>", &pid); err != nil {
			t.Fatal(err)
		}
		child, err := windows.OpenProcess(windows.SYNCHRONIZE, false, pid)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, end+"\n"); err != nil {
			t.Fatal(err)
		}
		want := ""
		if end == "failure" {
			<-w.Ended()
			want = "the sign-in window: the WebView2 runtime makes no page"
		}
		got := ""
		if err := w.End(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", end, got, want)
		}
		if r, err := windows.WaitForSingleObject(child, 0); r != windows.WAIT_OBJECT_0 {
			t.Errorf("%s: a process that it has started runs on: %d, %v", end, r, err)
		}
		if err := windows.CloseHandle(child); err != nil {
			t.Error(err)
		}
		if entries, err := os.ReadDir(root); err != nil || len(entries) != 0 {
			t.Errorf("%s: %v are left, %v", end, entries, err)
		}
		if after := doors(t); after != before {
			t.Errorf("%s: the access lists are %s, before %s", end, after, before)
		}
	}
}
