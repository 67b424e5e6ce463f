package kit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"firstday.dev/config"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/pkgbuild/notary"
	"firstday.dev/pkgbuild/xar"
)

// ErrNoNotary: the configuration does not say who may submit packages.
var ErrNoNotary = errors.New("no key of the notary service is named")

// NotaryClient gives a client with the key that a configuration names.
func NotaryClient(n *config.Notary) (*notary.Client, error) {
	p8, err := readSmall(string(n.Key))
	if err != nil {
		return nil, err
	}
	key, err := notary.ReadKey(n.Issuer, n.KeyID, p8)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Key, err)
	}
	return &notary.Client{Key: key}, nil
}

// Notarize submits a package to Apple's notary service and waits for the
// verdict. An upload that was interrupted goes on where it was: what is needed
// for that lies beside the package until the upload is done, readable by its
// owner alone.
func Notarize(ctx context.Context, path string, c *notary.Client) (*notary.Submission, error) {
	id, err := submit(ctx, path, c)
	if err != nil {
		return nil, err
	}
	return c.Wait(ctx, id)
}

// notarise has a package of this build notarised, if it is to be.
func (b *builder) notarise(ctx context.Context, path string) error {
	if b.Notary == nil {
		return nil
	}
	c := b.Notary
	c.Progress = func(done, total int64) { b.progress("uploading", done, total) }
	if _, err := Notarize(ctx, path, c); err != nil {
		return err
	}
	return Staple(ctx, path, c)
}

// uploadExt is the extension of what an interrupted upload leaves.
const uploadExt = ".upload"

func submit(ctx context.Context, path string, c *notary.Client) (id string, err error) {
	f, size, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := checkNotarisable(f, size); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	file, memory := notary.File{ReaderAt: f, Size: size}, path+uploadExt
	save := func(u *notary.Upload) error {
		if u.Done {
			return os.Remove(memory)
		}
		data, err := json.Marshal(u)
		if err != nil {
			return err
		}
		return atomicfile.WriteFile(memory, data, privateFile)
	}
	u, err := readUpload(memory)
	if err != nil {
		return "", err
	}
	if u != nil {
		err = c.Continue(ctx, u, file, save)
		if !errors.Is(err, notary.ErrChanged) && !errors.Is(err, notary.ErrCredentials) {
			return u.ID, err
		}
		// It took too long, or it was for an earlier build.
	}
	if u, err = c.Begin(ctx, file, filepath.Base(path)); err != nil {
		return "", err
	}
	if err := save(u); err != nil {
		return "", err
	}
	return u.ID, c.Continue(ctx, u, file, save)
}

// checkNotarisable refuses what Apple would, after an upload.
func checkNotarisable(f io.ReaderAt, size int64) error {
	a, err := xar.Open(f, size)
	if err != nil {
		return err
	}
	if a.RSA == nil || a.CMS == nil {
		return fmt.Errorf("%w: only signed packages are notarised", notary.ErrRejected)
	}
	return nil
}

func readUpload(path string) (*notary.Upload, error) {
	data, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	u := new(notary.Upload)
	if err := json.Unmarshal(data, u); err != nil {
		return nil, fmt.Errorf("%s is damaged; remove it to begin anew: %w", path, err)
	}
	return u, nil
}

// Staple fetches the ticket of a package that was notarised and puts it at the
// package's end, so that Macs need no network to believe it.
func Staple(ctx context.Context, path string, c *notary.Client) error {
	return restaple(ctx, path, func(a *xar.Archive) ([]byte, error) {
		ticket, err := c.Ticket(ctx, a)
		if err != nil {
			return nil, err
		}
		return xar.AppendTrailer(nil, ticket), nil
	})
}

// Unstaple takes the ticket off a package.
func Unstaple(ctx context.Context, path string) error {
	return restaple(ctx, path, func(*xar.Archive) ([]byte, error) { return nil, nil })
}

// restaple replaces a package by itself with another trailer.
func restaple(ctx context.Context, path string, trailer func(*xar.Archive) ([]byte, error)) error {
	f, size, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	a, err := xar.Open(f, size)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	end, err := trailer(a)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	out, err := atomicfile.Create(path, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, &watchedReader{ctx, io.NewSectionReader(f, 0, a.Unstapled()), func(int64) {}}); err != nil {
		return err
	}
	if _, err := out.Write(end); err != nil {
		return err
	}
	return out.Commit()
}
