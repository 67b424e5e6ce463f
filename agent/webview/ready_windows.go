package webview

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/windows/registry"
)

// The library sets these variables in every process that has it in it, so that
// nobody's choose another browser. It does so again before it starts one; nothing
// else that this program starts, such as installers, should find them.
func init() {
	for _, name := range []string{
		"WEBVIEW2_ADDITIONAL_BROWSER_ARGUMENTS", "WEBVIEW2_BROWSER_EXECUTABLE_FOLDER", "WEBVIEW2_PIPE_FOR_SCRIPT_DEBUGGER",
		"WEBVIEW2_RELEASE_CHANNEL_PREFERENCE", "WEBVIEW2_USER_DATA_FOLDER",
	} {
		_ = os.Unsetenv(name) // of names that it takes
	}
}

// Where the runtime's installer writes what it has installed for all users. What a
// user has for themselves is of no use to another one.
const (
	clientsKey = `SOFTWARE\Microsoft\EdgeUpdate\Clients\` + runtimeID
	stateKey   = `SOFTWARE\Microsoft\EdgeUpdate\ClientState\` + runtimeID
	runtimeID  = "{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}"
)

// Ready tells why this device can show no pages; nil: it has a runtime that may.
func Ready() error {
	version, err := machineValue(clientsKey, "pv")
	if err == nil {
		err = checkVersion(version)
	}
	if err != nil {
		return err
	}
	// What starts the runtime looks here, and where it finds nothing, at what users
	// or testers have installed.
	folder, err := machineValue(stateKey, "EBWebView")
	if err != nil {
		return err
	}
	if err := checkVersion(filepath.Base(folder)); err != nil {
		return err
	}
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if _, err := os.Stat(filepath.Join(folder, "EBWebView", arch, "EmbeddedBrowserWebView.dll")); err != nil {
		return fmt.Errorf("the WebView2 runtime: %w", err)
	}
	return nil
}

// machineValue reads a text, empty if there is none. The installer has 32 bits.
func machineValue(key, name string) (string, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.QUERY_VALUE|registry.WOW64_32KEY)
	if errors.Is(err, registry.ErrNotExist) {
		return "", errNoRuntime
	}
	if err != nil {
		return "", fmt.Errorf(`reading HKLM\%s: %w`, key, err)
	}
	defer k.Close() //nolint:errcheck // nothing was written
	text, _, err := k.GetStringValue(name)
	if errors.Is(err, registry.ErrNotExist) {
		return "", errNoRuntime
	}
	if err != nil {
		return "", fmt.Errorf(`reading HKLM\%s: %w`, key, err)
	}
	return text, nil
}
