"use strict";
// The sign-in, as the service's screens tell it: what is drawn here is a screen, what
// is pressed an action. States need not be known.
const step = {
	screen: null, // null: the service says nothing
	drawn: "", // what of a screen is there, but for what changes by itself
	pressed: null, // an action without an answer yet: { name, key }
	again: false, // which came too late
	visiting: false, // the sign-in's page is shown
	closed: false, // that page has gone by itself
	before: ["", ""], // a state, and what was said in it before anything was refused
	ends: 0,

	take(screen) {
		this.screen = screen;
		this.ends = screen.left ? Date.now() + 1000 * Number(screen.left) : 0;
		this.draw();
		if (this.again) this.repeat();
	},

	lost() {
		this.screen = null;
		this.pressed = null;
		this.again = false;
		this.draw();
	},

	// Whether there is something besides the people.
	offers() { return this.screen && this.screen.state !== "hidden"; },
	takesOver() { return this.offers() && !["ready", "unlock"].includes(this.screen.state); },
	// The page with the number stays while that is typed.
	hasPage() { return this.offers() && (this.screen.page === "yes" || this.screen.state === "number" && this.visiting); },

	key(s) { return JSON.stringify([s.state, s.title, s.code, s.fields, s.text, s.help, s.page, s.usercode, s.qr, words.language, this.closed]); },

	draw() {
		const s = this.screen;
		if (!this.hasPage()) {
			this.closed = false;
			this.shut();
		} else if (!this.visiting && !network.visiting && !this.closed) {
			this.visit();
		}
		show($("people"), !this.takesOver() && !beside);
		show($("step"), this.offers());
		if (!this.offers()) {
			this.drawn = "";
			return $("step").replaceChildren();
		}
		const key = this.key(s);
		if (key === this.drawn) return this.refresh();
		const before = this.drawn ? JSON.parse(this.drawn) : [], restore = typedIn($("step"));
		const sameFields = before[0] === s.state && before[2] === s.code && JSON.stringify(before[3]) === JSON.stringify(s.fields), takesFocus = this.takesOver() && !panel.kind && !this.visiting;
		this.drawn = key;
		this.pressed = null;
		$("step").replaceChildren(...this.parts(s));
		if (sameFields) restore();
		this.refresh();
		if (takesFocus) ($("step").querySelector("input") || $("step-title")).focus();
		else if (!this.takesOver() && before.length && !["ready", "unlock"].includes(before[0]) && !panel.kind) people.focus();
	},

	parts(s) {
		const title = element("h2", { id: "step-title", tabIndex: -1 }, words.translate(s.title || ""));
		const wrong = s.code || s.state === "failed";
		const message = element("p", { id: "step-message", dir: "auto", className: wrong ? "wrong" : "" });
		if (wrong) message.setAttribute("role", "alert");
		const form = element("form", {}, title, message);
		if (!wrong) this.before = [s.state, s.message || ""];
		else if (this.before[0] === s.state && s.fields.length) form.append(element("p", { dir: "auto" }, words.translate(this.before[1])));
		if (!this.takesOver()) title.className = s.actions.some(a => a.label === s.title) ? "unseen" : "quiet"; // the button says it
		if (s.qr.length || s.usercode) form.append(this.code(s));
		for (const f of s.fields) {
			const secret = !["text", "digits"].includes(f.kind), digits = f.kind.endsWith("digits");
			const { box } = field({ name: f.name, type: secret ? "password" : "text", inputMode: digits ? "numeric" : "text", className: digits ? "digits" : "" }, words.translate(f.label || f.name), "step-message");
			form.append(box);
		}
		if (this.closed) form.append(element("p", {}, say("The page was closed, or did not come.")), button(say("Show the page"), () => this.visit(), { className: "primary" }));
		form.append(element("div", { id: "actions", className: "buttons" }));
		if (s.text) form.append(element("p", { className: "text", dir: "auto" }, s.text));
		if (s.help) form.append(element("p", { className: "text" }, say("Help:"), " ", address(s.help)));
		form.append(element("p", { id: "left", role: "timer", "aria-live": "off" }));
		form.onsubmit = e => this.submit(e);
		return [form];
	},

	submit(e) {
		e.preventDefault();
		const primary = this.screen.actions.find(a => a.rank === "primary");
		if (primary) this.press(primary.name);
	},

	// For the camera of a telephone, and for who types.
	code(s) {
		const box = element("div", { className: "code" });
		if (s.qr.length) box.append(qrCode(s.qr, say("QR code with the address and the code")));
		const texts = element("div", {});
		if (s.uri) texts.append(element("p", {}, say("Address:"), " ", address(s.uri)));
		if (s.usercode) texts.append(element("p", {}, say("Code:")), element("p", { className: "usercode", dir: "ltr" }, s.usercode));
		box.append(texts);
		return box;
	},

	// What changes while the same fields stay.
	refresh() {
		const s = this.screen, message = words.translate(s.message || "");
		if ($("step-message").textContent !== message) $("step-message").textContent = message;
		this.buttons($("actions"));
		if (this.visiting) this.head();
		this.wait();
		this.tick();
	},

	// Nothing is pressed twice.
	wait() {
		for (const b of document.querySelectorAll("#actions button, #visit form button")) b.disabled = !!this.pressed;
	},

	buttons(into) {
		const key = JSON.stringify([this.screen.actions, words.language]);
		if (into.dataset.drawn !== key) {
			into.dataset.drawn = key;
			into.replaceChildren(...this.screen.actions.map(a => a.rank === "primary"
				? element("button", { className: "primary", value: a.name }, words.translate(a.label || a.name))
				: button(words.translate(a.label || a.name), () => this.press(a.name), { value: a.name })));
		}
	},

	tick() {
		const left = $("left");
		if (!left) return;
		const seconds = Math.max(0, Math.ceil((this.ends - Date.now()) / 1000));
		left.textContent = this.ends ? say("Time left: {time}", { time: Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0") }) : "";
	},

	inputs() { return [...$(this.visiting ? "visit" : "step").querySelectorAll("input")]; },

	press(name) {
		const s = this.screen, typed = name === "submit" ? this.inputs() : [];
		const empty = typed.find(input => !input.value);
		if (empty) {
			note(say("Please fill in: {field}", { field: empty.labels[0].textContent }));
			return empty.focus();
		}
		note("");
		this.pressed = { name, key: this.drawn, serial: s.serial };
		const sameDevice = name === "start" || name === "retry" ? " same-device" : "";
		host(fieldLines(Object.fromEntries(typed.map(input => [input.name, input.value]))) + "act " + name + " " + s.serial + sameDevice);
		this.wait();
		const pressed = this.pressed;
		setTimeout(() => { // it had no effect
			if (this.pressed !== pressed) return;
			this.pressed = null;
			if (!this.offers()) return;
			if ($("step-message")) $("step-message").textContent = ""; // is read out once more
			this.refresh();
			if (typed.length && typed[0].isConnected) typed[0].select();
		}, 1500);
	},

	// The host could do nothing with it.
	refused() {
		this.pressed = null;
		if (this.offers()) this.refresh();
	},

	// The action came too late. On another screen that asks for the same it is sent
	// again.
	stale() {
		this.again = true;
		if (this.pressed && this.screen && this.screen.serial !== this.pressed.serial) this.repeat();
	},

	repeat() {
		const pressed = this.pressed;
		this.again = false;
		this.pressed = null;
		if (!pressed || !this.offers()) return;
		const offered = this.screen.actions.some(a => a.name === pressed.name);
		if (offered && (this.drawn === pressed.key || pressed.name === "cancel")) this.press(pressed.name);
		else this.refresh();
	},

	// The sign-in's page, over all but the head.
	visit() {
		this.visiting = true;
		this.closed = false;
		host("show");
		this.head();
	},

	// What there is to press meanwhile, and the number to type that the page shows.
	head() {
		const s = this.screen, form = element("form", {}), box = element("div", { className: "buttons" });
		for (const f of s.fields) form.append(field({ name: f.name, type: "text", inputMode: "numeric", className: "digits" }, words.translate(f.label || f.name)).box);
		this.buttons(box);
		form.append(box);
		form.onsubmit = e => this.submit(e);
		visits(words.translate(s.fields.length ? s.message : s.title) || "", form);
	},

	shut() {
		if (!this.visiting) return;
		this.visiting = false;
		host("shut");
		visits("");
	},

	// It is gone by itself.
	gone() {
		if (network.visiting) return network.left();
		if (!this.visiting) return;
		this.visiting = false;
		visits("");
		this.closed = true;
		this.draw();
	},
};

// The head says what is shown below it; no title: nothing is.
function visits(title, ...children) {
	document.body.classList.toggle("visited", !!title);
	show($("visit"), !!title);
	show($("tools"), !title);
	behind(!!title || !!panel.kind);
	$("visit").setAttribute("aria-label", title);
	if (!title) return $("visit").replaceChildren();
	const key = JSON.stringify([title, words.language, children.map(c => c.textContent)]);
	if ($("visit").dataset.drawn === key && $("visit").firstChild) return;
	$("visit").dataset.drawn = key;
	$("visit").replaceChildren(element("p", { className: "title" }, title), ...children);
}
