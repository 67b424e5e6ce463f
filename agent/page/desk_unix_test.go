//go:build unix

package page

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
)

// desk is what the service says of a Mac besides the sign-in: each verb is answered
// with lines that a test has set.
type desk struct {
	mu      sync.Mutex
	answers map[string]string // by verb: the first line of a block and what follows
	asked   []string          // what was asked, with its fields
}

func newDesk() *desk {
	return &desk{answers: map[string]string{
		"users":   "ok users\nlist=yes\nuser=admin local Admin of Acme\nuser=maria managed María Müller\n",
		"network": "ok network\nlink=wifi\ninternet=yes\ndirectory=yes\nwifi=on\nname=Acme\nnetwork=password saved 4 Acme\nnetwork=open new 2 Café — guests\nnetwork=enterprise new 3 Acme-Secure\nnetwork=password new 1 Neighbour\nidentity=7 Laptop of Acme\n",
		"scan":    "ok scan\n", "join": "ok join\n", "wifi": "ok wifi\n", "power": "ok power\n", "logo": "ok logo\n",
		"info": "ok info\ncomputer=ACME-MAC-1\nserial=C02ABC123\nmodel=MacBook Air (M2)\nos=macOS 26.1 (25B78)\nagent=1.2.3\norganisation=Acme\naddress=en0 wifi 02:00:5e:10:00:01 192.0.2.17\naddress=en5 ethernet 02:00:5e:10:00:02 -\n",
	}}
}

func (d *desk) says(verb, answer string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[verb] = answer
}

// heard gives what was asked since, of verbs that are told only.
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

// between answers for the desk on a connection to the service, which hears the rest.
func (d *desk) between(service net.Conn) net.Conn {
	near, far := net.Pipe()
	var writing sync.Mutex
	say := func(text string) {
		writing.Lock()
		defer writing.Unlock()
		_, _ = io.WriteString(far, text)
	}
	go func() { // blocks, one at a time
		defer far.Close()
		var text []byte
		piece := make([]byte, 4096)
		for {
			n, err := service.Read(piece)
			text = append(text, piece[:n]...)
			if at := bytes.LastIndex(text, []byte("\n\n")); at >= 0 {
				say(string(text[:at+2]))
				text = text[at+2:]
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
			for {
				line, rest, whole := strings.Cut(text, "\n")
				if !whole {
					break
				}
				text = rest
				verb, _, _ := strings.Cut(line, " ")
				d.mu.Lock()
				answer, ours := d.answers[verb]
				if ours {
					d.asked = append(d.asked, fields+line)
				}
				d.mu.Unlock()
				switch {
				case verb == "field":
					fields += line + "\n"
					continue
				case ours:
					go say(answer + "\n")
				default:
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
