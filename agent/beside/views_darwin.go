package beside

import (
	"github.com/ebitengine/purego/objc"

	"firstday.dev/signinpage"
)

// viewMethods are what the delegate of the web views takes: messages of the page,
// where pages want to go, whom they come from, that there are none any more, and the page's files.
func (t *appKit) viewMethods() []objc.MethodDef {
	return []objc.MethodDef{
		own("userContentController:didReceiveScriptMessage:", func(_ objc.ID, _ objc.SEL, _, message objc.ID) { t.said(message) }),
		own("webView:decidePolicyForNavigationAction:decisionHandler:", func(_ objc.ID, _ objc.SEL, view, action, answer objc.ID) {
			policy := policyCancel
			if t.may(view, action) {
				policy = policyAllow
			}
			decide(answer, policy, 0)
		}),
		own("webView:didReceiveAuthenticationChallenge:completionHandler:", func(_ objc.ID, _ objc.SEL, view, challenge, answer objc.ID) {
			t.asked(view, challenge.Send(sel("protectionSpace")), answer)
		}),
		own("webViewWebContentProcessDidTerminate:", func(_ objc.ID, _ objc.SEL, view objc.ID) {
			switch {
			case t.page == nil:
			case view == t.page.view:
				t.beside.PageLost()
			case view == t.page.other:
				t.beside.OtherLost()
			}
		}),
		own("webView:didFailProvisionalNavigation:withError:", func(_ objc.ID, _ objc.SEL, view, _, problem objc.ID) {
			if t.page != nil && view == t.page.other && objc.Send[int](problem, sel("code")) != urlErrorCancelled {
				t.beside.OtherLost()
			}
		}),
		own("webView:startURLSchemeTask:", func(_ objc.ID, _ objc.SEL, _, task objc.ID) { serve(task) }),
		own("webView:stopURLSchemeTask:", func(objc.ID, objc.SEL, objc.ID, objc.ID) {}), // it has ended by then
	}
}

// said takes a text that the page sends from its main frame.
func (t *appKit) said(message objc.ID) {
	body := message.Send(sel("body"))
	if t.page == nil || body == 0 || !objc.Send[bool](body, sel("isKindOfClass:"), class("NSString")) ||
		!objc.Send[bool](message.Send(sel("frameInfo")), sel("isMainFrame")) {
		return
	}
	t.beside.Said(goText(body))
}

// may tells whether a web view may go where its page wants: ours nowhere else, the
// other where the host says, and neither to another window.
func (t *appKit) may(view, action objc.ID) bool {
	address := addressOf(action.Send(sel("request")))
	switch {
	case t.page == nil || action.Send(sel("targetFrame")) == 0:
		return false
	case view == t.page.view:
		return address == pageAddress
	default:
		return view == t.page.other && t.beside.MayShow(address)
	}
}

func addressOf(request objc.ID) string {
	return string(goText(request.Send(sel("URL")).Send(sel("absoluteString"))))
}

// serve answers a request for a file of the page, before it returns.
func serve(task objc.ID) {
	request := task.Send(sel("request"))
	content, kind, err := pageFile(signinpage.Files, addressOf(request))
	if err != nil {
		task.Send(sel("didFailWithError:"), class("NSError").Send(sel("errorWithDomain:code:userInfo:"), text(urlErrorDomain), urlErrorNoFile, objc.ID(0)))
		return
	}
	response := class("NSURLResponse").Send(sel("alloc")).Send(sel("initWithURL:MIMEType:expectedContentLength:textEncodingName:"),
		request.Send(sel("URL")), text(kind), len(content), text("utf-8"))
	defer response.Send(sel("release"))
	task.Send(sel("didReceiveResponse:"), response)
	task.Send(sel("didReceiveData:"), data(content))
	task.Send(sel("didFinish"))
}
