"use strict";
// What the page says to its host: lines, as native/core.h of the plug-in has them.
const host = text => webkit.messageHandlers.firstday.postMessage(text);

// Over Apple's login window, which has the people, the page is index.html#beside.
const beside = location.hash === "#beside";

// A value as lines hold it. There is no way to write NUL.
const value = text => text.replace(/\0/g, "").replace(/[\x01-\x1f\x7f%]/g, c => "%" + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0"));

const fieldLines = fields => Object.entries(fields).map(([name, text]) => "field " + name + " " + value(text) + "\n").join("");

// What the page has asked, by verb, in the order in which it goes to the host: one of
// each verb at a time.
const asked = new Map();

function request(verb, text) {
	return new Promise(resolve => {
		const waiting = asked.get(verb) || [];
		const mine = { text, resolve };
		asked.set(verb, [...waiting, mine]);
		if (!waiting.length) host(text);
		setTimeout(() => { // the host has refused it, or has lost it
			if (asked.get(verb)?.[0] === mine) answered({ verb, error: "failed" });
		}, 60000);
	});
}

// Asks the service; what comes is an answer, with pairs or with an error.
const ask = (verb, rest = "", fields = {}) => step.screen ? request(verb, fieldLines(fields) + "ask " + verb + rest) : Promise.resolve({ error: "lost" });

// Asks the host itself, which has Wi-Fi's own interface in the login window of macOS.
const wlan = (verb, fields = {}) => request("wlan", fieldLines(fields) + "wlan " + verb);

function answered(answer) {
	const [first, ...others] = asked.get(answer.verb) || [];
	asked.set(answer.verb, others);
	if (others.length) host(others[0].text);
	if (first) first.resolve(answer);
}

// The service is gone, and with it what was asked.
function unanswered() {
	const all = [...asked.values()].flat();
	asked.clear();
	for (const a of all) a.resolve({ error: "lost" });
}

const every = (answer, key) => (answer.pairs || []).filter(p => p[0] === key).map(p => p[1]);
const one = (answer, key) => every(answer, key)[0] || "";

// Cuts a value into so many words, and what follows them.
function cut(text, count) {
	const parts = text.split(" ");
	return [...parts.slice(0, count), parts.slice(count).join(" ")];
}
