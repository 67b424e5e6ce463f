package agent

import (
	"github.com/google/go-tpm/tpm2/transport"

	"firstday.dev/agent/devicekey"
)

// OpenTPM opens the machine's TPM.
func (windowsSystem) OpenTPM() (transport.TPMCloser, error) { return devicekey.OpenTPM() }
