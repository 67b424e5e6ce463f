package accounts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"firstday.dev/agent/program"
)

// No Mac has run this file or opendirectory_darwin.go yet.

// Open gives the accounts of the running system. There is no other way here:
// root must be empty.
func Open(root string) (Store, error) {
	if root != "" {
		return nil, fmt.Errorf("accounts below %s: %w", root, errors.ErrUnsupported)
	}
	return macStore{dir: openDirectory{}, homes: "/Users", makeHome: createHome, owner: ownerOf, tools: program.System{}}, nil
}

// toolLimit bounds each tool.
const toolLimit = time.Minute

// createHome asks createhomedir(8) for the home of a local user, from the
// system's template: -c is for local homes, -u for one user. What it says and
// how it ends is not relied upon; the home counts.
func createHome(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, toolLimit)
	defer cancel()
	said, err := exec.CommandContext(ctx, "/usr/sbin/createhomedir", "-c", "-u", name).CombinedOutput()
	if info, statErr := os.Stat(filepath.Join("/Users", name)); statErr != nil || !info.IsDir() {
		return fmt.Errorf("createhomedir made no home for %s: %.300q: %w", name, said, errors.Join(err, statErr))
	}
	return nil
}

func ownerOf(info fs.FileInfo) (int, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}
