package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"firstday.dev/agent/eventid"
	"firstday.dev/api"
)

// The tile's part in an installation: it is copied with the agent and registered
// once that runs, so that nothing points at a file that is not there, and what
// fails before that leaves the older tile. What is left is removed in the end.

// tileToCopy is where the tile goes, empty if there is none to be copied.
func (in *installation) tileToCopy() string {
	if in.System.Tile() == nil {
		return ""
	}
	return in.tileOf(in.file)
}

func (in *installation) tileCopied() (bool, error) {
	dll := in.tileToCopy()
	if dll == "" {
		return true, nil
	}
	return hasHash(dll, in.file.CredentialProvider.SHA256)
}

func (in *installation) copyTile() error {
	dll := in.tileToCopy()
	if dll == "" {
		return nil
	}
	carried := in.file.CredentialProvider
	if placed, err := hasHash(dll, carried.SHA256); placed || err != nil {
		return err
	}
	if err := in.clearTile(dll); err != nil {
		return err
	}
	return in.bundle.copyTo(dll, carried.File, carried.SHA256, 0o755)
}

// clearTile removes other bytes under the same version, and what they have
// counted.
func (in *installation) clearTile(dll string) error {
	r, err := in.System.Tile().Registration()
	if err != nil {
		return err
	}
	if r.DLL == dll {
		if err := in.System.Tile().Suspend(); err != nil {
			return err
		}
	}
	if err := in.System.RemoveAll(dll); err != nil {
		return err
	}
	return removeSentinel(dll)
}

func (in *installation) tileSettled(context.Context) (bool, error) {
	if in.System.Tile() == nil {
		return true, nil
	}
	r, err := in.System.Tile().Registration()
	if err != nil {
		return false, err
	}
	return r.loads(in.tileOf(in.file)), nil
}

func (in *installation) settleTile(ctx context.Context) error {
	if err := in.loadTile(in.file); err != nil {
		return err
	}
	if dll := in.tileOf(in.file); dll != "" {
		eventid.TileRegistered.Log(ctx, in.log(), "the tile is registered", "file", dll)
	} else {
		eventid.TileUnregistered.Log(ctx, in.log(), "the tile is not registered any more")
	}
	return nil
}

// resumeTile is the step as the service takes it. A tile that got lost keeps the
// rest from nothing: the watchdog says so.
func (in *installation) resumeTile(ctx context.Context, e *api.Enrollment) (err error) {
	if in.System.Tile() == nil {
		return nil
	}
	file, err := in.ownFile(e)
	if err != nil || file.Version != in.file.Version {
		return err
	}
	in.file = file
	settled, err := in.tileSettled(ctx)
	if err != nil || settled {
		return err
	}
	if err := in.settleTile(ctx); err != nil {
		in.log().WarnContext(ctx, "the tile is not registered", "error", err)
	}
	return nil
}

// rollBackTile has the tile of the agent that was put back loaded again.
func (in *installation) rollBackTile(old string) error {
	tile := in.System.Tile()
	if tile == nil {
		return nil
	}
	dll := in.layout.CredentialProvider(old)
	if _, err := os.Lstat(dll); errors.Is(err, fs.ErrNotExist) {
		dll = ""
	} else if err != nil {
		return err
	}
	r, err := tile.Registration()
	if err != nil || r.loads(dll) {
		return err
	}
	if dll == "" {
		err = tile.Unregister()
	} else {
		err = tile.Register(dll)
	}
	if err != nil {
		return fmt.Errorf("putting the tile back: %w", err)
	}
	return nil
}
