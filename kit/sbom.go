package kit

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// sbom describes the packages of a kit as a CycloneDX document: each package
// with the files it carries, and for our agents the Go modules compiled into
// them, read from the very binaries that were packed (sources says where
// they are, by package/file; info reads one). inside is what bundles hold.
func sbom(m *Manifest, sources map[string]string, inside map[string][]Content, info func(path string) (*buildinfo.BuildInfo, error)) ([]byte, error) {
	doc := cdx.NewBOM()
	doc.SerialNumber = "urn:uuid:" + uuid.NewSHA1(m.Packages[0].ID, []byte("sbom")).String()
	doc.Metadata = &cdx.Metadata{
		Timestamp: m.Created.UTC().Format(time.RFC3339),
		Tools: &cdx.ToolsChoice{Components: &[]cdx.Component{{
			Type: cdx.ComponentTypeApplication, Name: "firstday", Version: m.Builder,
		}}},
		Component: &cdx.Component{
			BOMRef: "kit", Type: cdx.ComponentTypeApplication, Name: m.Organisation + " first-day kit", Version: m.Packages[0].Version,
		},
	}
	var components []cdx.Component
	for _, p := range m.Packages {
		c := cdx.Component{
			BOMRef: p.File, Type: cdx.ComponentTypeFile, Name: p.File, Version: p.Version,
			Hashes: sha256Hash(p.SHA256),
		}
		var carried []cdx.Component
		for _, content := range p.Contents {
			file := cdx.Component{
				BOMRef: p.File + "/" + content.File, Type: cdx.ComponentTypeFile, Name: content.File, Version: content.Version,
				Hashes: sha256Hash(content.SHA256),
			}
			if content.Kind == kindAgent {
				program, err := info(sources[file.BOMRef])
				if err != nil {
					return nil, fmt.Errorf("reading modules of agent: %w", err)
				}
				modules := goModules(program, file.BOMRef)
				file.Components = &modules
			}
			if files := inside[file.BOMRef]; files != nil {
				file.Hashes = nil // a folder has none
				file.Components = filesOf(files, file.BOMRef)
			}
			carried = append(carried, file)
		}
		c.Components = &carried
		components = append(components, c)
	}
	doc.Components = &components
	var b bytes.Buffer
	if err := cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON).SetPretty(true).Encode(doc); err != nil {
		return nil, fmt.Errorf("writing SBOM: %w", err)
	}
	return b.Bytes(), nil
}

// filesOf lists what a bundle holds.
func filesOf(files []Content, owner string) *[]cdx.Component {
	var list []cdx.Component
	for _, f := range files {
		list = append(list, cdx.Component{
			BOMRef: owner + "/" + f.File, Type: cdx.ComponentTypeFile, Name: f.File, Hashes: sha256Hash(f.SHA256),
		})
	}
	return &list
}

func sha256Hash(sum string) *[]cdx.Hash {
	return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sum}}
}

// goModules lists the modules the Go linker recorded in a program.
func goModules(info *buildinfo.BuildInfo, owner string) []cdx.Component {
	modules := []cdx.Component{{
		BOMRef: owner + "#std", Type: cdx.ComponentTypeLibrary, Name: "std", Version: info.GoVersion,
		PackageURL: "pkg:golang/std@" + info.GoVersion[len("go"):],
	}}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		modules = append(modules, cdx.Component{
			BOMRef: owner + "#" + dep.Path, Type: cdx.ComponentTypeLibrary, Name: dep.Path, Version: dep.Version,
			PackageURL: "pkg:golang/" + dep.Path + "@" + dep.Version,
		})
	}
	return modules
}
