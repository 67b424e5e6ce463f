package devicekey

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/windowstpm"
	"github.com/google/go-tpm/tpmutil/tbs"
	"golang.org/x/sys/windows"
)

// makesPrimaries: Windows sets a password of the storage hierarchy sooner or
// later and forgets it; a key made under another than its own storage root key
// would be lost then.
const makesPrimaries = false

// OpenTPM opens the machine's TPM by way of the TPM base services, ErrNoTPM if
// there is none.
func OpenTPM() (transport.TPMCloser, error) {
	// The library looks for it by its name only, beside this program first; what
	// is loaded already it finds.
	if err := windows.NewLazySystemDLL("tbs.dll").Load(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoTPM, err)
	}
	t, err := windowstpm.Open()
	switch {
	case err == nil:
		return t, nil
	case errors.Is(err, tbs.ErrTPMNotFound), errors.Is(err, windowstpm.ErrNotTPM20):
		err = fmt.Errorf("%w: %w", ErrNoTPM, err)
	case errors.Is(err, tbs.ErrAccessDenied):
		err = fmt.Errorf("%w: %w", fs.ErrPermission, err)
	}
	return nil, err
}
