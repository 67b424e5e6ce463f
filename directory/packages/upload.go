package packages

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/config"
)

// magics begin the files that packages can carry: they are told by what they are,
// and never unpacked.
var magics = []struct {
	kind  config.Kind
	magic string
}{
	{config.EXE, "MZ"},
	{config.MSI, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"},
}

// Upload takes an installer that packages may carry, as it arrives. It has to be so
// long as is said.
func (p *Packages) Upload(ctx context.Context, actor, name string, size int64, r io.Reader) (*api.PackageUpload, error) {
	if err := config.CheckPayloadName(name); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	if size > p.MaxUpload {
		return nil, api.Refuse(api.CodeTooLarge, "%d bytes; an upload has at most %d", size, p.MaxUpload)
	}
	buffered := bufio.NewReader(r)
	kind, err := kindOf(buffered, name)
	if err != nil {
		return nil, err
	}
	u, err := p.d.BeginPackageUpload(ctx, actor, name, string(kind), size, p.Quota)
	if err != nil {
		return nil, err
	}
	if err := p.keepUpload(ctx, u, buffered); err != nil {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		p.tell(end, "an upload that came to nothing cannot be removed yet", p.RemoveUpload(end, actor, u.ID))
		return nil, err
	}
	return u, nil
}

// kindOf tells what is being uploaded, and refuses what is not what its name says.
func kindOf(r *bufio.Reader, name string) (config.Kind, error) {
	for _, m := range magics {
		if head, _ := r.Peek(len(m.magic)); string(head) != m.magic {
			continue
		}
		if !strings.EqualFold(filepath.Ext(name), "."+string(m.kind)) {
			return "", api.Refuse(api.CodeBadRequest, "%s is an .%s file by what is in it; call it so", name, m.kind)
		}
		return m.kind, nil
	}
	return "", api.Refuse(api.CodeBadRequest, "%s is neither a Windows program nor a Windows Installer package", name)
}

func (p *Packages) keepUpload(ctx context.Context, u *api.PackageUpload, r io.Reader) error {
	sum := sha256.New()
	from := &source{Reader: io.TeeReader(r, sum), read: func(int64) {}}
	err := p.store.put(ctx, uploadFile(u.ID), from, u.Size)
	switch {
	case err == nil:
		u.SHA256 = hex.EncodeToString(sum.Sum(nil))
		return p.d.FinishPackageUpload(ctx, u)
	case from.err != nil, errors.Is(err, errSize):
		return api.Refuse(api.CodeBadRequest, "the upload ended before all of it was there")
	case errors.Is(err, errStoreFull):
		p.tell(ctx, "an upload has no room", err)
		return api.Refuse(api.CodePackageStoreFull, "its disk or bucket is full")
	}
	p.tell(ctx, "an upload cannot be kept", fmt.Errorf("%s: %w", p.store, err))
	return api.Refuse(api.CodePackageStore, "it did not take the upload; the directory's log says why")
}

// RemoveUpload removes an upload that no job waits for.
func (p *Packages) RemoveUpload(ctx context.Context, actor string, id uuid.UUID) error {
	if err := p.d.RemovePackageUpload(ctx, actor, id); err != nil {
		return err
	}
	// If this does not work, the tidying does it.
	p.tell(ctx, "an upload cannot be removed from the store yet", p.store.remove(ctx, uploadFile(id)))
	return nil
}
