package wifi

import "context"

// lane lets one call through at a time that cannot be ended. Who gives up waiting
// leaves it to end by itself; it is held until then.
type lane chan struct{}

func newLane() lane { return make(lane, 1) }

// enter waits until nobody is in it.
func (l lane) enter(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	default:
	}
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l lane) leave() { <-l }

// through gives what call gives, or gives up with ctx. Who calls has entered the
// lane, which is left when call ends.
func through[T any](ctx context.Context, l lane, call func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		defer l.leave()
		v, err := call()
		answers <- answer{v, err}
	}()
	select {
	case a := <-answers:
		return a.v, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
