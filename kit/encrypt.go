package kit

import (
	"context"
	"fmt"
	"io"
	"os"

	"firstday.dev/internal/atomicfile"
	"firstday.dev/ppkg"
)

// Encrypt writes an encrypted copy of a package, see [ppkg.Encrypt]. The copy
// needs a catalog of its own.
func Encrypt(ctx context.Context, path, output, password string) error {
	return convert(path, output, func(out io.Writer, in *os.File, _ int64) error {
		return ppkg.Encrypt(ctx, out, in, password)
	})
}

// Decrypt writes a decrypted copy of an encrypted package, see [ppkg.Decrypt].
func Decrypt(ctx context.Context, path, output, password string) error {
	return convert(path, output, func(out io.Writer, in *os.File, size int64) error {
		return ppkg.Decrypt(ctx, out, in, size, password)
	})
}

// convert makes one package of another.
func convert(path, output string, work func(out io.Writer, in *os.File, size int64) error) error {
	in, size, err := openRegular(path)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := checkReplace(output, kindPackage, in); err != nil {
		return err
	}
	out, err := atomicfile.Create(output, privateFile)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := work(out, in, size); err != nil {
		return fmt.Errorf("writing %s from %s: %w", output, path, err)
	}
	return out.Commit()
}
