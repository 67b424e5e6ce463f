package kit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"firstday.dev/ppkg"
	"firstday.dev/templates/macos"
)

// inputs is a fingerprint of all that a kit is made of: what its packages say,
// the files they carry as they are before anybody signs them, who signs, and
// what builds. It holds secrets, among them guessable ones, so it is keyed.
func (b *Batch) inputs(ctx context.Context, row Row, key []byte) (string, error) {
	w, err := b.builder(row)
	if err != nil {
		return "", err
	}
	w.takeIdentities()
	// What chance decides, or the directory, is not of the inputs.
	w.Reproducible = true
	if w.Mint != nil {
		for _, p := range w.Platforms {
			w.keys[p] = ConnectKey{Secret: "minted"}
		}
	}
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "1\x00%s\x00%d\x00%q\x00%q\x00%v\x00", w.Builder, w.Level, w.Platforms, row.Minted, w.Notary != nil)
	if b.options.Reproducible {
		fmt.Fprintf(h, "%d\x00", w.Time.Unix())
	}
	signers := []*Signer{
		signerOf(w.identity, w.Config.Signing), signerOf(w.application, w.Config.MacOS.Signing.Application),
		signerOf(w.installer, w.Config.MacOS.Signing.Installer),
	}
	for _, s := range signers {
		if s != nil && s.Throwaway {
			*s = Signer{Throwaway: true, Timestamps: s.Timestamps} // a new one each time
		}
	}
	if err := json.NewEncoder(h).Encode(signers); err != nil {
		return "", err
	}
	for _, p := range w.Platforms {
		said := w.windowsInputs
		if p == MacOS {
			said = w.macInputs
		}
		if err := said(ctx, h); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// nobody is the id of a package that is only looked at.
var nobody = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://firstday.dev/inputs"))

func (b *builder) windowsInputs(ctx context.Context, w io.Writer) error {
	agents, err := openAgents(b.Agents)
	if err != nil {
		return err
	}
	b.shared.mu.Lock()
	err = b.findParts(ctx, agents)
	b.shared.mu.Unlock()
	if err != nil {
		return err
	}
	if err := b.checkPayloads(); err != nil {
		return err
	}
	for i := range b.parts { // what names the hash of a file stands for it
		p := &b.parts[i]
		p.file = ppkg.NewFile(p.File, []byte(p.SHA256))
	}
	p, err := b.identified(nobody)
	if err != nil {
		return err
	}
	all, err := contentOf(ctx, p, time.Time{})
	if err != nil {
		return err
	}
	_, err = w.Write(all)
	return err
}

func (b *builder) macInputs(ctx context.Context, w io.Writer) error {
	sum, err := b.macSum(ctx)
	if err != nil {
		return err
	}
	digest, err := b.pluginDigest()
	if err != nil {
		return err
	}
	plugin := &loginPlugin{Content: Content{File: macos.Plugin, SHA256: digest}}
	agent := &part{Content: Content{File: "firstday-agent", Kind: kindAgent, Arch: "universal", Version: "0.0.0", SHA256: sum}}
	e, err := b.enrollmentOf(nobody, agent, plugin)
	if err != nil {
		return err
	}
	m := b.Config.MacOS
	_, err = fmt.Fprintf(w, "%s\x00%s\x00%s\x00%s\x00%s\x00", e, m.Identifier, m.MinimumVersion, m.DownloadURL, b.Config.Package.Name)
	return err
}

// pluginDigest names the plug-in before anybody signs it.
func (b *builder) pluginDigest() (string, error) {
	dir := filepath.Join(b.Agents, macos.Plugin)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoLoginPlugin, err)
	}
	defer root.Close()
	digest, err := macos.PluginDigest(root.FS())
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrNoLoginPlugin, dir, err)
	}
	return digest, nil
}

// macSum hashes the agents that become the one for Macs.
func (b *builder) macSum(ctx context.Context) (string, error) {
	b.shared.mu.Lock()
	defer b.shared.mu.Unlock()
	h := sha256.New()
	for _, a := range macAgents {
		sum, err := b.shared.sum(ctx, filepath.Join(b.Agents, a.source), func(int64) {})
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrNoAgent, err)
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, sum)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
