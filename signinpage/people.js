"use strict";
// Who has an account on this Mac. The list is the service's, by policy; without it
// there are fields for a name and a password, which need neither service nor network:
// the system says whether they are right.
const people = {
	answer: {},
	chosen: null, // a user of the list, { name, label }; "" in name: another one

	ask() {
		ask("users").then(answer => {
			if (answer.error && (answer.error === "lost" || this.answer.pairs)) return; // what was said holds
			const before = JSON.stringify(this.answer);
			this.answer = answer;
			if (JSON.stringify(answer) !== before) this.draw();
		});
	},

	users() {
		if (one(this.answer, "list") !== "yes") return [];
		return every(this.answer, "user").map(text => {
			const [account, kind, label] = cut(text, 2);
			return { name: account, managed: kind === "managed", label: label || account };
		});
	},

	// The first thing there is to choose or to type.
	focus() { ($("people").querySelector("input, button") || $("apple")).focus(); },

	draw() {
		if (beside) return;
		const users = this.users();
		const inside = $("people").contains(document.activeElement);
		if (!this.forced && [...$("people").querySelectorAll("input")].some(input => input.value)) return; // not under somebody's hands
		this.forced = false;
		if (users.length && !this.chosen) this.drawList(users);
		else this.drawForm(users.length > 0);
		if (inside) this.focus();
	},

	drawList(users) {
		const items = users.map(u => element("li", {}, button(face(u), () => this.choose(u), { className: "person" })));
		items.forEach((item, i) => {
			item.firstChild.append(isolated(users[i].label));
			if (users[i].managed) item.firstChild.append(" ", element("span", { className: "badge" }, say("Managed")));
		});
		$("people").replaceChildren(
			element("h2", { id: "people-title" }, say("Log in")), element("ul", { className: "list" }, ...items),
			one(this.answer, "more") === "yes" ? element("p", {}, say("There are more people than fit here.")) : "",
			button(say("Other…"), () => this.choose({ name: "", label: "" }), { id: "other" }));
	},

	drawForm(hasList) {
		const known = this.chosen && this.chosen.name;
		const account = known ? null : field({ name: "name", type: "text" }, say("Name"));
		const password = field({ name: "password", type: "password" }, say("Password"));
		const form = element("form", { id: "login" });
		if (known) form.append(element("p", { className: "who" }, face(this.chosen), isolated(this.chosen.label)));
		else form.append(account.box);
		form.append(password.box, element("div", { className: "buttons" },
			element("button", { className: "primary" }, say("Log in")), hasList ? button(say("Back"), () => this.back(), { id: "back" }) : ""));
		form.onsubmit = e => {
			e.preventDefault();
			const who = known || account.input.value;
			if (!who) {
				note(say("Please type your name."));
				return account.input.focus();
			}
			host("login\n" + value(who) + "\n" + value(password.input.value));
			password.input.value = "";
			note(say("One moment."));
		};
		form.onkeydown = e => {
			if (e.key !== "Escape" || !hasList) return;
			e.stopPropagation();
			this.back();
		};
		$("people").replaceChildren(element("h2", { id: "people-title" }, say("Log in")), form);
	},

	choose(user) {
		this.chosen = user;
		this.redraw();
		$("people").querySelector("input").focus();
	},

	back() {
		const from = this.chosen;
		this.chosen = null;
		this.redraw();
		const all = [...$("people").querySelectorAll("button")], users = this.users();
		const at = users.findIndex(u => u.name === from.name);
		(at >= 0 ? all[at] : $("other")).focus();
	},

	redraw() {
		this.forced = true;
		this.draw();
	},
};

// A first letter in place of a picture.
const face = user => element("span", { className: "face", "aria-hidden": "true" }, ([...user.label][0] || "?").toUpperCase());
