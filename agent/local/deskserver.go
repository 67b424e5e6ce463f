package local

import (
	"context"
	"errors"
	"strings"
	"time"
)

// deskTime is how long the desk may take, of the five seconds within which a
// surface has its answer.
const deskTime = 4 * time.Second

// ask has the desk answer while the surface goes on: one request of each verb at a
// time.
func (c *session) ask(ctx context.Context, r *request) {
	fields := typed(nil)
	if r.verb == verbJoin { // others leave alone what was typed for an action
		fields, c.typed = c.typed, make(typed)
	}
	if c.number == 0 {
		clear(fields)
		c.deny(ctx, r.verb)
		return
	}
	if c.Desk == nil {
		clear(fields)
		c.refuse(refusedUnknown, "there is no "+r.verb+" on this device", r.verb)
		return
	}
	if _, under := c.asked.LoadOrStore(r.verb, true); under {
		clear(fields)
		c.refuse(refusedWait, "the last "+r.verb+" is not answered yet", r.verb)
		return
	}
	c.group.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, deskTime)
		defer cancel()
		b, err := c.atDesk(ctx, r, fields)
		clear(fields)
		c.asked.Delete(r.verb)
		if err != nil {
			c.refuseDesk(ctx, r.verb, err)
			return
		}
		c.answer(b)
	})
}

// errField: the fields are not those of a network to join.
var errField = errors.New("the fields are not those of a network")

func (c *session) atDesk(ctx context.Context, r *request, fields typed) (*block, error) {
	done := newBlock(kindOK, r.verb)
	switch r.verb {
	case verbUsers:
		u, err := c.Desk.Users(ctx)
		return usersBlock(&u), err
	case verbNetwork:
		n, err := c.Desk.Network(ctx)
		return networkBlock(&n, time.Now()), err
	case verbInfo:
		i, err := c.Desk.Info(ctx)
		return infoBlock(&i), err
	case verbLogo:
		png, err := c.Desk.Logo(ctx)
		return logoBlock(png), err
	case verbScan:
		return done, c.Desk.Scan(ctx)
	case verbWiFi:
		return done, c.Desk.SetWiFi(ctx, r.name == on)
	case verbJoin:
		j, err := fields.join()
		if err != nil {
			return nil, err
		}
		return done, c.Desk.Join(ctx, j)
	default: // power
		err := c.Desk.Power(ctx, Power(r.name))
		if err == nil {
			c.Log.InfoContext(ctx, "a surface ends the system", "surface", c.surface, "how", r.name)
		}
		return done, err
	}
}

// join gives the network that was typed, or chosen.
func (t typed) join() (Join, error) {
	var j Join
	for name, value := range t {
		switch name {
		case joinName:
			j.Name = value
		case joinPassword:
			j.Password = value
		case joinHidden:
			j.Hidden = value == yes(true)
			if !j.Hidden {
				return Join{}, errField
			}
		case joinIdentity:
			j.Identity = value
		default:
			return Join{}, errField
		}
	}
	if j.Name == "" || len(j.Name) > MaxSSID || strings.Contains(j.Identity, " ") {
		return Join{}, errField
	}
	return j, nil
}

// refuseDesk says why there is no answer. What the system says stays in the log.
func (c *session) refuseDesk(ctx context.Context, verb string, err error) {
	switch {
	case errors.Is(err, errField):
		c.refuse(refusedField, "join takes a name of 1 to 32 bytes, and perhaps password, hidden and identity", verb)
	case errors.Is(err, errors.ErrUnsupported):
		c.refuse(refusedUnknown, "there is no "+verb+" on this device", verb)
	case errors.Is(err, ErrOthers):
		c.refuse(refusedOthers, "other people are logged in", verb)
	default:
		c.Log.WarnContext(ctx, "a surface has no answer", "request", verb, "error", err)
		c.refuse(refusedFailed, "it did not work; the agent's log says why", verb)
	}
}
