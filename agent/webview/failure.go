package webview

import "fmt"

// Failure is why there are no pages. It is also the exit code of the process that
// was to show them: the service that started it reads nothing else of it.
type Failure int

// The failures. Their numbers mean nothing else to this program.
const (
	NoRuntime     Failure = 20 + iota // none, or one that is too old
	NoEnvironment                     // the runtime does not start
	NoController                      // it makes no page
	NoLock                            // it lacks something we lock, or does not obey
	NoPage                            // the first page does not load
	ProcessLost                       // what shows the page has died
)

func (f Failure) Error() string {
	switch f {
	case NoRuntime:
		return "there is no WebView2 runtime that would do"
	case NoEnvironment:
		return "the WebView2 runtime does not start"
	case NoController:
		return "the WebView2 runtime makes no page"
	case NoLock:
		return "the WebView2 runtime cannot be locked"
	case NoPage:
		return "the first page does not load"
	case ProcessLost:
		return "the process that shows the page has ended or hangs"
	}
	return fmt.Sprintf("failure %d", int(f))
}

// Known tells numbers of failures from other exit codes.
func (f Failure) Known() bool { return f >= NoRuntime && f <= ProcessLost }
