package kit

import (
	"io"
	"sync"

	"firstday.dev/ppkg/catalog"
	"firstday.dev/ppkg/wim"
)

// beginnings are the digests of what packages of a batch begin with. Those of the
// first package that begins so were made of the very bytes in its file; further
// ones are hashed from there on.
//
// That the further ones do begin so, nobody reads again: they are copied from the
// same file by the same call, and [wim.Cache] says what is noticed. A further copy
// that is damaged unnoticed has a catalog and SHA256SUMS of the undamaged package,
// which Windows and [Verify] refuse; its wrong bytes never get hashes that fit them.
type beginnings struct {
	mu     sync.Mutex
	states map[wim.Prefix]*catalog.State
}

// after gives the digests after a prefix, which r reads if it is a new one. Two
// that begin so at the same time may both be the first.
func (b *beginnings) after(p wim.Prefix, r io.Reader) (*catalog.State, error) {
	if b == nil || p.Size == 0 {
		return catalog.Begin(r)
	}
	b.mu.Lock()
	state := b.states[p]
	b.mu.Unlock()
	if state != nil {
		return state, nil
	}
	state, err := catalog.Begin(r)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.states[p] = state
	return state, nil
}
