"use strict";
// Shows what will come of settings while somebody changes them. Without it the button
// "Preview" does the same.
(() => {
	const frame = () => document.querySelector(".mac iframe");

	// The Mac's window is told what it shows, whenever that changes or it begins.
	let shown = "";
	const tell = () => {
		if (!frame()) return;
		shown = frame().dataset.told;
		frame().contentWindow.postMessage(JSON.parse(shown), "*"); // its origin is none
	};
	addEventListener("message", event => { if (event.source === frame()?.contentWindow && event.data === "ready") tell(); });
	new MutationObserver(() => { if (frame() && frame().dataset.told !== shown) tell(); })
		.observe(document.querySelector("main"), { subtree: true, childList: true, attributes: true, attributeFilter: ["data-told"] });

	let timer = 0, count = 0;
	const renew = async form => {
		const mine = ++count;
		const answer = await fetch("/console/settings/preview", { method: "POST", body: new FormData(form), redirect: "manual", cache: "no-store" }).catch(() => null);
		if (mine !== count || !answer || ![200, 422].includes(answer.status)) return; // there is a button, too
		const text = await answer.text().catch(() => "");
		const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("#previews");
		if (mine === count && fresh) Idiomorph.morph(document.querySelector("#previews"), fresh, { morphStyle: "outerHTML" });
	};
	const changed = event => {
		const form = event.target.form;
		if (form?.id !== "settings" || form.method !== "post") return;
		clearTimeout(timer);
		timer = setTimeout(() => renew(form), 250);
	};
	document.addEventListener("input", changed);
	document.addEventListener("change", changed);
	tell();
})();
