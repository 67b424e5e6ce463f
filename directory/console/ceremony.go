package console

import (
	"encoding/base64"
	"html/template"

	"github.com/skip2/go-qrcode"

	"firstday.dev/api"
	"firstday.dev/directory"
)

// ceremonyData is what the page of a ceremony shows.
type ceremonyData struct {
	Purpose directory.Purpose
	// Options are what navigator.credentials takes; Create tells of a passkey that
	// is made.
	Options string
	Create  bool
	// QR and Secret are the second factor that is set up.
	QR     template.URL
	Secret string
	// Address is where the provider lets people sign in.
	Address, Provider string
	Back              string // where to begin again
}

// qrSize is the picture's width and height, in pixels.
const qrSize = 480

// showCeremony shows the way in that the browser is in the middle of.
func (c *Console) showCeremony(v *visit) (*page, error) {
	ceremony, err := c.directory.Ceremony(v.Request)
	if err != nil {
		return c.overPage(), err
	}
	return c.ceremonyPage(v, ceremony)
}

// overPage is for who has to begin again.
func (c *Console) overPage() *page { return &page{Title: "This did not work", Template: "over"} }

func (c *Console) ceremonyPage(v *visit, ceremony *directory.Ceremony) (*page, error) {
	data := ceremonyData{Purpose: ceremony.Purpose, Back: ceremony.Back}
	switch ceremony.Way {
	case api.WayPasskey:
		data.Create = ceremony.Purpose == directory.ToJoin || ceremony.Purpose == directory.ToAdd
		data.Options = string(ceremony.Options)
		p := &page{Title: "Your passkey", Template: "passkey", Data: data, Scripts: []string{"passkey.js"}}
		if data.Create {
			p.Title = "Make a passkey"
		}
		return p, nil
	case api.WayPassword:
		png, err := qrcode.Encode(ceremony.TOTPURL.Reveal(), qrcode.Medium, qrSize)
		if err != nil {
			return nil, err
		}
		data.QR = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png)) //nolint:gosec // letters of Base64
		data.Secret = ceremony.TOTP.Reveal()
		return &page{Title: "Choose a password", Template: "password", Data: data}, nil
	default:
		var err error
		if data.Address, data.Provider, err = c.directory.LeadsTo(v.Context(), ceremony); err != nil {
			return c.overPage(), err
		}
		return &page{Title: "Go on at your identity provider", Template: "provider", Data: data}, nil
	}
}

// takeCeremony takes what the page of a ceremony asked for.
func (c *Console) takeCeremony(v *visit) (*page, error) {
	ceremony, err := c.directory.Ceremony(v.Request)
	if err != nil {
		return c.overPage(), err
	}
	var out *directory.Outcome
	if ceremony.Way == api.WayPassword {
		out, err = c.directory.TakePassword(v.Request, v.secret("password"), v.secret("again"), v.form("code"))
		if err != nil && !ended(err) {
			form, again := c.ceremonyPage(v, ceremony)
			if again != nil {
				return nil, again
			}
			return v.again(form, err) // the same second factor still counts
		}
	} else {
		out, err = c.directory.TakePasskey(v.Request, v.form("called"), v.form("answer"))
	}
	if err != nil {
		return &page{Title: "This did not work", Template: "over", Data: ceremony.Back}, err
	}
	p, err := v.enter(out)
	if err == nil && ceremony.Purpose == directory.ToAdd && p.to != "" {
		return v.done(p.to, "The passkey is added.")
	}
	return p, err
}
