package terminal

import (
	"os"

	"golang.org/x/sys/windows"
)

// openColours has the console understand sequences for colours, which it does
// since Windows 10 when asked.
func openColours(out *os.File) (ok bool, end func()) {
	console := windows.Handle(out.Fd())
	var before uint32
	if err := windows.GetConsoleMode(console, &before); err != nil {
		return false, func() {}
	}
	if err := windows.SetConsoleMode(console, before|windows.ENABLE_PROCESSED_OUTPUT|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING); err != nil {
		return false, func() {}
	}
	return true, func() { _ = windows.SetConsoleMode(console, before) } // the console may be gone
}
