package console

import (
	"bytes"
	"context"
	"io"
	"strings"

	"filippo.io/age/armor"

	"firstday.dev/api"
)

// The directory cannot open what is in escrow: only who has the recovery key can. The
// console gives it sealed, and says how it is opened.

func (c *Console) askReveal(v *visit) (*page, error) {
	p, _, err := c.revealPage(v)
	return p, err
}

// revealPage is the form that asks for the reason.
func (c *Console) revealPage(v *visit) (*page, shownDevice, error) {
	d, err := c.findDevice(v)
	if err != nil {
		return nil, d, err
	}
	return &page{Title: "Break-glass password", Up: link{d.Path(), "Device"}, Template: "reveal", Data: d}, d, nil
}

// sealedPassword is one that was in escrow, still sealed.
type sealedPassword struct {
	api.Escrow
	Text string // in age's armour
}

type revealed struct {
	Device shownDevice
	Sealed []sealedPassword
	File   string // the name of the file with all of them
}

// Command opens the file.
func (r revealed) Command() string {
	return "firstday device open " + r.File + " --identity RECOVERY-KEY-FILE"
}

// reveal gives the sealed passwords, on a page or as a file, and notes the reason.
func (c *Console) reveal(v *visit) (*page, error) {
	form, d, err := c.revealPage(v)
	if err != nil {
		return nil, err
	}
	reason := v.form("reason")
	if reason == "" {
		v.wrong("reason", "Say why, for the audit log.")
		return v.again(form, nil)
	}
	list, err := c.directory.Reveal(v.Context(), v.actor(), d.ID, &api.RevealRequest{Reason: reason})
	if err != nil {
		return v.again(form, err)
	}
	data := revealed{Device: d, File: d.ID.String() + ".age"}
	var all strings.Builder
	for _, e := range list {
		text, err := armoured(e.Sealed)
		if err != nil {
			return nil, err
		}
		data.Sealed = append(data.Sealed, sealedPassword{e, text})
		all.WriteString(text)
	}
	if v.form("as") == "file" {
		return &page{download: &download{Name: data.File, Type: "application/octet-stream", Size: int64(all.Len()), Write: func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, all.String())
			return err
		}}}, nil
	}
	return &page{Title: "The sealed password", Up: link{d.Path(), "Device"}, Template: "revealed", Data: data}, nil
}

// armoured is sealed data as text.
func armoured(sealed []byte) (string, error) {
	var out bytes.Buffer
	w := armor.NewWriter(&out)
	if _, err := w.Write(sealed); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return out.String(), nil
}
