package window

import (
	"context"
	"io"

	"firstday.dev/agent/webview"
)

// web is the page in the window, and what is known of it.
type web struct {
	browsed
	view   *webview.View
	loaded chan struct{} // closed when the first page is there
}

// RunPages is Run with the sign-in's pages in the window, for which the browser
// writes to the folder. Where they cannot be shown, or not any more, it gives a
// [webview.FailureError].
func RunPages(ctx context.Context, pipes io.ReadWriteCloser, folder string) error {
	return run(ctx, pipes, func(w *window) {
		w.web = &web{loaded: make(chan struct{})}
		w.web.view = new(webview.View)
		w.web.view.Open(&webview.Host{
			Window: w.handle, Folder: folder,
			At: func(origin string) {
				w.web.where, w.web.refused = origin, ""
				w.arrange()
			},
			Refused: func(origin string) {
				w.web.refused = origin
				w.arrange()
			},
			Shown: func() {
				w.web.shown = true
				close(w.web.loaded)
				w.arrange()
				w.focus()
			},
			Leave: w.leavePage,
			Failed: func(err error) {
				w.err = err
				w.close()
			},
		})
	})
}

// shower is the service, as far as it hears of the page.
type shower interface {
	Shown(ctx context.Context) error
}

// tell tells the service that the page is there. Where it does not hear, it will
// say so itself.
func (w *web) tell(ctx context.Context, s shower) {
	select {
	case <-w.loaded:
		_ = s.Shown(ctx)
	case <-ctx.Done():
	}
}

// leavePage gives the keyboard to the control after the page, or the one before.
func (w *window) leavePage(back bool) {
	page, previous := w.control("page"), uintptr(0)
	if page == nil {
		return
	}
	if back {
		previous = 1
	}
	if next := call(procGetNextDlgTabItem, w.handle, page.window, previous); next != page.window {
		call(procSetFocus, next)
	}
}
