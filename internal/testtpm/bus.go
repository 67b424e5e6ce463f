//go:build unix

package testtpm

import (
	"bytes"
	"sync"

	"github.com/google/go-tpm/tpm2/transport"
)

// Bus is what somebody hears who sits on the wires to a TPM.
type Bus struct {
	mu    sync.Mutex
	heard []byte
	count int
}

// Tap opens the TPM as Open does, with somebody on its wires.
func (t *TPM) Tap() (open func() (transport.TPMCloser, error), b *Bus) {
	b = new(Bus)
	return func() (transport.TPMCloser, error) {
		c, err := t.Open()
		if err != nil {
			return nil, err
		}
		return &tapped{c, b}, nil
	}, b
}

type tapped struct {
	transport.TPMCloser
	bus *Bus
}

func (t *tapped) Send(command []byte) ([]byte, error) {
	answer, err := t.TPMCloser.Send(command)
	t.bus.mu.Lock()
	defer t.bus.mu.Unlock()
	t.bus.heard = append(append(t.bus.heard, command...), answer...)
	t.bus.count++
	return answer, err
}

// Commands is how many were heard.
func (b *Bus) Commands() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count
}

// Heard tells whether the bytes went over the wires.
func (b *Bus) Heard(secret []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Contains(b.heard, secret)
}
