//go:build unix

package page

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"firstday.dev/agent/local"
)

// desk is what a Mac is besides the sign-in. The service tells of it as of any; where
// a test says so, other lines come in place of the service's answer to a verb.
type desk struct {
	mu      sync.Mutex
	answers map[string]string // by verb: the first line of a block and what follows
	asked   []string          // what was asked, with its fields
	logo    []byte
}

func newDesk() *desk { return &desk{answers: make(map[string]string)} }

func (d *desk) says(verb, answer string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[verb] = answer
}

// note keeps what was asked.
func (d *desk) note(asked string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, asked)
	return nil
}

// heard gives what was asked that begins so.
func (d *desk) heard(prefix string) (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.asked {
		if strings.Contains("\n"+a, "\n"+prefix) {
			all = append(all, a)
		}
	}
	return all
}

func (*desk) Users(context.Context) (local.Users, error) {
	return local.Users{List: true, All: []local.User{{Name: "admin", Label: "Admin of Acme"}, {Name: "maria", Managed: true, Label: "María Müller"}}}, nil
}

func (*desk) Network(context.Context) (local.Network, error) {
	return local.Network{
		Link: local.LinkWiFi, Internet: local.ReachYes, Directory: local.ReachYes, WiFi: local.WiFiOn, Name: "Acme",
		Networks: []local.WiFiNetwork{
			{Security: local.Password, Saved: true, Strength: 4, Name: "Acme"}, {Security: local.Enterprise, Strength: 3, Name: "Acme-Secure"},
			{Security: local.Open, Strength: 2, Name: "Café — guests"}, {Security: local.Password, Strength: 1, Name: "Neighbour"},
		},
		Identities: []local.Identity{{ID: "7", Label: "Laptop of Acme"}},
	}, nil
}

func (d *desk) Scan(context.Context) error { return d.note("scan") }

func (d *desk) Join(_ context.Context, j local.Join) error {
	asked := "field name " + j.Name + "\n"
	if j.Password != "" {
		asked += "field password " + value(j.Password) + "\n"
	}
	if j.Hidden {
		asked += "field hidden yes\n"
	}
	if j.Identity != "" {
		asked += "field identity " + j.Identity + "\n"
	}
	return d.note(asked + "join")
}

// value is one as lines hold it, of what tests type.
func value(text string) string { return strings.ReplaceAll(text, "%", "%25") }

func (d *desk) SetWiFi(_ context.Context, on bool) error {
	if on {
		return d.note("wifi on")
	}
	return d.note("wifi off")
}

func (*desk) Info(context.Context) (local.Info, error) {
	return local.Info{
		Computer: "ACME-MAC-1", Serial: "C02ABC123", Model: "MacBook Air (M2)", OS: "macOS 26.1 (25B78)", Agent: "1.2.3", Organisation: "Acme",
		Addresses: []local.Address{{Interface: "en0", Kind: "wifi", MAC: "02:00:5e:10:00:01", IP: "192.0.2.17"}, {Interface: "en5", Kind: "ethernet", MAC: "02:00:5e:10:00:02"}},
	}, nil
}

func (d *desk) Power(_ context.Context, p local.Power) error { return d.note("power " + string(p)) }

func (d *desk) Logo(context.Context) ([]byte, error) { return d.logo, nil }

// png is the smallest picture that a person would see.
const png = "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC"

func picture() []byte {
	out, _ := base64.StdEncoding.DecodeString(png)
	return out
}

// between answers in the service's place where a test says so, on a connection to it.
func (d *desk) between(service net.Conn) net.Conn {
	near, far := net.Pipe()
	var writing sync.Mutex
	say := func(text string) {
		writing.Lock()
		defer writing.Unlock()
		_, _ = io.WriteString(far, text)
	}
	go func() { // whole blocks, so that another one may stand between two
		defer far.Close()
		var text []byte
		piece := make([]byte, 4096)
		for {
			n, err := service.Read(piece)
			text = append(text, piece[:n]...)
			if at := bytes.LastIndex(text, []byte("\n\n")); at >= 0 {
				say(string(text[:at+2]))
				text = slices.Clone(text[at+2:])
			}
			if err != nil {
				return
			}
		}
	}()
	go func() {
		defer service.Close()
		var text, fields string
		piece := make([]byte, 4096)
		for {
			n, err := far.Read(piece)
			text += string(piece[:n])
			for line, rest, whole := strings.Cut(text, "\n"); whole; line, rest, whole = strings.Cut(text, "\n") {
				text = rest
				verb, _, _ := strings.Cut(line, " ")
				if verb == "field" {
					fields += line + "\n"
					continue
				}
				d.mu.Lock()
				answer := d.answers[verb]
				d.mu.Unlock()
				if answer != "" {
					_ = d.note(fields + line)
					go say(answer + "\n")
				} else {
					_, _ = io.WriteString(service, fields+line+"\n")
				}
				fields = ""
			}
			if err != nil {
				return
			}
		}
	}()
	return near
}
