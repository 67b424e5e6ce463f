package station

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"firstday.dev/kit"
	"firstday.dev/station/media"
)

// A report says all of it, whatever sticks are called.
func TestReport(t *testing.T) {
	s := open(t, buildKit(t, kit.Windows))
	hostile := "<script>alert(1)</script>\u202e\x1b[2J"
	targets := append(folders(t.TempDir(), filepath.Join(t.TempDir(), "missing")), Target{
		Name: "sda", Format: true, Disk: &media.Disk{Name: "sda", Vendor: hostile, Model: hostile, Serial: hostile, Port: "1-4.2", Size: 8e9, Refusal: "the system is on it"},
	})
	run, _ := s.Write(t.Context(), targets, WriteOptions{now: onKitDay, Operator: hostile})
	dir := filepath.Join(t.TempDir(), "new", "reports")
	files, err := run.WriteReport(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"usb-20261124T090000.000Z-" + run.KitID[:8] + ".html", "usb-20261124T090000.000Z-" + run.KitID[:8] + ".json"}
	if diff := cmp.Diff(want, names(t, dir)); diff != "" {
		t.Error(diff)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var back Run
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(run, &back, cmpopts.IgnoreUnexported(Result{})); diff != "" {
		t.Error(diff)
	}
	page, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"1 of 3 sticks are good", "Müller &amp; Söhne", run.KitID, s.Manifest.Packages[0].ID.String(), s.Manifest.Packages[0].SHA256,
		"&lt;script&gt;alert(1)&lt;/script&gt;\\u202e\\x1b[2J", "port 1-4.2", "8000000000", "no such file", "the system is on it; nothing was written", "written</span>",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"<script", "\u202e", "\x1b"} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if _, err := run.WriteReport(files[0]); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// A stick that was exchanged is not written again under its old name, and one that is
// refused not at all.
func TestHintsAboutTheWrongDisk(t *testing.T) {
	for _, err := range []error{media.ErrAnother, media.ErrRefused} {
		if hint := Hint(fmt.Errorf("sdb: %w", err)); !strings.Contains(hint, "firstday usb list") || strings.Contains(hint, "write it again") {
			t.Errorf("%v: %q", err, hint)
		}
	}
}
