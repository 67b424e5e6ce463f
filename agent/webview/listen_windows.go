package webview

import (
	"fmt"
	"net/url"
)

// The places of what the view tells. Each is of the interface in the comment, and of
// all later ones.
const (
	onNavigationStarting      = 7 // ICoreWebView2
	onSourceChanged           = 11
	onNavigationCompleted     = 15
	onFrameNavigationStarting = 17
	onPermissionRequested     = 23
	onProcessFailed           = 25
	onNewWindowRequested      = 44
	onDownloadStarting        = 75  // …_4
	onCertificateRequested    = 77  // …_5
	onBasicRequested          = 97  // …_10
	onCertificateError        = 106 // …_14
	onExternalLaunched        = 117 // …_18
)

// Values of the runtime's.
const (
	denied            = 2 // COREWEBVIEW2_PERMISSION_STATE
	certificateCancel = 1 // COREWEBVIEW2_SERVER_CERTIFICATE_ERROR_ACTION
	reasonPrevious    = 2 // COREWEBVIEW2_MOVE_FOCUS_REASON
)

// listen answers all that the page may ask for. What cannot be answered is a runtime
// that does not obey: the view ends.
func (v *View) listen() error {
	return firstOf(
		func() error { return listen[navigationStarting](&v.kept, v.view, onNavigationStarting, v.navigates) },
		func() error {
			return listen[navigationStarting](&v.kept, v.view, onFrameNavigationStarting, v.navigates)
		},
		func() error { return listen[navigationCompleted](&v.kept, v.view, onNavigationCompleted, v.navigated) },
		func() error { return listen[sourceChanged](&v.kept, v.view, onSourceChanged, v.moved) },
		func() error { return listen[newWindowRequested](&v.kept, v.view, onNewWindowRequested, v.opens) },
		func() error { return listen[processFailed](&v.kept, v.view, onProcessFailed, v.processFailed) },
		func() error {
			return listen[permissionRequested](&v.kept, v.view, onPermissionRequested, func(about *object) { v.must(about.call(7, denied)) })
		},
		func() error {
			return listen[downloadStarting](&v.kept, v.view, onDownloadStarting, func(about *object) {
				v.must(about.put(5, true)) // cancelled
				v.must(about.put(9, true)) // and nothing is shown of it
			})
		},
		func() error { // handled, with none: whoever has the account's own key store open is nobody
			return listen[certificateRequested](&v.kept, v.view, onCertificateRequested, func(about *object) { v.must(about.put(13, true)) })
		},
		func() error {
			return listen[basicRequested](&v.kept, v.view, onBasicRequested, func(about *object) { v.must(about.put(7, true)) })
		},
		func() error {
			return listen[certificateError](&v.kept, v.view, onCertificateError, func(about *object) { v.must(about.call(7, certificateCancel)) })
		},
		func() error {
			return listen[externalLaunched](&v.kept, v.view, onExternalLaunched, func(about *object) { v.must(about.put(7, true)) })
		},
		func() error {
			return listen[moveFocusRequested](&v.kept, v.controller, controllerFocusAsked, v.leaves)
		},
	)
}

func firstOf(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// must takes what came of an answer.
func (v *View) must(err error) {
	if err != nil {
		v.fail(ErrNoLock, err)
	}
}

// navigates lets a page or a frame go where it may.
func (v *View) navigates(about *object) {
	const getURI, putCancel = 3, 8
	address, err := about.text(getURI)
	if err == nil && v.origins.Allowed(address) {
		return
	}
	v.must(about.put(putCancel, true))
	v.refused(address)
}

// refused tells where the page wanted to lead, as far as that has an origin.
func (v *View) refused(address string) {
	if origin := originOf(address); origin != "" {
		v.host.Refused(origin)
		return
	}
	scheme := ""
	if u, err := url.Parse(address); err == nil {
		scheme = u.Scheme
	}
	v.host.Refused(scheme)
}

const getSource = 4 // of the view

// navigated is when a page has loaded, or not.
func (v *View) navigated(about *object) {
	const getSuccess = 3
	success, err := about.number(getSuccess)
	if err != nil {
		v.fail(ErrNoPage, err)
		return
	}
	address, _ := v.view.text(getSource)
	if v.page == "" || success != 0 && address == blank {
		return // what is there before the first page
	}
	first, err := v.completed(success != 0)
	switch {
	case err != nil:
		const getStatus = 4
		status, _ := about.number(getStatus) // COREWEBVIEW2_WEB_ERROR_STATUS
		v.fail(ErrNoPage, fmt.Errorf("status %d", status))
	case first:
		if err := v.controller.put(controllerPutVisible, true); err != nil {
			v.fail(ErrNoPage, err)
			return
		}
		v.host.Shown()
	}
}

// moved is when another page is there.
func (v *View) moved(*object) {
	address, _ := v.view.text(getSource)
	if origin := originOf(address); origin != "" {
		v.host.At(origin)
	}
}

// opens has what would be a window of its own take the place of the page, where it
// may be shown at all.
func (v *View) opens(about *object) {
	const getURI, putHandled = 3, 6
	v.must(about.put(putHandled, true))
	address, err := about.text(getURI)
	if err != nil || address == blank {
		return
	}
	if !v.origins.Allowed(address) {
		v.refused(address)
		return
	}
	const navigate = 5
	v.must(v.view.take(navigate, address))
}

func (v *View) processFailed(about *object) {
	const getKind = 3
	kind, err := about.number(getKind)
	if err != nil {
		v.fail(ErrProcessLost, err)
	} else if fatal(kind) {
		v.fail(ErrProcessLost, fmt.Errorf("kind %d", kind))
	}
}

// leaves gives the keyboard to what is beside the page.
func (v *View) leaves(about *object) {
	const getReason, putHandled = 3, 5
	reason, err := about.number(getReason)
	if err == nil {
		err = about.put(putHandled, true)
	}
	if err == nil {
		v.host.Leave(reason == reasonPrevious)
	}
}
