"use strict";
// The keyboard. Macs lead Tab to fields only, as long as a person has not asked for
// more, which nobody can at the login window: here it leads to each control.

// What can have the focus now, in its order: of radio buttons the chosen one.
function controls() {
	const within = panel.kind ? $("panel") : document;
	return [...within.querySelectorAll("button:not(:disabled), input:not(:disabled)")].filter(e => {
		const chosen = e.type === "radio" && within.querySelector("input[name=" + e.name + "]:checked");
		return e.getClientRects().length && !e.closest("[inert]") && (!chosen || chosen === e);
	});
}

function goOn(e) {
	const all = controls(), at = all.indexOf(document.activeElement), step = e.shiftKey ? -1 : 1;
	let to = at + step;
	if (at < 0) to = e.shiftKey ? all.length - 1 : 0;
	if (!all[to] && document.body.classList.contains("visited") && !panel.kind) return; // on to the page below the head
	e.preventDefault();
	const next = all[(to + all.length) % all.length];
	if (next) next.focus();
}

document.addEventListener("keydown", e => {
	if (e.key === "Escape" && panel.kind) {
		e.preventDefault();
		panel.close();
	}
	if (e.key === "Tab" && !e.altKey && !e.ctrlKey && !e.metaKey) goOn(e);
});
