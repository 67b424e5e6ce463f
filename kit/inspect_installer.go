package kit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"firstday.dev/api"
	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/pkgbuild/macho"
	"firstday.dev/signing"
	"firstday.dev/templates/macos"
)

// InstallerInspection is what an installer package for macOS holds.
type InstallerInspection struct {
	Identifier        string                `json:"identifier"`
	Version           string                `json:"version"`
	Title             string                `json:"title,omitempty"`
	Created           time.Time             `json:"created"`
	HostArchitectures []string              `json:"hostArchitectures,omitempty"`
	MinOSVersion      string                `json:"minOSVersion,omitempty"`
	TeamID            string                `json:"teamId,omitempty"`
	Stapled           bool                  `json:"stapled,omitempty"` // it carries Apple's ticket
	Components        []ComponentInspection `json:"components"`
	Programs          []MachOInspection     `json:"programs,omitempty"`
	Secrets           []SecretInspection    `json:"secrets,omitempty"`
	Findings          []pkgbuild.Finding    `json:"findings,omitempty"`
	Tree              []InstalledFile       `json:"tree"`
}

// ComponentInspection is a component of an installer package.
type ComponentInspection struct {
	Identifier      string   `json:"identifier"`
	Version         string   `json:"version"`
	InstallLocation string   `json:"installLocation"`
	Scripts         []string `json:"scripts,omitempty"` // run as root
	Files           int      `json:"files"`
}

// InstalledFile is a file that a package puts on a Mac.
type InstalledFile struct {
	Path string `json:"path"` // on the volume
	Size int64  `json:"size"` // bytes
	Mode string `json:"mode"`
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`
}

// MachOInspection is a program for macOS.
type MachOInspection struct {
	File   string            `json:"file"`
	Slices []SliceInspection `json:"slices,omitempty"`
	Error  string            `json:"error,omitempty"` // why it cannot be read
}

// SliceInspection is a program for one architecture, and who signed it.
type SliceInspection struct {
	Arch         string          `json:"arch"`
	Identifier   string          `json:"identifier,omitempty"`
	TeamID       string          `json:"teamId,omitempty"`
	Runtime      bool            `json:"hardenedRuntime"`
	CDHash       string          `json:"cdHash,omitempty"`
	Requirement  string          `json:"requirement,omitempty"`
	Entitlements string          `json:"entitlements,omitempty"`
	Signature    *SignatureState `json:"signature"`
}

func inspectInstaller(ctx context.Context, f *os.File, size int64, o InspectOptions) (*InstallerInspection, *SignatureState, error) {
	p, err := pkgbuild.Open(f, size)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	i := &InstallerInspection{Created: p.Archive.Created, Stapled: p.Archive.Ticket != nil}
	if d := p.Product; d != nil {
		i.Identifier, i.Version, i.Title = d.Identifier, d.Version, d.Title
		i.HostArchitectures, i.MinOSVersion = d.HostArchitectures, d.MinOSVersion
	} else {
		i.Identifier, i.Version = p.Components[0].Info.Identifier, p.Components[0].Info.Version
	}
	trust := o.VerifyOptions.VerifyOptions
	trust.Foreign = true // it may be anybody's
	report, err := signing.VerifyPackage(ctx, f, size, trust)
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	var state *SignatureState
	if report != nil {
		i.TeamID = report.TeamID
		state = stateOf(report.Report, err)
	} else {
		state = stateOf(nil, err)
	}
	for _, c := range p.Components {
		if err := i.addComponent(ctx, c, o); err != nil {
			return nil, nil, err
		}
	}
	list, err := p.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, file := range list {
		i.Tree = append(i.Tree, InstalledFile{file.VolumePath, file.Size, file.FileMode().String(), file.UID, file.GID})
	}
	i.Findings = pkgbuild.Lint(ctx, p)
	return i, state, ctx.Err()
}

// addComponent looks into every file that is installed for programs and, among
// what is ours, for secrets.
func (i *InstallerInspection) addComponent(ctx context.Context, c *pkgbuild.PackagedComponent, o InspectOptions) error {
	ci := ComponentInspection{Identifier: c.Info.Identifier, Version: c.Info.Version, InstallLocation: c.Info.InstallLocation}
	for _, s := range c.Info.Scripts {
		ci.Scripts = append(ci.Scripts, s.Kind)
	}
	if !c.HasPayload() {
		i.Components = append(i.Components, ci)
		return nil
	}
	base := path.Join("/", c.Info.InstallLocation)
	err := c.Walk(ctx, func(h *cpio.Header, r io.Reader) error {
		ci.Files++
		name := path.Join(base, h.Name)
		if name == path.Join(macos.DataFolder, api.EnrollmentFile) {
			i.addSecret(name, r, o.Reveal)
			return nil
		}
		if !isRegular(h) {
			return nil
		}
		return i.addProgram(ctx, name, r, o)
	})
	i.Components = append(i.Components, ci)
	return err
}

func isRegular(h *cpio.Header) bool { return h.Mode&0o170000 == 0o100000 }

func (i *InstallerInspection) addSecret(name string, r io.Reader, reveal bool) {
	e, err := api.ReadEnrollment(r)
	switch {
	case err != nil:
		i.Secrets = append(i.Secrets, SecretInspection{File: name, What: "unreadable enrollment: " + err.Error()})
	case e.ConnectKey != "":
		s := SecretInspection{File: name, What: "connect key of " + e.Organisation}
		if reveal {
			s.Value = e.ConnectKey.Reveal()
		}
		i.Secrets = append(i.Secrets, s)
	}
}

// addProgram takes a program out of the package into a temporary file: its
// signature is at its end.
func (i *InstallerInspection) addProgram(ctx context.Context, name string, r io.Reader, o InspectOptions) error {
	head := make([]byte, 8)
	_, err := io.ReadFull(r, head)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil // too short for a program
	case err != nil:
		return err
	case !isMachO(head):
		return nil
	}
	temp, err := os.CreateTemp("", "firstday-inspect-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // a leftover in the temporary folder is not worth an error
	defer temp.Close()
	size, err := io.Copy(temp, io.MultiReader(strings.NewReader(string(head)), r))
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	i.Programs = append(i.Programs, inspectMachO(ctx, temp, size, name, o))
	return ctx.Err()
}

// inspectMachO reads a program and judges its signatures. What cannot be read
// is said, not refused.
func inspectMachO(ctx context.Context, f io.ReaderAt, size int64, name string, o InspectOptions) MachOInspection {
	m := MachOInspection{File: name}
	slices, err := macho.Slices(f, size)
	if err != nil {
		m.Error = err.Error()
		return m
	}
	trust := o.VerifyOptions.VerifyOptions
	trust.Foreign = true
	for _, s := range slices {
		m.Slices = append(m.Slices, inspectSlice(ctx, io.NewSectionReader(f, s.Offset, s.Size), s, trust))
	}
	return m
}

func inspectSlice(ctx context.Context, r io.ReaderAt, s macho.Slice, trust signing.VerifyOptions) SliceInspection {
	i := SliceInspection{Arch: s.CPU.String()}
	reports, err := signing.VerifyMachO(ctx, r, s.Size, trust)
	if len(reports) == 0 {
		i.Signature = stateOf(nil, err)
		return i
	}
	c := reports[0]
	i.Identifier, i.TeamID, i.CDHash = c.Identifier, c.TeamID, fmt.Sprintf("%x", c.CDHash)
	i.Runtime, i.Entitlements = c.Flags&macho.FlagRuntime != 0, string(c.Entitlements)
	if c.Designated != nil {
		i.Requirement = c.Designated.String()
	}
	if c.Report == nil {
		i.Signature = &SignatureState{State: "ad hoc"}
		return i
	}
	i.Signature = stateOf(c.Report, err)
	return i
}
