package agent

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"firstday.dev/agent/devicekey"
	"firstday.dev/agent/pin"
	"firstday.dev/api"
)

// PINStatus tells whether people may have PINs on this device.
type PINStatus struct {
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"` // why not
}

// keepPINs makes the store of PINs, nil where there are none: on systems other
// than Windows, and where no surface logs people on.
func (m *member) keepPINs(logsOn bool) (*pin.Store, error) {
	if m.facts.Platform != api.Windows || !logsOn {
		return nil, nil
	}
	folder := m.System.Layout().PINs()
	if err := m.System.MakeFolder(folder, AdminsOnly); err != nil {
		return nil, err
	}
	lock := filepath.Join(folder, "lock")
	return &pin.Store{
		Folder: folder, Device: m.facts.Serial, TPM: m.tpm, Log: m.log(),
		Lock: func(ctx context.Context) (func() error, error) {
			unlock, err := m.System.Lock(ctx, lock)
			if err != nil {
				return nil, err
			}
			return func() error { return unlock(false) }, nil
		},
	}, nil
}

// pinPause is between two looks at a TPM that was not ready: the system prepares
// a new laptop's in its first minutes.
const pinPause = 10 * time.Minute

// watchPINs finds out whether this device can keep PINs, and tells status. Who
// signs in has it tried again.
func (m *member) watchPINs(ctx context.Context, tell func(*PINStatus)) {
	if m.pins == nil {
		return
	}
	for {
		told := make(chan error, 1)
		go func() { told <- m.pins.Ready() }() // it ends by itself
		var err error
		select {
		case err = <-told:
		case <-ctx.Done():
			return
		}
		s := &PINStatus{Ready: err == nil}
		if err != nil {
			s.Reason = fact(err.Error())
			m.log().InfoContext(ctx, "this device cannot keep PINs", "error", err)
		}
		tell(s)
		if err == nil || errors.Is(err, devicekey.ErrNoTPM) {
			return
		}
		select {
		case <-time.After(pinPause):
		case <-ctx.Done():
			return
		}
	}
}
