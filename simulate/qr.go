package simulate

import (
	"fmt"
	"strings"

	"firstday.dev/agent/local"
)

// picture is a QR code as the path of an SVG image, a unit a module.
type picture struct {
	Size int    `json:"size"`
	Path string `json:"path"`
}

// quietZone is what a QR code needs around it, in modules.
const quietZone = 4

// draw gives nil for no text.
func draw(text string) *picture {
	rows := local.QRCode(text)
	if rows == nil {
		return nil
	}
	var path strings.Builder
	for y, row := range rows {
		for x, module := range row {
			if module == '1' {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quietZone, y+quietZone)
			}
		}
	}
	return &picture{len(rows) + 2*quietZone, path.String()}
}
