// Asks the browser for a passkey, and sends the page's form with its answer. What
// the authenticator takes and gives is bytes; the form has them as Base64 for URLs.
"use strict";
(() => {
	const form = document.querySelector("form[data-passkey]");
	if (!form) return;
	const create = form.dataset.passkey === "create";
	const button = form.querySelector("button");
	const say = name => {
		for (const e of form.querySelectorAll("[data-say]")) e.hidden = e.dataset.say !== name;
	};
	const bytes = text => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), c => c.charCodeAt(0));
	const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

	const options = () => {
		const o = JSON.parse(form.dataset.options).publicKey;
		o.challenge = bytes(o.challenge);
		if (o.user) o.user.id = bytes(o.user.id);
		for (const list of [o.excludeCredentials, o.allowCredentials]) {
			for (const c of list ?? []) c.id = bytes(c.id);
		}
		return o;
	};

	const answer = c => {
		const r = c.response;
		const response = {clientDataJSON: text(r.clientDataJSON)};
		if (create) {
			response.attestationObject = text(r.attestationObject);
			response.transports = r.getTransports?.() ?? [];
		} else {
			response.authenticatorData = text(r.authenticatorData);
			response.signature = text(r.signature);
			if (r.userHandle) response.userHandle = text(r.userHandle);
		}
		return JSON.stringify({
			id: c.id, rawId: text(c.rawId), type: c.type, response,
			authenticatorAttachment: c.authenticatorAttachment ?? undefined, clientExtensionResults: {},
		});
	};

	const ask = async () => {
		button.disabled = true;
		say("waiting");
		try {
			const publicKey = options();
			const found = await (create ? navigator.credentials.create({publicKey}) : navigator.credentials.get({publicKey}));
			form.elements.answer.value = answer(found);
			form.submit();
		} catch (problem) {
			button.disabled = false;
			say(problem.name === "InvalidStateError" ? "known" : "failed");
		}
	};

	if (!window.PublicKeyCredential) {
		say("unable");
		return;
	}
	button.hidden = false;
	form.addEventListener("submit", event => {
		event.preventDefault();
		ask();
	});
	if (!create) ask();
})();
