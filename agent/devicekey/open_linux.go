package devicekey

import (
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"
	"golang.org/x/sys/unix"
)

// makesPrimaries: Linux leaves the storage hierarchy open, and mostly keeps no
// storage root key.
const makesPrimaries = true

// managed is the TPM behind the kernel's resource manager, which frees what a
// program leaves in it.
const managed = "/dev/tpmrm0"

// OpenTPM opens the machine's TPM, ErrNoTPM if there is none.
func OpenTPM() (transport.TPMCloser, error) {
	t, err := linuxtpm.Open(managed)
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		err = fmt.Errorf("%w: %w", ErrNoTPM, err)
	}
	return t, err
}
