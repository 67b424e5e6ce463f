package kit

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/saferwall/pe"
	pelog "github.com/saferwall/pe/log"
)

// Program is what a Windows program says of itself.
type Program struct {
	Arch        string `json:"arch"` // amd64, arm64, 386, or saferwall's name of the machine
	Version     string `json:"version,omitempty"`
	Product     string `json:"product,omitempty"`
	Company     string `json:"company,omitempty"`
	Description string `json:"description,omitempty"`

	library  bool     // a DLL
	hardened bool     // has NX, ASLR and high entropy
	exports  []string // by name
}

// hardening is what every program of ours is built with.
const hardening = pe.ImageDllCharacteristicsDynamicBase | pe.ImageDllCharacteristicsNXCompact | pe.ImageDllCharacteristicsHighEntropyVA

// readProgram reads the headers and the version resource of the PE file f.
// It judges no signature. f stays open.
func readProgram(f *os.File) (*Program, error) {
	if info, err := f.Stat(); err != nil || info.Size() == 0 {
		return nil, errors.Join(fmt.Errorf("%s is empty", f.Name()), err)
	}
	file, err := pe.NewFile(f, &pe.Options{
		DisableCertValidation:      true, // on Windows it would ask the network
		DisableSignatureValidation: true,
		OmitSecurityDirectory:      true,
		OmitExceptionDirectory:     true,
		OmitRelocDirectory:         true,
		OmitDebugDirectory:         true,
		OmitCLRHeaderDirectory:     true,
		Logger:                     pelog.NewStdLogger(io.Discard),
	})
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", f.Name(), err)
	}
	defer file.Unmap() //nolint:errcheck // only a mapping that is gone cannot be undone
	if err := file.Parse(); err != nil {
		return nil, fmt.Errorf("reading %s as a Windows program: %w", f.Name(), err)
	}
	p := &Program{
		Arch:    archOf(file.NtHeader.FileHeader.Machine),
		library: file.NtHeader.FileHeader.Characteristics&pe.ImageFileDLL != 0,
	}
	if head, ok := file.NtHeader.OptionalHeader.(pe.ImageOptionalHeader64); ok {
		p.hardened = head.DllCharacteristics&hardening == hardening
	}
	for _, e := range file.Export.Functions {
		p.exports = append(p.exports, e.Name)
	}
	resources, err := file.ParseVersionResources()
	if err != nil {
		return p, nil // a program without a readable version is still a program
	}
	p.Version = resources["ProductVersion"]
	p.Product = resources["ProductName"]
	p.Company = resources["CompanyName"]
	p.Description = resources["FileDescription"]
	return p, nil
}

func archOf(m pe.ImageFileHeaderMachineType) string {
	switch m {
	case pe.ImageFileMachineAMD64:
		return "amd64"
	case pe.ImageFileMachineARM64:
		return "arm64"
	case pe.ImageFileMachineI386:
		return "386"
	default:
		return m.String()
	}
}
