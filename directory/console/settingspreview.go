package console

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/skip2/go-qrcode"

	"firstday.dev/api"
	"firstday.dev/signinpage"
)

// preview is what people will see under settings, at a step of the sign-in.
type preview struct {
	Step    string
	Steps   []choice
	Windows *windowsPreview // nil: nothing is offered
	Mac     *macPreview
}

// stepWords are what steps are called, in the order of the sign-in.
var stepWords = []choice{
	{signinpage.StepReady, sentence("The offer")}, {signinpage.StepPage, sentence("The pages on the device")}, {signinpage.StepWaiting, sentence("The code for the phone")},
	{signinpage.StepNumber, sentence("The number")}, {signinpage.StepPassword, sentence("The password")}, {signinpage.StepPIN, sentence("The PIN")},
	{signinpage.StepCreating, sentence("Making the account")}, {signinpage.StepDone, sentence("The end")},
}

// windowsPreview is the tile, and the window beside it if there is one.
type windowsPreview struct {
	Absent bool // the step does not come up under these settings
	Tile   []signinpage.Part
	Window []signinpage.Part
	QR     *qrPicture
}

// macPreview is what the page of the Mac's window is told.
type macPreview struct {
	Absent bool
	Off    bool // there is no window
	Screen *signinpage.Screen
	// Told is JSON: what the window's page asks for.
	Told   string
	Beside bool
}

// userCode is what stands for a code.
const userCode = "BCDF-GHJK"

func (c *Console) preview(v *visit, s *api.Settings) (*preview, error) {
	p := &preview{Step: v.form("preview.step"), Steps: stepWords}
	if !slices.Contains(signinpage.Steps, p.Step) {
		p.Step = signinpage.StepReady
	}
	windows, err := c.screens(api.Windows, s)
	if err != nil {
		return nil, err
	}
	if len(windows) > 0 {
		p.Windows = previewWindows(windows[p.Step], s.Windows.Window)
	}
	mac, err := c.screens(api.MacOS, s)
	if err != nil || len(mac) == 0 {
		return p, err
	}
	p.Mac, err = c.previewMac(v, mac, p.Step, s)
	return p, err
}

// screens gives what people will see, with a device that might be theirs.
func (c *Console) screens(platform api.Platform, s *api.Settings) (map[string]*signinpage.Screen, error) {
	screens, err := signinpage.Beforehand(platform, c.directory.Organisation, mustFor(s, platform))
	if err != nil {
		return nil, err
	}
	for _, screen := range screens {
		screen.Name, screen.SerialNumber, screen.Model, screen.OS = "LAPTOP-0042", "5CG1234XYZ", "Latitude 7450", "Windows 11"
		if platform == api.MacOS {
			screen.Name, screen.SerialNumber, screen.Model, screen.OS = "MAC-0042", "C02ABC123", "MacBook Air", "macOS 26"
		}
		if screen.UserCode == "" {
			continue
		}
		screen.UserCode, screen.URI = userCode, c.directory.PagesURL+api.PathPages
		if screen.QR, err = modules(screen.URI + "?code=" + userCode); err != nil {
			return nil, err
		}
	}
	return screens, nil
}

func previewWindows(screen *signinpage.Screen, window api.SignInWindow) *windowsPreview {
	if screen == nil {
		return &windowsPreview{Absent: true}
	}
	p := &windowsPreview{Tile: signinpage.Tile(screen)}
	if len(screen.QR) > 0 {
		p.QR = draw(screen.QR)
	}
	if window != api.WindowOff && signinpage.HasWindow(screen) {
		p.Window = signinpage.Window(screen)
	}
	return p
}

// toldMac is what assets/window.js, which stands in for the agent, knows.
type toldMac struct {
	Screens  map[string]*signinpage.Screen `json:"screens"`
	Step     string                        `json:"step"`
	Language string                        `json:"language"`
	List     bool                          `json:"list"`
	Logo     string                        `json:"logo"`
	Pages    string                        `json:"pages"` // what stands for the directory's pages
}

func (c *Console) previewMac(v *visit, screens map[string]*signinpage.Screen, step string, s *api.Settings) (*macPreview, error) {
	p := &macPreview{Off: s.MacOS.Window == api.WindowOff, Beside: s.MacOS.Window != api.WindowInstead, Screen: screens[step], Absent: screens[step] == nil}
	told, err := json.Marshal(toldMac{
		Screens: screens, Step: step, Language: v.language.Tag, List: s.MacOS.UserList != api.ListFields, Logo: base64.StdEncoding.EncodeToString(s.Logo),
		Pages: v.language.say(sentence("Here people see the sign-in's own pages.")),
	})
	p.Told = string(told)
	return p, err
}

// modules gives a QR code as rows of 1 for dark and 0 for light.
func modules(text string) ([]string, error) {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return nil, err
	}
	code.DisableBorder = true
	var rows []string
	for _, row := range code.Bitmap() {
		var b strings.Builder
		for _, dark := range row {
			if dark {
				b.WriteByte('1')
			} else {
				b.WriteByte('0')
			}
		}
		rows = append(rows, b.String())
	}
	return rows, nil
}

// qrPicture is a code as SVG draws it, with the light modules around that it needs.
type qrPicture struct {
	Size int
	Path string
}

func draw(rows []string) *qrPicture {
	const quiet = 4
	var path strings.Builder
	for y, row := range rows {
		for x, module := range row {
			if module == '1' {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	return &qrPicture{len(rows) + 2*quiet, path.String()}
}
