package webview

// The interfaces of the runtime that we use, by which a runtime that is too old is
// found out: what it lacks it does not give. Their numbers, and the places of their
// methods below, are those of WebView2.idl; each inherits from the one before.
const (
	iidEnvironment10 = "{EE0EB9DF-6F12-46CE-B53F-3F47B9C928E0}"
	iidController4   = "{97D418D5-A426-4E49-A151-E1A10F327D9E}"
	iidView18        = "{7A626017-28BE-49B2-B865-3BA2B3522D90}"
	iidSettings6     = "{11CB3ACD-9BC8-43B8-83BF-F40753714F87}"
)

// arguments are those of the browser's process.
//
// The renderers' app containers are allowed on no desktop Winlogon, and from runtime
// 120 on no page came there (MicrosoftEdge/WebView2Feedback #4231). To let all app
// containers onto it would let in more than ours; the sandbox before them, of
// restricted tokens at untrusted integrity, is what is left.
//
// Runtimes 152 and later try to log the account on with a password that is none
// (#5722), which locks it.
const arguments = "--disable-features=RendererAppContainer,AutofillAiWalletPrivatePasses"

// script runs in every page and frame before any of theirs. The runtime has no
// setting for what opens windows of its own to pick files and to print.
const script = `(() => {
  const nothing = () => {};
  const fix = (o, name, value) => { try { Object.defineProperty(o, name, {value, writable: false, configurable: false}); } catch (e) {} };
  const picks = e => e instanceof HTMLInputElement && (e.type === "file" || e.type === "color");
  const click = HTMLElement.prototype.click;
  fix(window, "print", nothing);
  for (const name of ["showOpenFilePicker", "showSaveFilePicker", "showDirectoryPicker"]) fix(window, name, undefined);
  fix(HTMLInputElement.prototype, "showPicker", nothing);
  fix(HTMLElement.prototype, "click", function () { if (!picks(this)) click.call(this); });
  window.addEventListener("click", e => { if (e.composedPath().some(picks)) e.preventDefault(); }, true);
})();`
