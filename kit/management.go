package kit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/micromdm/plist"

	"firstday.dev/internal/atomicfile"
	"firstday.dev/pkgbuild/macho"
	"firstday.dev/signing"
	"firstday.dev/templates/macos"
)

// writeManagement writes what device management takes beside the package: a
// profile that lets the agent do its work and, where it is known from where the
// package will be downloaded, the manifest of its installation.
func (b *builder) writeManagement(ctx context.Context, dir string, p *Package, agent *part) error {
	profile, err := b.profile(ctx, p, agent)
	if err != nil {
		return err
	}
	papers := map[string]any{p.Name + ".mobileconfig": profile}
	if url := b.Config.MacOS.DownloadURL; url != "" {
		if papers[MDMManifestFile], err = downloadManifest(filepath.Join(dir, p.File), url, p); err != nil {
			return err
		}
	}
	for name, contents := range papers {
		text, err := plist.MarshalIndent(contents, "\t")
		if err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
		if err := atomicfile.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// MDMManifestFile is what the command InstallEnterpriseApplication wants.
const MDMManifestFile = "manifest.plist"

// chunkSize is how much of a package has one hash in the manifest, in bytes, so
// that a download can be checked while it runs.
const chunkSize = 10 << 20

type (
	downloads struct {
		Items []download `plist:"items"`
	}
	download struct {
		Assets   []asset  `plist:"assets"`
		Metadata metadata `plist:"metadata"`
	}
	asset struct {
		Kind      string   `plist:"kind"`
		ChunkSize int      `plist:"sha256-size"`
		SHA256s   []string `plist:"sha256s"`
		URL       string   `plist:"url"`
	}
	metadata struct {
		Identifier string `plist:"bundle-identifier"`
		Version    string `plist:"bundle-version"`
		Kind       string `plist:"kind"`
		Title      string `plist:"title"`
	}
)

func downloadManifest(name, url string, p *Package) (*downloads, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a := asset{Kind: "software-package", ChunkSize: chunkSize, URL: url}
	for {
		h := sha256.New()
		n, err := io.CopyN(h, f, chunkSize)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if n > 0 {
			a.SHA256s = append(a.SHA256s, fmt.Sprintf("%x", h.Sum(nil)))
		}
		if err != nil {
			break
		}
	}
	return &downloads{[]download{{
		Assets:   []asset{a},
		Metadata: metadata{p.Identifier, p.Version, "software", p.Name},
	}}}, nil
}

// The profile's own words, from Apple's device management reference.
type (
	profile struct {
		Content      []any  `plist:"PayloadContent"`
		Description  string `plist:"PayloadDescription"`
		DisplayName  string `plist:"PayloadDisplayName"`
		Identifier   string `plist:"PayloadIdentifier"`
		Organization string `plist:"PayloadOrganization"`
		Scope        string `plist:"PayloadScope"`
		Type         string `plist:"PayloadType"`
		UUID         string `plist:"PayloadUUID"`
		Version      int    `plist:"PayloadVersion"`
	}
	// loginItems keeps users from switching the jobs of launchd off.
	loginItems struct {
		Identifier string `plist:"PayloadIdentifier"`
		Type       string `plist:"PayloadType"`
		UUID       string `plist:"PayloadUUID"`
		Version    int    `plist:"PayloadVersion"`
		Rules      []rule `plist:"Rules"`
	}
	rule struct {
		Comment string `plist:"Comment"`
		Type    string `plist:"RuleType"`
		Value   string `plist:"RuleValue"`
	}
	// privacy lets the agent make home folders and look after them.
	privacy struct {
		Identifier string             `plist:"PayloadIdentifier"`
		Type       string             `plist:"PayloadType"`
		UUID       string             `plist:"PayloadUUID"`
		Version    int                `plist:"PayloadVersion"`
		Services   map[string][]grant `plist:"Services"`
	}
	grant struct {
		Allowed         bool   `plist:"Allowed"`
		CodeRequirement string `plist:"CodeRequirement"`
		Comment         string `plist:"Comment"`
		Identifier      string `plist:"Identifier"`
		IdentifierType  string `plist:"IdentifierType"`
	}
)

// profile is for any device management; the package works without it, too.
func (b *builder) profile(ctx context.Context, p *Package, agent *part) (*profile, error) {
	id := func(name string) string { return uuid.NewSHA1(p.ID, []byte(name)).String() }
	items := loginItems{
		Identifier: p.Identifier + ".loginitems", Type: "com.apple.servicemanagement", UUID: id("login items"), Version: 1,
		Rules: []rule{{"The Firstday agent, and its watchdog of the login window", "LabelPrefix", macos.LabelPrefix}},
	}
	pr := &profile{
		Description: "Lets the Firstday agent work", DisplayName: b.Config.Organisation.Name + ": Firstday",
		Identifier: p.Identifier + ".profile", Organization: b.Config.Organisation.Name,
		Scope: "System", Type: "Configuration", UUID: id("profile"), Version: 1,
	}
	if b.application == nil || signing.IsThrowaway(b.application.Chain[0]) {
		pr.Content = []any{items}
		return pr, nil
	}
	// Privacy settings know a program by its signature, so only a signed agent
	// can have any.
	signature, err := readSignature(ctx, agent.path)
	if err != nil {
		return nil, err
	}
	if signature.TeamID != "" {
		items.Rules = append(items.Rules, rule{"Programs of the same developer", "TeamIdentifier", signature.TeamID})
	}
	pr.Content = []any{items, privacy{
		Identifier: p.Identifier + ".privacy", Type: "com.apple.TCC.configuration-profile-policy", UUID: id("privacy"), Version: 1,
		Services: map[string][]grant{"SystemPolicyAllFiles": {{
			Allowed: true, CodeRequirement: signature.Designated.String(), Comment: "Sets up accounts and their home folders",
			Identifier: macAgentPath(agent.Version), IdentifierType: "path",
		}}},
	}}
	return pr, nil
}

func readSignature(ctx context.Context, name string) (*macho.Signature, error) {
	f, size, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	signatures, err := macho.Verify(ctx, macho.Program{ReaderAt: f, Size: size})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return signatures[0], nil
}
