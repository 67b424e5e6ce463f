package terminal

import (
	"os"

	"golang.org/x/term"
)

// usualWidth is that of terminals that do not say.
const usualWidth = 80

// Open takes a terminal, so that each key is heard at once and none is shown,
// until restore is called. It tells how to write to it.
func Open(in, out *os.File) (look Look, restore func(), err error) {
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return look, nil, err
	}
	look = Look{Width: usualWidth, Colour: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	if width, _, err := term.GetSize(int(out.Fd())); err == nil && width > 1 {
		look.Width = width
	}
	colours, end := openColours(out)
	look.Colour = look.Colour && colours
	return look, func() {
		end()
		_ = term.Restore(int(in.Fd()), before) // the terminal may be gone
	}, nil
}
