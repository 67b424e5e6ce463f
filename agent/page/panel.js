"use strict";
// Nobody gets at what lies behind something else.
function behind(covered) {
	for (const id of ["people", "step", "foot"]) $(id).inert = covered;
	for (const id of ["tools", "visit"]) $(id).inert = covered && !!panel.kind;
}

// Panels lie over the page. One is open at a time; Escape closes it, and the focus is
// back where it was.
const panel = {
	from: null, // what opened it
	kind: "",
	draw: null, // draws it anew

	open(kind, draw) {
		if (!this.kind) this.from = document.activeElement;
		this.kind = kind;
		this.draw = draw;
		show($("veil"), true);
		behind(true);
		draw();
		$("panel-title").focus();
	},

	close() {
		if (!this.kind) return;
		this.kind = "";
		this.draw = null;
		show($("veil"), false);
		$("panel").replaceChildren();
		behind(network.visiting || step.visiting);
		if (this.from && this.from.isConnected) this.from.focus();
	},

	// Puts in what the panel shows. Who was at a button of it is there again.
	fill(title, ...children) {
		const key = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : "";
		const wasIn = $("panel").contains(document.activeElement), onTitle = document.activeElement && document.activeElement.id === "panel-title";
		$("panel").replaceChildren(element("h2", { id: "panel-title", tabIndex: -1 }, title), ...children.filter(Boolean));
		if (!wasIn) return;
		const again = key && [...$("panel").querySelectorAll("[data-key]")].find(e => e.dataset.key === key);
		if (again) again.focus();
		else if (onTitle || !$("panel").contains(document.activeElement)) $("panel-title").focus();
	},

	// Tab stays inside.
	key(e) {
		if (!this.kind) return;
		if (e.key === "Escape") {
			e.preventDefault();
			return this.close();
		}
		if (e.key !== "Tab") return;
		const all = [...$("panel").querySelectorAll("button:not(:disabled), input:not(:disabled)")].filter(x => x.type !== "radio" || x.checked || !$("panel").querySelector("input[name=" + x.name + "]:checked"));
		const at = all.indexOf(document.activeElement), last = all.length - 1;
		if (e.shiftKey ? at <= 0 : at === last) {
			e.preventDefault();
			(e.shiftKey ? all[last] : all[0]).focus();
		}
	},
};

const closeButton = () => button(say("Close"), () => panel.close(), { "data-key": "close" });

// What there is to know of this Mac, for who is asked on the telephone.
const info = {
	answer: {},

	open() {
		panel.open("info", () => this.draw());
		ask("info").then(answer => {
			this.answer = answer;
			if (panel.kind === "info") this.draw();
		});
	},

	draw() {
		const s = step.screen || {}, a = this.answer;
		const rows = [
			[say("Computer"), one(a, "computer") || s.name], [say("Serial number"), one(a, "serial") || s.serialnumber], [say("Model"), one(a, "model") || s.model],
			[say("System"), one(a, "os") || s.os], [say("Organisation"), one(a, "organisation") || s.organisation], [say("Agent"), one(a, "agent")],
		];
		const heard = s.heard ? new Date(s.heard) : null;
		if (heard && !isNaN(heard)) rows.push([say("Last heard from your organisation"), heard.toLocaleString(words.language)]);
		for (const text of every(a, "address")) {
			const [at, kind, mac, ip] = cut(text, 3), kinds = { ethernet: say("Ethernet"), wifi: say("Wi-Fi") };
			rows.push([(kinds[kind] || say("Network")) + " (" + at + ")", [ip, mac].filter(x => x && x !== "-").join(" · ") || say("no address")]);
		}
		const list = element("dl", {});
		for (const [label, text] of rows) if (text) list.append(element("dt", {}, label), element("dd", {}, address(text)));
		panel.fill(say("About this Mac"), list, a.error ? element("p", {}, problem(a)) : null, element("div", { className: "buttons" }, closeButton()));
	},
};

// Why an answer is none.
function problem(answer) {
	const texts = {
		lost: say("The agent on this Mac does not answer at the moment."), busy: say("One moment."), denied: say("This is not allowed here."),
		unknown: say("The agent on this Mac cannot do this yet."), others: say("Other people are logged in; they have to log out first."),
	};
	return texts[answer.error] || say("This did not work. Please try again.");
}

// Restarting and shutting down, with a question first.
const power = {
	ask(how) {
		const question = how === "restart" ? say("Restart this Mac?") : say("Shut down this Mac?");
		const go = how === "restart" ? say("Restart") : say("Shut down");
		panel.open("power", () => {
			const told = element("p", { role: "alert" });
			const yes = button(go, () => {
				yes.disabled = true;
				ask("power", " " + how).then(answer => {
					if (panel.kind !== "power") return;
					told.textContent = answer.error ? problem(answer) : say("One moment.");
					yes.disabled = !answer.error;
				});
			}, { className: "primary" });
			panel.fill(question, told, element("div", { className: "buttons" }, yes, button(say("Cancel"), () => panel.close())));
		});
	},
};

// The menu of languages.
const language = {
	open() {
		panel.open("language", () => {
			const all = [...words.languages].map(([tag, l]) => [tag, l.name, tag]);
			panel.fill(say("Language"), choice("language", say("Language"), all, words.language, tag => {
				words.use(tag);
				drawAll();
				const radio = $("panel").querySelector("input:checked");
				if (radio) radio.focus();
			}), element("div", { className: "buttons" }, closeButton()));
		});
	},
};
