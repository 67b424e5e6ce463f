package agent

import (
	"os"
	"sync"
)

// fakeTile is what a machine's sign-in screen knows of the tile.
type fakeTile struct {
	mu        sync.Mutex
	r         TileRegistration
	records   []eventRecord // of the system's log
	untrusted error         // what it says of signatures
}

func (f *fakeTile) registration() TileRegistration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.r
}

// change is what an administrator does by hand.
func (f *fakeTile) change(c func(*fakeTile)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c(f)
}

func (m view) Tile() Tile {
	if m.tile == nil {
		return nil
	}
	return tileView{m}
}

// tileView is the tile as one program sees it.
type tileView struct{ view }

// changes is a request that changes something.
func (v tileView) changes(c func(*fakeTile)) error {
	v.call()
	v.tile.change(c)
	return nil
}

func (v tileView) Registration() (*TileRegistration, error) {
	v.call()
	r := v.tile.registration()
	return &r, nil
}

func (v tileView) Register(dll string) error {
	if _, err := os.Stat(dll); err != nil {
		v.t.Errorf("what is not there is registered: %v", err)
	}
	return v.changes(func(f *fakeTile) { f.r.DLL, f.r.Complete, f.r.Listed = dll, true, true })
}

func (v tileView) Suspend() error {
	return v.changes(func(f *fakeTile) { f.r.DLL, f.r.Complete = "", false })
}

func (v tileView) Unregister() error {
	return v.changes(func(f *fakeTile) { f.r = TileRegistration{Off: f.r.Off, Excluded: f.r.Excluded} })
}

func (v tileView) Switch(off *TileSwitch) error {
	return v.changes(func(f *fakeTile) { f.r.Off = off })
}

func (v tileView) Forget() error { return v.changes(func(f *fakeTile) { f.r.Off = nil }) }

func (v tileView) Faults(after uint32) (faults []TileFault, newest uint32, err error) {
	v.call()
	v.tile.mu.Lock()
	defer v.tile.mu.Unlock()
	for _, r := range v.tile.records {
		newest = max(newest, r.number)
		if f, is := r.fault(); is && r.number > after {
			faults = append(faults, f)
		}
	}
	return faults, newest, nil
}

func (v tileView) CheckSignature(string) error {
	v.call()
	v.tile.mu.Lock()
	defer v.tile.mu.Unlock()
	return v.tile.untrusted
}
