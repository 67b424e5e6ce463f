package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/spf13/cobra"

	"firstday.dev/api"
)

func newDeviceOpen() *cobra.Command {
	var identityFile string
	c := &cobra.Command{
		Use:   "open FILE",
		Short: "Open a sealed break-glass password that the console gave",
		Long: `Open opens the sealed passwords of a file that the console gave for a device, the
newest first, with the recovery key, on this machine. It asks no directory. A -
in the place of the file reads them from the standard input.`,
		Example: `  firstday device open 019f….age --identity acme-recovery.txt`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			identities, err := readIdentities(identityFile)
			if err != nil {
				return err
			}
			sealed, err := readSealed(c.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			opened, err := openSealed(sealed, identities)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return show(c, opened, func(w *text) {
				for _, password := range opened {
					w.line("%s", password.Reveal())
				}
			})
		},
	}
	c.Flags().StringVar(&identityFile, "identity", "", "file with the recovery key")
	_ = c.MarkFlagRequired("identity")
	_ = c.MarkFlagFilename("identity")
	return c
}

// maxSealedFile bounds a file of sealed passwords, in bytes: a device has few.
const maxSealedFile = 1 << 20

func readSealed(stdin io.Reader, name string) ([]byte, error) {
	from := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	b, err := io.ReadAll(io.LimitReader(from, maxSealedFile+1))
	if err == nil && len(b) > maxSealedFile {
		err = fmt.Errorf("%s is longer than %d bytes: it is no file of sealed passwords", name, maxSealedFile)
	}
	return b, err
}

// errNotSealed: there is no sealed password in a file.
var errNotSealed = errors.New("it holds no sealed password (BEGIN AGE ENCRYPTED FILE)")

// openSealed opens what stands in a file, one password after the other. Of several
// those that another key opens are left out, if any is left.
func openSealed(b []byte, identities []age.Identity) (opened []api.Secret, err error) {
	var wrong error
	for {
		var block []byte
		if block, b = cutSealed(b); block == nil {
			break
		}
		r, err := age.Decrypt(armor.NewReader(bytes.NewReader(block)), identities...)
		if err != nil {
			wrong = fmt.Errorf("%w: %w", errOtherKey, err)
			continue
		}
		password, err := io.ReadAll(io.LimitReader(r, api.MaxPassword))
		if err != nil {
			return nil, err
		}
		opened = append(opened, api.Secret(password))
	}
	switch {
	case len(opened) > 0:
		return opened, nil
	case wrong != nil:
		return nil, wrong
	}
	return nil, errNotSealed
}

// cutSealed cuts the next sealed password off, with its armour.
func cutSealed(b []byte) (block, rest []byte) {
	begin := bytes.Index(b, []byte(armor.Header))
	if begin < 0 {
		return nil, nil
	}
	end := bytes.Index(b[begin:], []byte(armor.Footer))
	if end < 0 {
		return b[begin:], nil
	}
	end += begin + len(armor.Footer)
	return b[begin:end], b[end:]
}
