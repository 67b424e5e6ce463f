package munkipkg

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"firstday.dev/internal/propertylist"
)

// buildInfo is what a project's build-info says.
type buildInfo struct {
	Name, Identifier, Version string
	InstallLocation           string
	PostinstallAction         string
	DistributionStyle         bool
	ProductID                 string
	MinOSVersion              string

	file     string // its name
	warnings []string
}

// maxBuildInfo bounds the file, in bytes.
const maxBuildInfo = 1 << 20

// formats are those of build-info, by the file's extension.
var formats = map[string]func([]byte, any) error{
	"plist": propertylist.Unmarshal,
	"json":  json.Unmarshal,
	"yaml":  readYAML,
	"yml":   readYAML,
}

// readYAML reads YAML without anchors, by which a small file becomes a huge one.
func readYAML(data []byte, v any) error {
	for _, t := range lexer.Tokenize(string(data)) {
		if t.Type == token.AnchorType || t.Type == token.AliasType {
			return errors.New("anchors and aliases are not read")
		}
	}
	return yaml.Unmarshal(data, v)
}

func readBuildInfo(root *os.Root) (*buildInfo, error) {
	var found []string
	for _, ext := range slices.Sorted(maps.Keys(formats)) {
		if _, err := root.Lstat("build-info." + ext); err == nil {
			found = append(found, ext)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if len(found) != 1 {
		return nil, invalid("it has %d files build-info.plist, .json or .yaml; it must have one", len(found))
	}
	name := "build-info." + found[0]
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBuildInfo+1))
	if err != nil {
		return nil, err
	}
	return parseBuildInfo(name, found[0], data)
}

func parseBuildInfo(name, format string, data []byte) (*buildInfo, error) {
	if len(data) > maxBuildInfo {
		return nil, invalid("%s is larger than %d bytes", name, maxBuildInfo)
	}
	var values map[string]any
	if err := formats[format](bytes.TrimPrefix(data, []byte("\ufeff")), &values); err != nil {
		return nil, invalid("%s: %w", name, err)
	}
	b := &buildInfo{file: name, InstallLocation: "/", PostinstallAction: "none"}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if err := b.set(key, values[key]); err != nil {
			return nil, err
		}
	}
	return b, b.complete()
}

// set takes over one value, and refuses what is not known: a typo would be lost.
func (b *buildInfo) set(key string, value any) error {
	texts := map[string]*string{
		"name": &b.Name, "identifier": &b.Identifier, "version": &b.Version, "install_location": &b.InstallLocation,
		"postinstall_action": &b.PostinstallAction, "product id": &b.ProductID, "product_id": &b.ProductID,
		"min-os-version": &b.MinOSVersion,
	}
	if text := texts[key]; text != nil {
		switch v := value.(type) {
		case string:
			*text = v
		case float64, uint64, int64, int: // version: 1.0
			return invalid("%s: %s is a number; put it in quotes", b.file, key)
		default:
			return invalid("%s: %s is no text", b.file, key)
		}
		return nil
	}
	switch key {
	case "distribution_style":
		return b.truth(key, value, &b.DistributionStyle)
	case "suppress_bundle_relocation":
		relocated := false
		if err := b.truth(key, value, &relocated); err != nil || relocated {
			return err
		}
		b.warn("%s is false, and bundles are never relocated here", key)
	case "ownership":
		if value != "recommended" {
			return invalid("%s: ownership is %q; only recommended is known here, with Bom.txt for what differs", b.file, fmt.Sprint(value))
		}
	case "compression":
		if value != "legacy" {
			b.warn("compression is %v, and gzip is used, which every macOS reads", value)
		}
	case "preserve_xattr", "large-payload", "large_payload":
		on := false
		if err := b.truth(key, value, &on); err != nil {
			return err
		}
		if on {
			return invalid("%s: %s cannot be done here", b.file, key)
		}
	case "signing_info":
		b.warn("signing_info is for macOS' keychain; sign the package with `firstday sign`")
	case "notarization_info":
		b.warn("notarization_info is for Xcode's tools; use `firstday pkg notarize`")
	default:
		return invalid("%s: the key %.100q is not known", b.file, key)
	}
	return nil
}

func (b *buildInfo) truth(key string, value any, into *bool) error {
	v, ok := value.(bool)
	if !ok {
		return invalid("%s: %s is neither true nor false", b.file, key)
	}
	*into = v
	return nil
}

func (b *buildInfo) warn(format string, args ...any) {
	b.warnings = append(b.warnings, b.file+": "+fmt.Sprintf(format, args...))
}

// complete fills in what follows from something else, as munkipkg does.
func (b *buildInfo) complete() error {
	if b.Identifier == "" || b.Version == "" {
		return invalid("%s: identifier or version is missing", b.file)
	}
	b.ProductID = cmp.Or(b.ProductID, b.Identifier)
	b.Name = strings.ReplaceAll(cmp.Or(b.Name, b.Identifier+"-${version}.pkg"), "${version}", b.Version)
	if !strings.HasSuffix(b.Name, ".pkg") {
		b.Name += ".pkg"
	}
	if strings.ContainsAny(b.Name, `/\`) || strings.HasPrefix(b.Name, ".") || len(b.Name) > 255 {
		return invalid("%s: name %.300q cannot be that of a file", b.file, b.Name)
	}
	return nil
}
