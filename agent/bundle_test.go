package agent

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"firstday.dev/api"
)

func TestOpenBundleTakesNoLinkForTheEnrollment(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenBundle(filepath.Join(dir, api.EnrollmentFile)); !errors.Is(err, ErrEnrollment) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := OpenBundle(filepath.Join(dir, "no", api.EnrollmentFile)); !errors.Is(err, ErrEnrollment) {
		t.Errorf("missing folder: %v", err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, api.EnrollmentFile)); err != nil {
		t.Skip(err)
	}
	if _, err := OpenBundle(filepath.Join(dir, api.EnrollmentFile)); !errors.Is(err, ErrEnrollment) {
		t.Errorf("link: %v", err)
	}
}
