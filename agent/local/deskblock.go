package local

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The sizes of lines, so that all of a list fit into a block.
const (
	maxListed = 320 // bytes, with the key and the end
	base64Row = 900 // characters
)

// addListed is add for a line of a list: what has no room in it ends early.
func (b *block) addListed(key, value string) {
	b.pairs = append(b.pairs, pair{key, cut(value, maxListed-len(key)-len("=\n"))})
}

// cut shortens a value, so that lines hold it in so many bytes.
func cut(value string, room int) string {
	if len(escape(value)) <= room {
		return value
	}
	short := strings.ToValidUTF8(value[:min(len(value), room)], "")
	for len(escape(short))+len(ellipsis) > room {
		_, size := utf8.DecodeLastRuneInString(short)
		short = short[:len(short)-size]
	}
	return short + ellipsis
}

// isPlain tells names that stand at the beginning of a line of a list, before a
// space.
func isPlain(s string) bool {
	return s != "" && len(escape(s)) <= maxListed/2 && !strings.Contains(s, " ")
}

func usersBlock(u *Users) *block {
	b := newBlock(kindOK, verbUsers)
	b.add("list", yes(u.List))
	more, told := u.More, 0
	for _, user := range u.All {
		if told == MaxUsers || !isPlain(user.Name) {
			more = true // whose name does not fit types it
			continue
		}
		told++
		kind := "local"
		if user.Managed {
			kind = "managed"
		}
		label := user.Label
		if label == "" {
			label = user.Name
		}
		b.addListed("user", user.Name+" "+kind+" "+label)
	}
	if more {
		b.add("more", yes(true))
	}
	return b
}

// networkBlock writes what is known now.
func networkBlock(n *Network, now time.Time) *block {
	b := newBlock(kindOK, verbNetwork)
	b.add("link", string(n.Link))
	b.add("internet", string(n.Internet))
	b.add("directory", string(n.Directory))
	if n.Internet == ReachCaptive && isWeb(n.Portal) {
		b.addAddress("portal", n.Portal)
	}
	b.add("wifi", string(n.WiFi))
	b.add("name", n.Name)
	b.add("withheld", n.Withheld)
	b.add("scanning", yes(n.Scanning))
	if !n.Scanned.IsZero() {
		b.add("scanned", strconv.FormatInt(max(0, int64(now.Sub(n.Scanned)/time.Second)), 10))
	}
	for _, w := range arranged(n.Networks) {
		known := "new"
		if w.Saved {
			known = "saved"
		}
		b.addListed("network", string(w.Security)+" "+known+" "+strconv.Itoa(min(max(w.Strength, 0), 4))+" "+w.Name)
	}
	told := 0
	for _, i := range n.Identities {
		if isPlain(i.ID) && told < MaxIdentities {
			told++
			b.addListed("identity", i.ID+" "+i.Label)
		}
	}
	b.add("join", string(n.Join))
	b.add("joincode", n.JoinCode)
	b.add("joinname", n.JoinName)
	return b
}

// arranged gives the networks that are told: saved ones first, then by strength.
func arranged(networks []WiFiNetwork) []WiFiNetwork {
	sorted := slices.DeleteFunc(slices.Clone(networks), func(w WiFiNetwork) bool { return w.Name == "" || len(w.Name) > MaxSSID })
	slices.SortStableFunc(sorted, func(a, b WiFiNetwork) int {
		if a.Saved != b.Saved {
			return strings.Compare(yes(b.Saved), yes(a.Saved))
		}
		return b.Strength - a.Strength
	})
	return sorted[:min(len(sorted), MaxNetworks)]
}

// isWeb tells addresses of pages, which a surface may show.
func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

func infoBlock(i *Info) *block {
	b := newBlock(kindOK, verbInfo)
	b.add("computer", i.Computer)
	b.add("serial", i.Serial)
	b.add("model", i.Model)
	b.add("os", i.OS)
	b.add("agent", i.Agent)
	b.add("organisation", i.Organisation)
	told := 0
	for _, a := range i.Addresses {
		if isPlain(a.Interface) && told < MaxAddresses {
			told++
			b.addListed("address", a.Interface+" "+a.Kind+" "+dash(a.MAC)+" "+dash(a.IP)) // none of them has a space
		}
	}
	return b
}

// dash stands for what is missing.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// logoBlock writes no picture that is too large.
func logoBlock(png []byte) *block {
	b := newBlock(kindOK, verbLogo)
	if len(png) > MaxLogo {
		return b
	}
	text := base64.StdEncoding.EncodeToString(png)
	for row := range slices.Chunk([]byte(text), base64Row) {
		b.add("png", string(row))
	}
	return b
}
