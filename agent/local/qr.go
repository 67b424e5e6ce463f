package local

import (
	"strings"

	"github.com/skip2/go-qrcode"
)

// maxModules is how wide a QR code may be, in modules: version 10, which a
// telephone reads from a low screen. It holds some 200 bytes.
const maxModules = 57

// QRCode draws one: rows of 1 for dark and 0 for light modules, without the quiet
// zone of four modules that it needs around it. None if the text is too long for
// one.
func QRCode(text string) []string {
	for _, level := range []qrcode.RecoveryLevel{qrcode.Medium, qrcode.Low} {
		code, err := qrcode.New(text, level)
		if text == "" || err != nil {
			return nil
		}
		code.DisableBorder = true
		if bits := code.Bitmap(); len(bits) <= maxModules {
			return rows(bits)
		}
	}
	return nil
}

func rows(bits [][]bool) []string {
	out := make([]string, len(bits))
	for y, row := range bits {
		var b strings.Builder
		for _, dark := range row {
			if dark {
				b.WriteByte('1')
			} else {
				b.WriteByte('0')
			}
		}
		out[y] = b.String()
	}
	return out
}

// checkModules refuses what is not square.
func checkModules(rows []string) error {
	if len(rows) > maxModules {
		return malformed("a QR code of %d rows", len(rows))
	}
	for _, r := range rows {
		if len(r) != len(rows) || strings.Trim(r, "01") != "" {
			return malformed("a QR code that is not square")
		}
	}
	return nil
}
