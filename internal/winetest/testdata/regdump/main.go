// Regdump writes every key and value below a key of HKEY_LOCAL_MACHINE, one a
// line, so that tests can compare them.
//
// usage: regdump KEY
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows/registry"
)

func main() {
	w := bufio.NewWriter(os.Stdout)
	if err := errors.Join(dump(w, os.Args[1]), w.Flush()); err != nil {
		fmt.Fprintln(os.Stderr, "regdump:", err)
		os.Exit(1)
	}
}

func dump(w *bufio.Writer, path string) error {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.READ)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer key.Close()
	fmt.Fprintf(w, "%s\\\n", path)
	values, err := key.ReadValueNames(-1)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range values {
		if err := dumpValue(w, key, path, name); err != nil {
			return fmt.Errorf("%s: %s: %w", path, name, err)
		}
	}
	names, err := key.ReadSubKeyNames(-1)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range names {
		if name == "Perflib" { // performance counters in the guise of a key
			continue
		}
		if err := dump(w, path+`\`+name); err != nil {
			return err
		}
	}
	return nil
}

func dumpValue(w *bufio.Writer, key registry.Key, path, name string) error {
	if text, _, err := key.GetStringValue(name); err == nil {
		fmt.Fprintf(w, "%s\\%s=%q\n", path, name, text)
		return nil
	}
	n, kind, err := key.GetValue(name, nil)
	if err != nil {
		return err
	}
	data := make([]byte, n)
	if n > 0 {
		if n, _, err = key.GetValue(name, data); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%s\\%s=%d:%x\n", path, name, kind, data[:n])
	return nil
}
