package devicekey

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"firstday.dev/api"
)

// TPM is the machine's. It is opened for each use, one at a time, and every use
// ends within a bounded time.
type TPM struct {
	open func() (transport.TPMCloser, error)
	// primaries: the key above ours may be made anew whenever it is needed, see
	// parent.
	primaries bool
	pause     time.Duration // after a first attempt
	turn      chan struct{} // holds one while somebody uses it

	mu    sync.Mutex
	named *api.TPM
}

// NewTPM gives the TPM that open opens. Its error is ErrNoTPM or fs.ErrNotExist
// if there is none.
func NewTPM(open func() (transport.TPMCloser, error)) *TPM {
	return &TPM{open: open, primaries: makesPrimaries, pause: firstPause, turn: make(chan struct{}, 1)}
}

// How long a use may take, with all its attempts and the wait for others'. A
// handshake of TLS waits no longer than half a minute for a signature.
const (
	signLimit = 20 * time.Second
	makeLimit = time.Minute
	lookLimit = 10 * time.Second
)

// Between two attempts the wait doubles. A TPM needs a second or two after a
// suspended device wakes up.
const (
	tries      = 6
	firstPause = 100 * time.Millisecond
)

// use opens the TPM, works with it and closes it, and begins anew after what may
// pass. A TPM that does not answer is left to itself, and to nobody else before
// it does.
func use[T any](t *TPM, limit time.Duration, work func(transport.TPM) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var none T
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return none, ErrUnanswered
	}
	type outcome struct {
		value T
		err   error
	}
	ended := make(chan outcome, 1)
	go func() {
		defer func() { <-t.turn }()
		value, err := attempts(ctx, t, work)
		ended <- outcome{value, err}
	}()
	select {
	case o := <-ended:
		return o.value, o.err
	case <-ctx.Done():
		return none, ErrUnanswered
	}
}

func attempts[T any](ctx context.Context, t *TPM, work func(transport.TPM) (T, error)) (T, error) {
	pause := t.pause
	for n := 1; ; n++ {
		value, err := once(t, work)
		if err == nil || !passes(err) || n == tries {
			return value, err
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return value, err
		}
	}
}

func once[T any](t *TPM, work func(transport.TPM) (T, error)) (value T, err error) {
	device, err := t.open()
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrNoTPM, err)
	}
	if err != nil {
		return value, err
	}
	defer device.Close()
	return work(device)
}

// passes tells errors after which another attempt may succeed: the TPM's own
// warnings, which speak of its state, and whatever is between it and us.
func passes(err error) bool {
	for _, final := range []error{ErrNoTPM, ErrOtherTPM, ErrDamaged, ErrLockedOut, ErrUnanswered, errNoStorageKey, fs.ErrPermission} {
		if errors.Is(err, final) {
			return false
		}
	}
	var code tpm2.TPMRC
	if errors.As(err, &code) {
		return code.IsWarning() && code != tpm2.TPMRCLockout
	}
	return true
}
