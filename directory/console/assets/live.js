"use strict";
// What makes pages live. All of the console works without it: this only spares
// people to reload, copies texts, and puts times into their own zone.
(() => {
	const main = () => document.querySelector("main");

	// Times are in UTC as they come.
	const show = {
		minute: { dateStyle: "medium", timeStyle: "short" },
		day: { dateStyle: "medium" },
	};
	const local = root => {
		for (const e of root.querySelectorAll("time[data-show]")) {
			e.title = e.textContent;
			e.textContent = new Date(e.dateTime).toLocaleString(document.documentElement.lang, show[e.dataset.show]);
			e.removeAttribute("data-show");
		}
	};

	// Buttons that copy are of no use without a script, and hidden then.
	const reveal = root => {
		for (const e of root.querySelectorAll("[data-copy]")) e.hidden = !navigator.clipboard;
	};
	document.addEventListener("click", async event => {
		const button = event.target.closest("[data-copy]");
		if (!button) return;
		await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
		button.textContent = button.dataset.copied;
	});

	// On a phone the menu is closed until somebody opens it.
	const menu = document.querySelector(".menu"), narrow = matchMedia("(max-width: 48rem)");
	const fold = () => { if (menu) menu.open = !narrow.matches; };
	fold();
	narrow.addEventListener("change", fold);

	// What somebody has changed, opened or looks at stays as it is, and with a field
	// its whole form: that says, too, what was changed. In a form with data-live, such as
	// one around a list to choose from, only the fields themselves do.
	const edited = new WeakSet();
	document.addEventListener("input", event => edited.add(event.target));
	document.addEventListener("click", event => {
		const summary = event.target.closest("summary");
		if (summary) edited.add(summary.parentElement);
	});
	const keep = (before, after) => {
		if (before === main()) return true; // a skip link may have led the focus there
		if (before === document.activeElement || edited.has(before) || before.dataset?.keep !== undefined) return false;
		if (before.matches?.("form:not([data-live])") && [...before.elements].some(e => edited.has(e))) return false;
		if (before.nodeType === 1 && after.nodeType === 1) return !before.isEqualNode(after);
		return true;
	};

	// The page as it is now; nothing where the directory does not answer: the stream
	// begins anew when it does.
	const current = async () => {
		const answer = await fetch(location.href, { headers: { "Firstday-Live": "1" }, redirect: "manual", cache: "no-store" }).catch(() => null);
		if (answer?.type === "opaqueredirect") location.reload(); // nobody is signed in any more
		if (!answer?.ok) return null;
		const text = await answer.text().catch(() => "");
		return new DOMParser().parseFromString(text, "text/html").querySelector("main");
	};

	// A page that nobody sees waits until somebody does.
	let fetching = false, again = false;
	const renew = async () => {
		again = true;
		if (fetching || document.hidden) return;
		fetching = true;
		try {
			while (again) {
				again = false;
				const fresh = await current();
				if (!fresh) return;
				local(fresh);
				reveal(fresh);
				for (const said of main().querySelectorAll(":scope > .message[role=status]")) fresh.querySelector("h1").after(said.cloneNode(true));
				Idiomorph.morph(main(), fresh, { morphStyle: "outerHTML", ignoreActiveValue: true, callbacks: { beforeNodeMorphed: keep } });
			}
		} finally {
			fetching = false;
		}
	};

	const listen = () => {
		const topics = main().dataset.topics?.trim();
		if (!topics) return;
		const events = new EventSource("/console/events?topics=" + encodeURIComponent(topics));
		let lost = false;
		events.addEventListener("changed", renew);
		events.addEventListener("over", () => { events.close(); location.reload(); });
		events.addEventListener("error", () => { lost = true; });
		events.addEventListener("open", () => {
			document.documentElement.dataset.live = "on";
			if (lost) renew(); // of what happened in between
			lost = false;
		});
		addEventListener("pagehide", () => events.close(), { once: true });
	};

	document.addEventListener("visibilitychange", () => { if (again) renew(); });

	local(document);
	reveal(document);
	listen();
	addEventListener("pageshow", event => { if (event.persisted) { renew(); listen(); } });
})();
