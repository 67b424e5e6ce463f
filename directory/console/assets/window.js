"use strict";
// Stands in for the agent in the page of the Mac's login window, where administrators
// look at it beforehand: it says what the page around tells, and leads from screen to
// screen as a sign-in does. Nothing leaves the frame.
(() => {
	let told = null, ready = false, step = "ready", serial = 1;

	// The window has the focus from the start; here it is the page's around, as long as
	// nobody goes in.
	const focus = HTMLElement.prototype.focus;
	HTMLElement.prototype.focus = function () { if (document.hasFocus()) focus.call(this, { preventScroll: true }); };

	const tell = block => setTimeout(() => firstday.take(block));
	const answer = (verb, pairs) => tell({ kind: "answer", verb, pairs });

	// Another screen, or the one before where the settings have none.
	const go = to => {
		const screen = told.screens[to];
		if (!screen) return;
		step = to;
		serial++;
		tell({ ...screen, serial: String(serial) });
	};

	const order = ["waiting", "number", "password", "pin", "creating", "done"];
	const next = () => order.slice(order.indexOf(step) + 1).find(s => told.screens[s]);

	const act = name => {
		if (["start", "retry"].includes(name)) go(told.screens.page ? "page" : "waiting");
		else if (name === "elsewhere") go("waiting");
		else if (["submit", "skip"].includes(name)) go(next());
		else go("ready");
	};

	// What stands where the directory's pages would.
	const pages = document.createElement("p");
	Object.assign(pages.style, { position: "fixed", inset: "40% 0 auto", textAlign: "center", fontSize: "1.2em" });

	const asked = verb => {
		const screen = told.screens.ready;
		switch (verb) {
		case "users":
			return answer(verb, told.list ? [["list", "yes"], ["user", "admin local Admin"], ["user", "maria managed María Müller"]] : [["list", "no"]]);
		case "network":
			return answer(verb, [["link", "wifi"], ["name", screen.organisation], ["internet", "yes"], ["directory", "yes"], ["wifi", "on"]]);
		case "info":
			return answer(verb, [["computer", screen.name], ["serial", screen.serialnumber], ["model", screen.model], ["os", screen.os], ["organisation", screen.organisation]]);
		case "logo":
			return answer(verb, told.logo ? [["png", told.logo]] : []);
		}
		return tell({ kind: "answer", verb, error: "denied" });
	};

	const said = text => {
		const [verb, name] = text.trimEnd().split("\n").pop().split(" ");
		switch (verb) {
		case "ready":
			ready = true;
			if (told) draw(true); // it came before the page was there
			return parent.postMessage("ready", "*");
		case "act": return act(name);
		case "ask": return asked(name);
		case "wlan": return tell({ kind: "answer", verb, error: "denied" });
		case "refresh": return tell({ kind: "refreshed" });
		case "show": return document.body.append(pages);
		case "shut": return pages.remove();
		}
	};
	window.webkit = { messageHandlers: { firstday: { postMessage: said } } };

	// Shows what is told.
	const draw = anew => {
		if (words.languages.has(told.language) && words.language !== told.language) {
			words.use(told.language);
			drawAll();
		}
		pages.textContent = told.pages;
		go(told.step);
		if (anew) setTimeout(askAll);
	};

	addEventListener("message", event => {
		if (event.source !== parent || !event.data?.screens) return;
		const anew = told && (told.logo !== event.data.logo || told.list !== event.data.list);
		told = event.data;
		if (ready) draw(anew);
	});
})();
