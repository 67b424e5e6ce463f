"use strict";
// The network: three states that are told apart (the link, the internet, the
// organisation's directory), and Wi-Fi's list, joining and switch.
const network = {
	answer: {},
	fromHost: {}, // what the host's own Wi-Fi interface says
	hostHasWiFi: true, // as long as it has not said otherwise
	target: null, // what is to be joined: { name, kind, saved, typed }
	joining: "", // the name of the network that is being joined
	begun: false, // by the service: what it tells of a joining is of this one
	told: "", // what came of it
	visiting: false, // the network's own page is shown
	timer: 0,

	ask() {
		clearTimeout(this.timer);
		if (!step.screen) return; // it is asked when the service is there again
		const counts = this.begun;
		ask("network").then(answer => {
			this.take(answer, counts && this.begun);
			clearTimeout(this.timer);
			this.timer = setTimeout(() => this.ask(), this.joining ? 1000 : panel.kind === "network" ? 3000 : 10000);
		});
	},

	take(answer, counts) {
		const looks = () => JSON.stringify([this.answer.error, (this.answer.pairs || []).filter(p => p[0] !== "scanned"), this.joining]), before = looks();
		this.answer = answer;
		const join = one(answer, "join");
		if (this.joining && counts && join && join !== "running" && one(answer, "joinname") === this.joining) this.joined(join, one(answer, "joincode"), false);
		if (this.visiting && one(answer, "internet") !== "captive") {
			host("shut");
			this.left();
			note(say("The internet is reachable."));
		}
		if (looks() === before) return;
		this.drawButton();
		if (panel.kind === "network" && !this.target) this.draw();
	},

	// The three states, each with a mark and words.
	states() {
		const a = this.answer, s = step.screen || {};
		const link = one(a, "link"), ssid = one(a, "name"), internet = one(a, "internet") || "unknown";
		const directory = one(a, "directory") || { yes: "yes", no: "no" }[s.online] || "unknown";
		const org = s.organisation || say("your organisation");
		const links = { ethernet: ["yes", say("Ethernet")], wifi: ["yes", ssid ? say("Wi-Fi: {name}", { name: ssid }) : say("Wi-Fi")], none: ["no", say("No network")] };
		const internets = { yes: say("Internet: reachable"), no: say("Internet: not reachable"), captive: say("Internet: the network asks you to sign in"), unknown: say("Internet: not known") };
		const directories = { yes: say("{org}: reachable", { org }), no: say("{org}: not reachable", { org }), unknown: say("{org}: not known", { org }) };
		return [
			["link", ...(links[link] || ["unknown", say("Network: not known")]), say("Network")],
			["internet", internet, internets[internet] || internets.unknown, say("Internet")],
			["directory", directory, directories[directory] || directories.unknown, org],
		];
	},

	drawButton() {
		const states = this.states();
		$("network").replaceChildren(...states.map(([kind, state, , short]) => element("span", { className: "state " + state, "data-kind": kind }, mark(state), short)));
		$("network").setAttribute("aria-label", say("Network") + ". " + states.map(s => s[2]).join(". "));
	},

	open() {
		this.target = null;
		this.told = "";
		panel.open("network", () => this.draw());
		this.ask();
		this.scan();
	},

	scan() {
		ask("scan").then(answer => {
			if (answer.error && one(this.answer, "wifi") === "on") this.told = problem(answer);
			this.ask();
		});
		if (!this.hostHasWiFi) return;
		wlan("scan").then(answer => {
			if (answer.error === "unknown") this.hostHasWiFi = false;
			if (answer.error) return;
			this.fromHost = answer;
			if (panel.kind === "network" && !this.target) this.draw();
		});
	},

	// The networks of both, saved ones first, then by strength.
	networks() {
		const all = new Map();
		for (const text of [...every(this.answer, "network"), ...every(this.fromHost, "network")]) {
			const [kind, saved, strength, ssid] = cut(text, 3), known = all.get(kind + " " + ssid);
			const n = { kind, saved: saved === "saved", strength: Math.min(4, Number(strength) || 0), name: ssid };
			if (!ssid) continue;
			if (known) {
				n.saved = n.saved || known.saved;
				n.strength = Math.max(n.strength, known.strength);
			}
			all.set(kind + " " + ssid, n);
		}
		return [...all.values()].sort((a, b) => b.saved - a.saved || b.strength - a.strength || (a.name < b.name ? -1 : 1));
	},

	draw() {
		if (this.target) return this.drawForm();
		const a = this.answer, wifi = one(a, "wifi"), on = wifi === "on";
		const states = element("ul", { className: "states" }, ...this.states().map(([kind, state, text]) => element("li", { className: "state " + state, "data-kind": kind }, mark(state), text)));
		const captive = one(a, "internet") === "captive" && one(a, "portal");
		const parts = [states];
		panel.note(this.joining ? say("Joining {name} …", { name: this.joining }) : this.told);
		if (captive) parts.push(button(say("Sign in to this network"), () => this.visit(), { className: "primary", "data-key": "portal" }));
		if (wifi === "on" || wifi === "off") {
			parts.push(element("div", { className: "switch" }, element("span", { id: "wifi-label" }, say("Wi-Fi")), button(on ? say("On") : say("Off"), () => this.power(!on), { role: "switch", "aria-checked": String(on), "aria-labelledby": "wifi-label", "data-key": "wifi" })));
		} else if (wifi === "none") {
			parts.push(element("p", {}, say("This Mac has no Wi-Fi.")));
		}
		if (wifi !== "none" && wifi !== "off") parts.push(...this.list());
		panel.fill(say("Network"), ...parts, element("div", { className: "buttons" }, closeButton()));
	},

	list() {
		const withheld = { location: say("macOS does not tell the names of networks here. Please type the name."), off: say("Wi-Fi is off."), failed: say("The networks could not be listed. Please type the name.") };
		const why = every(this.fromHost, "network").length ? "" : one(this.answer, "withheld"), networks = this.networks(), scanning = one(this.answer, "scanning") === "yes";
		const parts = [element("h3", {}, say("Networks"))];
		if (why) parts.push(element("p", { className: "withheld" }, withheld[why] || withheld.failed));
		if (networks.length) parts.push(element("ul", { className: "list networks" }, ...networks.map(n => element("li", {}, this.entry(n)))));
		else if (this.answer.error) parts.push(element("p", {}, problem(this.answer)));
		else if (!why) parts.push(element("p", {}, scanning ? say("Looking for networks …") : say("No network is in reach.")));
		parts.push(element("div", { className: "buttons" },
			button(say("Type the name…"), () => this.choose({ name: "", kind: "password", typed: true }), { "data-key": "typed" }),
			button(scanning ? say("Looking …") : say("Look again"), () => this.scan(), { disabled: scanning, "data-key": "again" })));
		return parts;
	},

	entry(n) {
		const kinds = { open: say("open"), password: say("with a password"), enterprise: say("of an organisation") };
		const strengths = [say("very weak"), say("weak"), say("fair"), say("good"), say("very good")];
		const about = [n.name === one(this.answer, "name") ? say("connected") : "", n.saved ? say("saved") : "", kinds[n.kind] || n.kind, strengths[n.strength]].filter(Boolean).join(words.language === "ar" ? "، " : ", ");
		const b = button("", () => this.pick(n), { className: "network", disabled: !!this.joining, "data-key": n.kind + " " + n.name });
		b.append(isolated(n.name), " ", element("span", { className: "about" }, about));
		return b;
	},

	// A saved or an open one needs nothing more.
	pick(n) {
		if (n.saved || n.kind === "open") return this.join(n, {});
		this.choose(n);
	},

	choose(n, told = "") {
		this.target = n;
		this.told = told;
		this.drawForm();
		($("panel").querySelector("input") || $("panel").querySelector("button")).focus();
	},

	drawForm() {
		const n = this.target, form = element("form", {});
		const ssid = n.typed ? field({ name: "ssid", type: "text", maxLength: 32 }, say("Name of the network")) : null;
		const secret = n.kind === "password" ? field({ name: "secret", type: "password", maxLength: 64 }, n.typed ? say("Password, if it has one") : say("Password")) : null;
		const identities = n.kind === "enterprise" || n.typed ? every(this.answer, "identity").map(text => cut(text, 1)) : [];
		let identity = n.kind === "enterprise" && identities.length ? identities[0][0] : "";
		const hidden = n.typed ? element("input", { type: "checkbox", name: "hidden" }) : null;
		if (ssid) form.append(ssid.box);
		if (secret) form.append(secret.box);
		if (identities.length) form.append(choice("identity", say("Identity"), n.typed ? [["", say("none")], ...identities] : identities, identity, id => { identity = id; }));
		if (n.kind === "enterprise" && !identities.length) form.append(element("p", {}, say("This network wants an identity that your IT department brings to this Mac; please contact them.")));
		if (hidden) form.append(element("label", { className: "radio" }, hidden, " ", say("The network is hidden")));
		const can = n.kind !== "enterprise" || identities.length > 0;
		form.append(element("div", { className: "buttons" }, can ? element("button", { className: "primary" }, say("Join")) : "", button(say("Back"), () => this.done(), { "data-key": "back" })));
		form.onsubmit = e => {
			e.preventDefault();
			const wanted = ssid ? ssid.input.value : n.name, fields = {};
			if (!wanted) return ssid.input.focus();
			if (secret && secret.input.value) fields.password = secret.input.value;
			if (hidden && hidden.checked) fields.hidden = "yes";
			if (identity) fields.identity = identity;
			this.join({ ...n, name: wanted }, fields);
		};
		panel.fill(n.typed ? say("Join a network") : say("Join {name}", { name: n.name }), form);
		panel.note(this.told);
	},

	// Back to the list.
	done() {
		this.target = null;
		this.draw();
		$("panel-title").focus();
	},

	join(n, fields) {
		this.target = null;
		this.joining = n.name;
		this.wanted = { n, fields };
		this.told = "";
		this.draw();
		$("panel-title").focus();
		ask("join", "", { name: n.name, ...fields }).then(answer => {
			if (answer.error) return this.joined("failed", answer.error, true);
			this.begun = true;
			this.ask();
		});
	},

	// What came of it. The host tries once more, where it can.
	joined(how, code, byHost) {
		const { n, fields } = this.wanted;
		this.joining = "";
		this.begun = false;
		if (how === "failed" && this.fromHost.pairs && !byHost && !fields.identity && code !== "password") {
			this.joining = n.name;
			wlan("join", { name: n.name, ...fields }).then(answer => this.joined(one(answer, "join") || "failed", one(answer, "joincode"), true));
			return;
		}
		for (const key of Object.keys(fields)) delete fields[key];
		const texts = {
			password: say("The password is wrong."), not_found: say("There is no such network in reach."), timeout: say("The network does not answer."), identity: say("The network does not take this identity."),
			no_address: say("The network gives this Mac no address."), refused: say("The network refuses this Mac."),
		};
		this.told = how === "done" ? say("{name} is joined.", { name: n.name }) : texts[code] || say("The network could not be joined.");
		if (panel.kind !== "network") return note(this.told);
		if (n.kind === "enterprise" && ["password", "identity"].includes(code)) this.choose(n, this.told);
		else if (code === "password") this.choose({ ...n, kind: "password" }, this.told);
		else this.draw();
		this.ask();
	},

	power(on) {
		ask("wifi", on ? " on" : " off").then(answer => {
			this.told = answer.error ? problem(answer) : "";
			if (panel.kind === "network" && !this.target) this.draw();
			this.ask();
		});
	},

	// The page on which the network wants people to sign in to it.
	visit() {
		panel.close();
		step.shut();
		this.visiting = true;
		visits(say("Sign in to this network"), button(say("Done"), () => {
			host("shut");
			this.left();
			this.ask();
		}));
		host("portal");
	},

	left() {
		this.visiting = false;
		visits("");
		step.draw();
	},
};

// The mark of a state: told apart by its shape, too.
function mark(state) {
	return element("span", { className: "mark", "aria-hidden": "true" }, { yes: "✓", no: "✕", captive: "!" }[state] || "?");
}
