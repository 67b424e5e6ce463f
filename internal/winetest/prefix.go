package winetest

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed testdata/bcryptprimitives.c
var shimSource []byte

// recipe changes when a template must be made anew.
const recipe = "1"

// tools are the programs of a Wine installation.
type tools struct {
	wine, server string
	display      string // of X; empty: no window is seen
}

// command is a command of Wine's, working in the prefix.
func (t tools) command(ctx context.Context, prefix, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(),
		"WINEPREFIX="+prefix, "WINEARCH=win64", "WINEDEBUG=-all",
		// No .NET, no browser, no menu entries on the developer's desktop.
		"WINEDLLOVERRIDES=mscoree,mshtml=;winemenubuilder.exe=d",
		"DISPLAY="+t.display, "WAYLAND_DISPLAY=")
	return cmd
}

// template gives the prefix all others are copied from, made once per version
// of Wine and kept in the user's cache folder.
func (t tools) template() (string, error) {
	version, err := exec.Command(t.wine, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("asking Wine for its version: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	key := sha256.Sum256(fmt.Append(nil, recipe, string(version), string(shimSource)))
	base := filepath.Join(cache, "firstday", "wine", fmt.Sprintf("%x", key[:8]))
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(base, "lock")) // packages are tested at the same time
	if err != nil {
		return "", err
	}
	defer unlock()
	t.removeAbandoned(base)
	template := filepath.Join(base, "template")
	if _, err := os.Stat(template); !errors.Is(err, fs.ErrNotExist) {
		return template, err
	}
	making := filepath.Join(base, "making")
	if err := os.RemoveAll(making); err != nil {
		return "", err
	}
	if err := t.makePrefix(making); err != nil {
		return "", err
	}
	return template, os.Rename(making, template)
}

// removeAbandoned removes the copies of tests that were killed.
func (t tools) removeAbandoned(base string) {
	copies, _ := filepath.Glob(filepath.Join(base, "run-*-*")) // the pattern is well formed
	for _, dir := range copies {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(dir), "run-%d-", &pid); err != nil || isAlive(pid) {
			continue
		}
		_ = t.command(context.Background(), dir, t.server, "--kill").Run()
		_ = os.RemoveAll(dir)
	}
}

func (t tools) makePrefix(dir string) error {
	ctx := context.Background()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if out, err := t.command(ctx, dir, t.wine, "wineboot", "--init").CombinedOutput(); err != nil {
		return fmt.Errorf("wineboot: %w: %s", err, out)
	}
	if out, err := t.command(ctx, dir, t.server, "--wait").CombinedOutput(); err != nil {
		return fmt.Errorf("wineserver: %w: %s", err, out)
	}
	return addShim(filepath.Join(dir, "drive_c", "windows", "system32", "bcryptprimitives.dll"))
}

// addShim builds the DLL Go programs need, unless Wine has it.
func addShim(dll string) error {
	if _, err := os.Stat(dll); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	source := dll + ".c"
	if err := os.WriteFile(source, shimSource, 0o600); err != nil {
		return err
	}
	defer func() { _ = os.Remove(source) }()
	out, err := exec.Command("x86_64-w64-mingw32-gcc", "-std=c11", "-O2", "-Wall", "-Werror", "-shared", "-s", "-o", dll, source, "-ladvapi32").CombinedOutput()
	if err != nil {
		return fmt.Errorf("this Wine has no bcryptprimitives.dll, and building one: %w: %s", err, out)
	}
	return nil
}

// clonePrefix copies a prefix. Big files are hard links; Wine writes its
// registry files in place, so those are copied.
func clonePrefix(template, dir string) error {
	return filepath.WalkDir(template, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(template, path)
		if err != nil {
			return err
		}
		target := filepath.Join(dir, rel)
		switch {
		case rel == ".":
			return nil
		case e.IsDir():
			return os.Mkdir(target, 0o755)
		case e.Type() == fs.ModeSymlink:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case filepath.Dir(rel) == ".":
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(target, data, 0o644)
		default:
			return os.Link(path, target)
		}
	})
}
