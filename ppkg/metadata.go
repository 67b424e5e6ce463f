package ppkg

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"firstday.dev/ppkg/wim"
)

// Owner is who made a package. Where packages disagree, Windows applies the
// one of the higher owner, and of the higher rank within it, last.
type Owner int

// The owners in their order (formats/ppkg.md §1.2).
const (
	Microsoft Owner = iota + 1
	SiliconVendor
	OEM
	SystemIntegrator
	MobileOperator
	ITAdmin
)

var ownerNames = []string{"", "Microsoft", "SiliconVendor", "OEM", "SystemIntegrator", "MobileOperator", "ITAdmin"}

func (o Owner) valid() bool { return o >= Microsoft && o <= ITAdmin }

func (o Owner) String() string {
	if !o.valid() {
		return fmt.Sprintf("Owner(%d)", int(o))
	}
	return ownerNames[o]
}

// ParseOwner reads the OwnerType of a project.
func ParseOwner(name string) (Owner, error) {
	for i, known := range ownerNames {
		if i > 0 && strings.EqualFold(name, known) {
			return Owner(i), nil
		}
	}
	return 0, fmt.Errorf("unknown owner %.40q, it must be one of %s", name, strings.Join(ownerNames[1:], ", "))
}

const (
	maxRank      = 99
	altitudeStep = 1000 // between owners
)

// Altitude is the owner's base and the rank: the order in which Windows
// applies packages, from low to high.
func (p *Package) Altitude() int { return int(p.Owner-Microsoft)*altitudeStep + p.Rank }

// packageID names the element of a WIM's XML data that holds the package's ID.
const packageID = "PACKAGEID" //nolint:misspell // two words

// properties are the metadata Windows looks up in the WIM's XML data, in the
// order of Windows Configuration Designer.
func (p *Package) properties() []wim.Property {
	return []wim.Property{
		{Name: "NAME", Value: p.Name},
		{Name: "DESCRIPTION", Value: p.Description},
		{Name: "NOTES", Value: p.wimNotes()},
		{Name: "AUTHOR", Value: p.Author},
		{Name: "VERSION", Value: p.Version},
		{Name: "ALTITUDE", Value: strconv.Itoa(p.Altitude())},
		{Name: "RESETCLEAR", Value: "0"},
		{Name: packageID, Value: braced(p.ID)},
	}
}

// wimNotes has the form of the Designer's notes, which nothing reads, without
// claiming to be made by it.
func (p *Package) wimNotes() string {
	notes := "Source=Firstday;"
	if p.Notes != "" {
		notes += p.Notes + ";"
	}
	return notes + "EncryptPackage=False;PackageID=" + p.ID.String() + ";"
}

// braced is a GUID as Windows writes it, in lower case.
func braced(id uuid.UUID) string { return "{" + id.String() + "}" }

// isVersion allows the forms of Windows' version numbers.
func isVersion(s string) bool {
	parts := strings.Split(s, ".")
	for _, part := range parts {
		if _, err := strconv.ParseUint(part, 10, 16); err != nil {
			return false
		}
	}
	return len(parts) >= 2 && len(parts) <= 4
}

// settingsGroup is the name ICD gives the settings of one schema path: a UUID
// of version 5, and a suffix from the second use on (formats/ppkg.md §2.1).
func settingsGroup(path string, use int) string {
	group := uuid.NewSHA1(uuid.NameSpaceDNS, []byte("_"+strings.ReplaceAll(path, "/", "_"))).String()
	if use > 0 {
		group += "_" + strconv.Itoa(use-1)
	}
	return group
}
