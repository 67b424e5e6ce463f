"use strict";

// Nobody gets at what lies behind something else.
function behind(covered) {
	for (const id of ["people", "step", "foot"]) $(id).toggleAttribute("inert", covered);
	for (const id of ["tools", "visit"]) $(id).toggleAttribute("inert", covered && !!panel.kind);
}

// Panels lie over the page. One is open at a time; Escape closes it, and the focus is
// back where it was.
const panel = {
	from: null, // the button that opened it
	kind: "",
	draw: null, // draws it anew

	open(kind, draw, from = kind) {
		this.from = $(from);
		this.kind = kind;
		this.draw = draw;
		this.note("");
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
		$("panel-body").replaceChildren();
		behind(network.visiting || step.visiting);
		this.from.focus();
	},

	// Puts in what the panel shows. Who was at a button of it is there again.
	fill(title, ...children) {
		const body = $("panel-body"), at = document.activeElement || document.body, key = at.dataset.key, inside = body.contains(at);
		const list = body.querySelector(".list"), scrolled = list ? list.scrollTop : 0;
		$("panel-title").textContent = title;
		body.replaceChildren(...children.filter(Boolean));
		if (scrolled && body.querySelector(".list")) body.querySelector(".list").scrollTop = scrolled;
		if (!inside) return;
		const again = key && [...body.querySelectorAll("[data-key]")].find(e => e.dataset.key === key && !e.disabled);
		(again || $("panel-title")).focus();
	},

	// Says what came of something.
	note(text) {
		if ($("panel-note").textContent !== text) $("panel-note").textContent = text;
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
		panel.note(a.error ? problem(a) : "");
		panel.fill(say("About this Mac"), list, element("div", { className: "buttons" }, closeButton()));
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
			const yes = button(go, () => {
				yes.disabled = true;
				ask("power", " " + how).then(answer => {
					if (panel.kind !== "power") return;
					panel.note(answer.error ? problem(answer) : say("One moment."));
					yes.disabled = !answer.error;
				});
			}, { className: "primary" });
			panel.fill(question, element("div", { className: "buttons" }, yes, button(say("Cancel"), () => panel.close())));
		}, how);
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
