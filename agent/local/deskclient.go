package local

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Users asks who may log in. What the service does not do is a [*RefusedError], as
// it is with all calls that follow.
func (c *Client) Users(ctx context.Context) (*Users, error) {
	b, err := c.atDesk(ctx, verbUsers)
	if err != nil {
		return nil, err
	}
	return readUsers(b)
}

// Network asks how the network stands.
func (c *Client) Network(ctx context.Context) (*Network, error) {
	b, err := c.atDesk(ctx, verbNetwork)
	if err != nil {
		return nil, err
	}
	return readNetwork(b, time.Now())
}

// Scan has networks looked for.
func (c *Client) Scan(ctx context.Context) error { return c.doneAtDesk(ctx, verbScan) }

// Join has a network joined.
func (c *Client) Join(ctx context.Context, j Join) error {
	request, err := writeJoin(&j)
	defer clear(request)
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, c.callOf(verbJoin), request)
	return err
}

// SetWiFi switches the device's Wi-Fi.
func (c *Client) SetWiFi(ctx context.Context, enable bool) error {
	word := off
	if enable {
		word = on
	}
	return c.doneAtDesk(ctx, verbWiFi, word)
}

// Info asks what the device is.
func (c *Client) Info(ctx context.Context) (*Info, error) {
	b, err := c.atDesk(ctx, verbInfo)
	if err != nil {
		return nil, err
	}
	return readInfo(b)
}

// Power restarts the device or shuts it down. It gives ErrOthers while somebody is
// logged in.
func (c *Client) Power(ctx context.Context, p Power) error {
	err := c.doneAtDesk(ctx, verbPower, string(p))
	var refused *RefusedError
	if errors.As(err, &refused) && refused.Word == refusedOthers {
		return ErrOthers
	}
	return err
}

// Logo asks for the organisation's, a PNG, empty if it has none.
func (c *Client) Logo(ctx context.Context) ([]byte, error) {
	b, err := c.atDesk(ctx, verbLogo)
	if err != nil {
		return nil, err
	}
	return readLogo(b)
}

func (c *Client) atDesk(ctx context.Context, words ...string) (*block, error) {
	a, err := c.ask(ctx, c.callOf(words[0]), []byte(strings.Join(words, " ")+"\n"))
	if err != nil {
		return nil, err
	}
	return a.(*block), nil
}

func (c *Client) doneAtDesk(ctx context.Context, words ...string) error {
	_, err := c.atDesk(ctx, words...)
	return err
}

// once refuses a block that has one of the keys twice.
func (b *block) once(keys ...string) error {
	seen := make(map[string]bool)
	for _, p := range b.pairs {
		if seen[p.key] && slices.Contains(keys, p.key) {
			return malformed("the key %s twice", p.key)
		}
		seen[p.key] = true
	}
	return nil
}

// is reads yes or no; a key that is missing is a no.
func (b *block) is(key string) (bool, error) {
	value := b.value(key)
	if value == "" {
		return false, nil
	}
	return readYes(pair{key, value})
}

// each calls take with the words before the last of a list's lines, and the last,
// which may hold spaces. There are at most so many lines.
func (b *block) each(key string, words, most int, take func(words []string) error) error {
	lines := 0
	for _, p := range b.pairs {
		if p.key != key || p.value == "" {
			continue
		}
		parts := strings.SplitN(p.value, " ", words)
		if lines++; lines > most || len(parts) != words || slices.Contains(parts[:words-1], "") {
			return malformed("%s has other words, or there are more than %d", key, most)
		}
		if err := take(parts); err != nil {
			return err
		}
	}
	return nil
}

func readUsers(b *block) (*Users, error) {
	u := new(Users)
	var list, more error
	u.List, list = b.is("list")
	u.More, more = b.is("more")
	err := b.each("user", 3, MaxUsers, func(words []string) error {
		if words[1] != "managed" && words[1] != "local" {
			return malformed("a user who is neither managed nor local")
		}
		u.All = append(u.All, User{Name: words[0], Managed: words[1] == "managed", Label: words[2]})
		return nil
	})
	if err = errors.Join(b.once("list", "more"), list, more, err); err != nil {
		return nil, err
	}
	return u, nil
}

// readNetwork reads a network that is so now. Words of later versions stay as they
// are.
func readNetwork(b *block, now time.Time) (*Network, error) {
	if err := b.once("link", "internet", "directory", "portal", "wifi", "name", "withheld", "scanning", "scanned", "join", "joincode", "joinname"); err != nil {
		return nil, err
	}
	n := &Network{
		Link: Link(b.value("link")), Internet: Reach(b.value("internet")), Directory: Reach(b.value("directory")), WiFi: WiFi(b.value("wifi")),
		Name: b.value("name"), Withheld: b.value("withheld"), Join: JoinState(b.value("join")), JoinCode: b.value("joincode"), JoinName: b.value("joinname"),
	}
	if n.Portal = b.value("portal"); n.Portal != "" && !isWeb(n.Portal) {
		return nil, malformed("a portal that is no page")
	}
	for _, word := range []string{string(n.Link), string(n.Internet), string(n.Directory), string(n.WiFi), n.Withheld, string(n.Join), n.JoinCode} {
		if word != "" && !isWord(word) {
			return nil, malformed("a word that is none")
		}
	}
	var err error
	if n.Scanning, err = b.is("scanning"); err != nil {
		return nil, err
	}
	if age := b.value("scanned"); age != "" {
		seconds, err := readNumber(age)
		if err != nil {
			return nil, err
		}
		n.Scanned = now.Add(-time.Duration(min(seconds, maxLeft)) * time.Second)
	}
	err = b.each("network", 4, MaxNetworks, func(words []string) error {
		strength, err := strconv.Atoi(words[2])
		if err != nil || strength < 0 || strength > 4 || len(words[2]) != 1 || words[1] != "saved" && words[1] != "new" || !isWord(words[0]) || words[3] == "" {
			return malformed("a network that is none")
		}
		n.Networks = append(n.Networks, WiFiNetwork{Security: Security(words[0]), Saved: words[1] == "saved", Strength: strength, Name: words[3]})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return n, b.each("identity", 2, MaxIdentities, func(words []string) error {
		n.Identities = append(n.Identities, Identity{words[0], words[1]})
		return nil
	})
}

func readInfo(b *block) (*Info, error) {
	if err := b.once("computer", "serial", "model", "os", "organisation"); err != nil {
		return nil, err
	}
	i := &Info{
		Computer: b.value("computer"), Serial: b.value("serial"), Model: b.value("model"), OS: b.value("os"), Agent: b.value("agent"),
		Organisation: b.value("organisation"),
	}
	return i, b.each("address", 4, MaxAddresses, func(words []string) error {
		if strings.Contains(words[3], " ") || words[3] == "" {
			return malformed("an address that is none")
		}
		i.Addresses = append(i.Addresses, Address{Interface: words[0], Kind: words[1], MAC: undash(words[2]), IP: undash(words[3])})
		return nil
	})
}

func undash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

func readLogo(b *block) ([]byte, error) {
	var text strings.Builder
	for _, p := range b.pairs {
		if p.key == "png" {
			text.WriteString(p.value)
		}
	}
	png, err := base64.StdEncoding.Strict().DecodeString(text.String())
	if err != nil || len(png) > MaxLogo {
		return nil, malformed("a picture that is none")
	}
	return png, nil
}
