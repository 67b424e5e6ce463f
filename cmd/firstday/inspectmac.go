package main

import (
	"strings"
	"time"

	"firstday.dev/kit"
)

func describeInstaller(w *text, p *kit.InstallerInspection, tree bool) {
	w.line("  identifier %s, version %s", p.Identifier, p.Version)
	if p.Title != "" {
		w.line("  title      %s", p.Title)
	}
	if !p.Created.IsZero() {
		w.line("  created    %s", p.Created.Format(time.RFC3339))
	}
	if len(p.HostArchitectures) > 0 {
		w.line("  for        %s", strings.Join(p.HostArchitectures, ", "))
	}
	if p.MinOSVersion != "" {
		w.line("  macOS      %s or newer", p.MinOSVersion)
	}
	if p.TeamID != "" {
		w.line("  team       %s", p.TeamID)
	}
	if p.Stapled {
		w.line("  ticket     stapled")
	}
	w.line("components")
	for _, c := range p.Components {
		w.line("  %s, version %s: %d files below %s", c.Identifier, c.Version, c.Files, c.InstallLocation)
		for _, s := range c.Scripts {
			w.line("    runs %s", s)
		}
	}
	if len(p.Programs) > 0 {
		w.line("programs")
	}
	for _, m := range p.Programs {
		w.line("  %s", m.File)
		describeMachO(w, &m)
	}
	describeSecrets(w, p.Secrets)
	if len(p.Findings) > 0 {
		w.line("findings")
	}
	for _, f := range p.Findings {
		w.line("  %s: %s: %s", f.Severity, f.Path, f.Message)
	}
	if tree {
		w.line("files")
		for _, f := range p.Tree {
			w.line("  %s %4d:%-4d %12d  %s", f.Mode, f.UID, f.GID, f.Size, f.Path)
		}
	}
}

func describeMachO(w *text, m *kit.MachOInspection) {
	if m.Error != "" {
		w.line("    %s", m.Error)
	}
	for _, s := range m.Slices {
		w.line("    %s: %s", s.Arch, s.Identifier)
		if s.CDHash != "" {
			w.line("      cdhash      %s", s.CDHash)
		}
		if s.Requirement != "" {
			w.line("      requirement %s", s.Requirement)
		}
		describeSignature(w, s.Signature)
	}
}
