package webview

import "fmt"

// FailureError is why there are no pages. It is also the exit code of the process that
// was to show them: the service that started it reads nothing else of it.
type FailureError int

// The failures. Their numbers mean nothing else to this program.
const (
	ErrNoRuntime     FailureError = 20 + iota // none, or one that is too old
	ErrNoEnvironment                          // the runtime does not start
	ErrNoController                           // it makes no page
	ErrNoLock                                 // it lacks something we lock, or does not obey
	ErrNoPage                                 // the first page does not load
	ErrProcessLost                            // what shows the page has died
)

func (f FailureError) Error() string {
	switch f {
	case ErrNoRuntime:
		return "there is no WebView2 runtime that would do"
	case ErrNoEnvironment:
		return "the WebView2 runtime does not start"
	case ErrNoController:
		return "the WebView2 runtime makes no page"
	case ErrNoLock:
		return "the WebView2 runtime cannot be locked"
	case ErrNoPage:
		return "the first page does not load"
	case ErrProcessLost:
		return "the process that shows the page has ended or hangs"
	}
	return fmt.Sprintf("failure %d", int(f))
}

// Known tells numbers of failures from other exit codes.
func (f FailureError) Known() bool { return f >= ErrNoRuntime && f <= ErrProcessLost }
