package simulate

import (
	"fmt"
	"strings"

	"github.com/skip2/go-qrcode"
)

// picture is a QR code as the path of an SVG image, a unit a module.
type picture struct {
	Size int    `json:"size"`
	Path string `json:"path"`
}

// draw gives nil for no text.
func draw(text string) (*picture, error) {
	if text == "" {
		return nil, nil
	}
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return nil, err
	}
	modules := code.Bitmap() // with its quiet zone
	var path strings.Builder
	for y, row := range modules {
		for x, dark := range row {
			if dark {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x, y)
			}
		}
	}
	return &picture{len(modules), path.String()}, nil
}
