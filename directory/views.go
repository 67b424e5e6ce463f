package directory

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"firstday.dev/api"
)

// channel is that of PostgreSQL on which replicas tell each other news.
const channel = "firstday"

// views keep in memory what each check-in asks for, until there is news of it.
type views struct {
	mu       sync.Mutex
	devices  map[uuid.UUID]*view[deviceView]
	settings *view[settingsView]
}

// view is a value from the database, and word of when it is old.
type view[T any] struct {
	load    sync.Mutex
	loaded  bool
	value   T
	changed chan struct{} // closed when it is old
}

// deviceView is what a check-in must know of a device.
type deviceView struct {
	state    api.DeviceState
	platform api.Platform
	revision int64
	off      bool          // the sign-in, on this device
	users    []api.Binding // without claims, which go by
	password kept          // of the break-glass account
}

type settingsView struct {
	api.Settings
	revision int64
}

func (v *views) init() {
	v.devices = make(map[uuid.UUID]*view[deviceView])
	v.settings = newView[settingsView]()
}

func newView[T any]() *view[T] { return &view[T]{changed: make(chan struct{})} }

// get reads the value once. Who finds it in the map before there was news of a
// change, and reads it after, has it new: the change is committed before.
func (v *view[T]) get(read func() (T, error)) (T, error) {
	v.load.Lock()
	defer v.load.Unlock()
	if !v.loaded {
		value, err := read()
		if err != nil {
			return value, err
		}
		v.value, v.loaded = value, true
	}
	return v.value, nil
}

func (v *views) device(id uuid.UUID) *view[deviceView] {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.devices[id] == nil {
		v.devices[id] = newView[deviceView]()
	}
	return v.devices[id]
}

func (v *views) current() *view[settingsView] {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.settings
}

// forget wakes who waits for such news.
func (v *views) forget(news string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if news == newsSettings {
		close(v.settings.changed)
		v.settings = newView[settingsView]()
		return
	}
	id, err := uuid.Parse(news)
	if err != nil {
		return // of a newer replica
	}
	if old := v.devices[id]; old != nil {
		close(old.changed)
		delete(v.devices, id)
	}
}

// forgetAll is for when news may have been lost.
func (v *views) forgetAll() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, old := range v.devices {
		close(old.changed)
	}
	close(v.settings.changed)
	v.init()
}

// listen hears of changes that other replicas make.
func (d *Directory) listen(ctx context.Context) {
	const pause = time.Second
	for ctx.Err() == nil {
		err := d.listenOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		d.Log.WarnContext(ctx, "the other replicas cannot be heard", "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

func (d *Directory) listenOnce(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, d.Database)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it is of no more use
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	d.views.forgetAll() // of what happened before
	d.news.tell(Topics...)
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		d.hear(n.Payload)
	}
}
