package pkgbuild

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"firstday.dev/pkgbuild/macho"
)

// Severity is how bad a finding is.
type Severity string

// An error keeps the package, or what it installs, from working or from being
// safe. A warning is seldom meant.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Finding is something about a package that is likely a mistake.
type Finding struct {
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"`
	// Path is that of a file on the volume, which begins with a slash, or in
	// the archive.
	Path    string `json:"path"`
	Message string `json:"message"`
}

// maxFindings bounds the findings: who has so many has one mistake, often.
const maxFindings = 1000

// Lint looks for what is known to go wrong with packages on Macs, though they
// are valid. It reads everything once; programs are written to a temporary
// file to verify their signatures. Payloads that cannot be read are findings;
// once the context is done only what was found before is given.
func Lint(ctx context.Context, p *Package) []Finding {
	l := &linter{
		ctx: ctx, p: p, signed: p.Archive.RSA != nil || p.Archive.CMS != nil,
		installed: map[string]installed{}, architectures: map[string]bool{},
	}
	defer l.spool.remove()
	for _, c := range p.Components {
		l.lintInfo(c)
		l.lintScripts(c)
		l.lintPayload(c)
	}
	if !l.incomplete {
		l.lintJobs()
	}
	l.lintDistribution()
	return l.findings
}

// linter collects findings, and what they depend on.
type linter struct {
	ctx      context.Context
	p        *Package
	signed   bool
	findings []Finding
	// installed is what all components install, by the path that [key] gives.
	installed map[string]installed
	// incomplete says that there is more which could not be read: nothing is
	// known to be missing then.
	incomplete bool
	jobs       []job
	// architectures are those that at least one program is for.
	architectures map[string]bool
	spool         spool
}

type installed struct {
	mode uint32
	link bool // symbolic
}

func (l *linter) add(s Severity, rule, path, format string, args ...any) {
	if len(l.findings) < maxFindings {
		l.findings = append(l.findings, Finding{s, rule, path, fmt.Sprintf(format, args...)})
	}
}

// lintInfo looks at PackageInfo, and at which files there are.
func (l *linter) lintInfo(c *PackagedComponent) {
	info := path.Join(c.Folder, infoFile)
	hasBom := c.file(bomFile) != nil
	switch {
	case c.Info.HasPayload && !c.HasPayload():
		l.add(SeverityError, "payload-element", info, "it describes a payload, but there is none")
	case !c.Info.HasPayload && c.HasPayload():
		l.add(SeverityError, "payload-element", info, "it does not describe the payload; nothing of it is installed")
	case c.HasPayload() && !hasBom:
		l.add(SeverityError, "bom", path.Join(c.Folder, payloadFile), "it has no Bom, without which it cannot be installed")
	case hasBom && !c.HasPayload():
		l.add(SeverityError, "bom", path.Join(c.Folder, bomFile), "it lists a payload, but there is none")
	}
	if c.Info.Relocatable {
		l.add(SeverityWarning, "relocatable", info, "it lets the user choose another place than %s", c.Info.InstallLocation)
	}
	for _, id := range c.Info.RelocatableBundles {
		l.add(SeverityWarning, "relocatable", info, "Installer updates the bundle %s wherever it finds one, instead of installing it", id)
	}
	for _, name := range []string{payloadFile, scriptsFile} {
		if f := c.file(name); f != nil && f.Compressed {
			l.add(SeverityError, "payload-compressed", f.Name, "the archive compresses it again; Installer cannot read it")
		}
	}
}

// lintDistribution looks at what Installer decides by, once it is known what
// is installed.
func (l *linter) lintDistribution() {
	d := l.p.Product
	if d == nil {
		return
	}
	var folders, named []string
	for _, c := range l.p.Components {
		folders = append(folders, c.Folder)
	}
	for _, r := range d.Packages {
		name := r.Folder()
		if name != "" && !slices.Contains(folders, name) {
			l.add(SeverityError, "distribution-component", distributionFile, "it names #%s, which is no folder with a component", name)
		}
		named = append(named, name)
	}
	for _, folder := range folders {
		if !slices.Contains(named, folder) {
			l.add(SeverityWarning, "distribution-unused", folder, "Distribution does not name it; it is never installed")
		}
	}
	if d.strayVersions {
		l.add(SeverityWarning, "os-versions", distributionFile, "allowed-os-versions is outside volume-check, where Installer does not look for it")
	}
	l.lintArchitectures(d)
}

// lintArchitectures: where arm64 is missing Installer asks for Rosetta, and on
// a Mac without it nothing is installed unattended (formats/macos-pkg.md §3.7).
func (l *linter) lintArchitectures(d *Distribution) {
	arm := macho.ARM64.String()
	switch {
	case slices.Contains(d.HostArchitectures, arm):
	case l.architectures[arm]:
		l.add(SeverityError, "host-architectures", distributionFile, "hostArchitectures lacks arm64, which there are programs for: without Rosetta nothing is installed")
	case len(l.architectures) == 0 && !l.incomplete:
		l.add(SeverityWarning, "host-architectures", distributionFile, "hostArchitectures lacks arm64, though nothing needs Rosetta: without it nothing is installed")
	}
}

// key is how a path is compared: Macs know no upper and lower case, and three
// folders are links to those below private.
func key(volumePath string) string {
	name := strings.ToLower(strings.Trim(volumePath, "/"))
	for _, folder := range []string{"etc", "tmp", "var"} {
		if name == folder || strings.HasPrefix(name, folder+"/") {
			return "private/" + name
		}
	}
	return name
}
