"use strict";
// The elements that the page is made of.
const $ = id => document.getElementById(id);

function element(name, properties = {}, ...children) {
	const e = document.createElement(name);
	for (const [key, text] of Object.entries(properties)) {
		if (key in e && key !== "role") e[key] = text;
		else e.setAttribute(key, text);
	}
	e.append(...children.filter(c => c !== null && c !== undefined && c !== ""));
	return e;
}

const button = (text, press, properties = {}) => element("button", { type: "button", onclick: press, ...properties }, text);

// A name or an address, which runs in its own direction.
const isolated = text => element("bdi", {}, text);
const address = text => element("span", { dir: "ltr", className: "address" }, text);

// Shows or hides, from who sees and who hears.
const show = (e, shown) => { e.hidden = !shown; };

// Tells what came of something.
function note(text) { $("note").textContent = text; }

// What is typed in a part of the page, to put it back when that is drawn anew.
function typedIn(part) {
	const values = [...part.querySelectorAll("input")].map(input => [input.name, input.value]);
	return () => {
		for (const [key, text] of values) {
			const input = part.querySelector("input[name=" + key + "]");
			if (input) input.value = text;
		}
	};
}

let numbered = 0;
const number = prefix => prefix + "-" + ++numbered;

// A field with its label. A secret can be revealed, and says when Caps Lock is on.
function field(properties, label, described = "") {
	const input = element("input", { id: number("field"), autocomplete: "off", spellcheck: false, autocapitalize: "off", ...properties });
	const hints = [];
	if (described) hints.push(described);
	const box = element("div", { className: "field" }, element("label", { htmlFor: input.id }, label));
	const line = element("div", { className: "line" }, input);
	box.append(line);
	if (properties.type === "password") {
		const caps = element("p", { id: number("caps"), className: "caps", role: "status" });
		hints.push(caps.id);
		watchCapsLock(input, caps);
		line.append(revealer(input, label));
		box.append(caps);
	}
	if (hints.length) input.setAttribute("aria-describedby", hints.join(" "));
	return { box, input };
}

function revealer(input, label) {
	const b = button(say("Show"), () => {
		const hidden = input.type === "password";
		input.type = hidden ? "text" : "password";
		b.textContent = hidden ? say("Hide") : say("Show");
		b.setAttribute("aria-label", b.textContent + ": " + label);
	}, { className: "reveal" });
	b.setAttribute("aria-label", b.textContent + ": " + label);
	return b;
}

function watchCapsLock(input, hint) {
	const look = e => {
		const on = e.getModifierState && e.getModifierState("CapsLock");
		const text = on ? say("Caps Lock is on.") : "";
		if (hint.textContent !== text) hint.textContent = text;
	};
	input.addEventListener("keydown", look);
	input.addEventListener("keyup", look);
	input.addEventListener("blur", () => { hint.textContent = ""; });
}

// A choice of one, as radio buttons: the menus of a select are windows of their own,
// which the login window may not show.
function choice(group, title, options, chosen, choose) {
	return element("fieldset", {}, element("legend", {}, title), ...options.map(([key, text, lang]) => {
		const radio = element("input", { type: "radio", name: group, value: key, checked: key === chosen, onchange: () => choose(key) });
		return element("label", { className: "radio", lang: lang || words.language }, radio, " ", isolated(text));
	}));
}

// A picture for the camera of a telephone, dark on light whatever the theme, with the
// four light modules around it that it needs.
function qrCode(rows, label) {
	const space = "http://www.w3.org/2000/svg", size = rows.length + 8;
	const svg = document.createElementNS(space, "svg"), path = document.createElementNS(space, "path");
	let d = "";
	rows.forEach((row, y) => [...row].forEach((module, x) => { if (module === "1") d += "M" + (x + 4) + " " + (y + 4) + "h1v1h-1z"; }));
	path.setAttribute("d", d);
	for (const [key, text] of [["viewBox", "0 0 " + size + " " + size], ["class", "qr"], ["role", "img"], ["aria-label", label], ["shape-rendering", "crispEdges"]]) svg.setAttribute(key, text);
	svg.append(path);
	return svg;
}
