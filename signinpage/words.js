"use strict";
// The languages, as gettext does it: English sentences are the keys, the page's own
// and those of the agent's service. What is not found is shown in English, as it
// came. A language is a file in words/, which calls words.add, and a line in
// index.html; a test says which sentences it lacks. {name} stands for what is put in.
const words = {
	languages: new Map([["en", { name: "English", sentences: new Map(), templates: [] }]]),
	language: "en",

	add(tag, name, sentences) {
		const of = { name, sentences: new Map(Object.entries(sentences)), templates: [] };
		for (const [key, text] of of.sentences) if (key.includes("{")) of.templates.push(this.template(key, text));
		of.templates.sort((a, b) => b.literal - a.literal); // the one that says most comes first
		this.languages.set(tag, of);
	},

	// A key with places, as what finds them in a sentence.
	template(key, text) {
		const names = [], parts = key.split(/\{([a-z]+)\}/);
		let pattern = "", literal = 0;
		parts.forEach((part, i) => {
			if (i % 2) names.push(part);
			else literal += part.length;
			pattern += i % 2 ? "(.+?)" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
		});
		return { names, text, literal, pattern: new RegExp("^" + pattern + "$", "s") };
	},

	// Chooses the first of the person's languages that there is.
	choose(tags) {
		for (const tag of tags) {
			const base = tag.toLowerCase().split("-")[0];
			if (this.languages.has(base)) return this.use(base);
		}
		return this.use("en");
	},

	use(tag) {
		this.language = tag;
		document.documentElement.lang = tag;
		document.documentElement.dir = ["ar", "fa", "he", "ur"].includes(tag) ? "rtl" : "ltr";
	},

	// A sentence of the service. It may be several, one after the other.
	translate(text) {
		return this.language === "en" || !text ? text : this.find(text, this.languages.get(this.language)) || text;
	},

	find(text, language) {
		const known = language.sentences.get(text);
		if (known) return known;
		for (let at = text.indexOf(". "); at >= 0; at = text.indexOf(". ", at + 1)) {
			const first = this.find(text.slice(0, at + 1), language), rest = first && this.find(text.slice(at + 2), language);
			if (rest) return first + " " + rest;
		}
		for (const t of language.templates) {
			const found = t.pattern.exec(text);
			if (found) return put(t.text, Object.fromEntries(t.names.map((name, i) => [name, found[i + 1] === "your organisation" ? say(found[i + 1]) : found[i + 1]])));
		}
		return "";
	},
};

// Puts values into the places of a sentence.
const put = (text, values) => text.replace(/\{([a-z]+)\}/g, (place, name) => name in values ? values[name] : place);

// A sentence of the page's own.
const say = (text, values = {}) => put(words.languages.get(words.language).sentences.get(text) || text, values);
