package window

import (
	"fmt"
	"time"
)

// The window's own words. All others come from the agent.
const (
	wordAddress   = "Address"
	wordCode      = "Code"
	wordTimeLeft  = "Time left"
	wordNetwork   = "Connection"
	wordOnline    = "Connected"
	wordOffline   = "No connection to the directory"
	wordDevice    = "This device"
	wordSerial    = "Serial number"
	wordHelp      = "Help:"
	wordClose     = "Close"
	wordReference = "Error code"
	wordPage      = "Page"
	wordPageOf    = "Page of"
	wordNoPage    = "none yet"
	wordOpening   = "One moment: the page is being opened."
	wordRefused   = "The page wanted to lead to %s, which is not one of those to sign in with."
	// wordPicture is what a screen reader says of the picture.
	wordPicture = "QR code. Or open %s and type %s."
)

// timeLeft says how long a screen still stands, as 9:58.
func timeLeft(ends, now time.Time) string {
	left := max(0, ends.Sub(now).Round(time.Second))
	if left >= time.Hour {
		return fmt.Sprintf("%d:%02d:%02d", left/time.Hour, left%time.Hour/time.Minute, left%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d:%02d", left/time.Minute, left%time.Minute/time.Second)
}
