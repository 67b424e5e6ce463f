package accounts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// No Mac has run this file or opendirectory_darwin.go yet.

// Open gives the accounts of the running system. There is no other way here:
// root must be empty.
func Open(root string) (Store, error) {
	if root != "" {
		return nil, fmt.Errorf("accounts below %s: %w", root, errors.ErrUnsupported)
	}
	return macStore{dir: openDirectory{}, homes: "/Users", makeHome: createHome, secureToken: secureToken}, nil
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

// secureToken reads what sysadminctl(8) writes to its standard error, whatever
// its exit code: "Secure token is ENABLED for user jane", or DISABLED (as
// recorded by github.com/aws/ec2-macos-init and of macOS 26.6 by
// github.com/tuist/tuist).
func secureToken(ctx context.Context, name string) *bool {
	ctx, cancel := context.WithTimeout(ctx, toolLimit)
	defer cancel()
	said, err := exec.CommandContext(ctx, "/usr/sbin/sysadminctl", "-secureTokenStatus", name).CombinedOutput()
	switch {
	case strings.Contains(string(said), "Secure token is ENABLED"):
		return new(true)
	case err == nil && strings.Contains(string(said), "Secure token is DISABLED"):
		return new(false)
	}
	return nil // it does not say
}
