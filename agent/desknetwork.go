package agent

import (
	"context"
	"errors"

	"firstday.dev/agent/local"
	"firstday.dev/agent/wifi"
)

// errClosed: the service ends.
var errClosed = errors.New("the service ends")

// open opens what is not open yet. air is nil where this system's Wi-Fi is not ours
// to join.
func (d *loginDesk) open() (air, reachability, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, nil, errClosed
	}
	var err error
	if d.air == nil {
		if d.air, err = d.airs(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return nil, nil, err
		}
	}
	if d.reach == nil {
		if d.reach, err = d.reaches(); err != nil {
			return nil, nil, err
		}
	}
	return d.air, d.reach, nil
}

// Network tells how the device is connected.
func (d *loginDesk) Network(ctx context.Context) (local.Network, error) {
	air, out, err := d.open()
	if err != nil {
		return local.Network{}, err
	}
	n := local.Network{Link: plainLink(), WiFi: local.WiFiNone}
	if air != nil {
		s := air.Network(ctx)
		n = networkOf(&s)
		if d.newlyJoined(s.Join) {
			out.Refresh()
		}
	}
	s := out.State(ctx)
	n.Internet, n.Directory, n.Portal = local.Reach(s.Internet), local.Reach(s.Directory), s.Portal
	return n, nil
}

// newlyJoined tells once that a joining has come to a good end.
func (d *loginDesk) newlyJoined(now wifi.Progress) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.joined
	d.joined = now
	return now == wifi.JoinDone && before != now
}

func networkOf(s *wifi.Status) local.Network {
	n := local.Network{
		Link: local.Link(s.Link), WiFi: local.WiFi(s.Power), Name: s.Name, Withheld: string(s.Withheld),
		Scanning: s.Scanning, Scanned: s.Scanned,
		Join: local.JoinState(s.Join), JoinCode: string(s.JoinCode), JoinName: s.JoinName,
	}
	for _, w := range s.Networks {
		n.Networks = append(n.Networks, local.WiFiNetwork{Security: local.Security(w.Security), Saved: w.Saved, Strength: w.Strength, Name: w.Name})
	}
	for _, i := range s.Identities {
		n.Identities = append(n.Identities, local.Identity{ID: i.ID, Label: i.Label})
	}
	return n
}

// plainLink tells a connection by the interfaces' names, a cable first.
func plainLink() local.Link {
	addresses, err := interfaceAddresses()
	link := local.LinkNone
	for _, a := range addresses {
		switch {
		case err != nil || a.IP == "":
		case a.Kind == string(local.LinkEthernet):
			return local.LinkEthernet
		case a.Kind == string(local.LinkWiFi):
			link = local.LinkWiFi
		}
	}
	return link
}

// radio gives what joins Wi-Fi, or that this system has none of ours.
func (d *loginDesk) radio() (air, error) {
	air, _, err := d.open()
	if err == nil && air == nil {
		err = errors.ErrUnsupported
	}
	return air, err
}

// Scan looks for networks.
func (d *loginDesk) Scan(context.Context) error {
	air, err := d.radio()
	if err == nil {
		air.Scan()
	}
	return err
}

// Join joins one.
func (d *loginDesk) Join(_ context.Context, j local.Join) error {
	air, err := d.radio()
	if err != nil {
		return err
	}
	password := []byte(j.Password)
	defer clear(password)
	return air.Join(wifi.Join{Name: j.Name, Password: password, Hidden: j.Hidden, Identity: j.Identity})
}

// SetWiFi is the switch.
func (d *loginDesk) SetWiFi(ctx context.Context, on bool) error {
	air, err := d.radio()
	if err != nil {
		return err
	}
	return air.SetPower(ctx, on)
}
