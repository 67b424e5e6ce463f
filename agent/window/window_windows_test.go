package window

import (
	"testing"
	"time"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
)

// soon is a screen as it is now.
func soon(language string, state signin.State) *local.Screen {
	s := screenIn(language, state)
	if !s.Ends.IsZero() {
		s.Ends = time.Now().Add(598 * time.Second)
	}
	return s
}

func TestWindowsPictures(t *testing.T) {
	s := startWindow(t, newScript(soon("English", signin.Waiting)))
	s.save("waiting")
	s = startWindow(t, newScript(soon("English", signin.Number)))
	s.save("number")
	s = startWindow(t, newScript(soon("English", signin.Failed)))
	s.save("failed")
	s = startWindow(t, newScript(soon("German", signin.Starting)))
	s.save("starting")
	s = startWindow(t, newScript(soon("Arabic", signin.Waiting)))
	s.save("arabic")
}
