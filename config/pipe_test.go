//go:build unix

package config

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipesAreRefused names a pipe that nobody writes to: whoever opened it
// would wait for ever.
func TestPipesAreRefused(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip(err)
	}
	var mistakes Errors
	if _, err := Load(name); !errors.As(err, &mistakes) || mistakes[0].Message != "the configuration is not a file but a pipe" {
		t.Errorf("a configuration: %v", err)
	}
	if _, err := Load("/dev/zero"); !errors.As(err, &mistakes) || mistakes[0].Message != "the configuration is not a file but a device" {
		t.Errorf("a device: %v", err)
	}
	if _, err := (SecretSource{File: Path(name)}).Resolve(nil); !errors.Is(err, ErrBadSecret) || !strings.Contains(err.Error(), "but a pipe") {
		t.Errorf("a secret: %v", err)
	}
}
