package devicekey

import "github.com/google/go-tpm/tpm2/transport"

const makesPrimaries = false

// OpenTPM gives ErrNoTPM: Macs have none. Their Secure Enclave is for programs
// that Apple entitles to it.
func OpenTPM() (transport.TPMCloser, error) { return nil, ErrNoTPM }
