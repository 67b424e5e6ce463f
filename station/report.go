package station

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"firstday.dev/internal/atomicfile"
	"firstday.dev/templates/usb"
)

// WriteReport writes what was done into a folder, which is made if it is not there:
// as JSON for programs and as a page for people, each whole or not at all. It gives
// the names of both.
func (r *Run) WriteReport(dir string) (files []string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var data, page bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	if err := usb.Report.Execute(&page, r); err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	name := filepath.Join(dir, fmt.Sprintf("usb-%s-%.8s", r.Began.UTC().Format("20060102T150405.000Z"), r.KitID))
	for _, f := range []struct {
		name string
		data []byte
	}{{name + ".json", data.Bytes()}, {name + ".html", page.Bytes()}} {
		if err := atomicfile.WriteFile(f.name, f.data, 0o600); err != nil {
			return nil, err
		}
		files = append(files, f.name)
	}
	return files, nil
}
