"use strict";
// Puts the page together, and takes what the host tells.

show($("people"), !beside);

function drawHead() {
	const s = step.screen || {};
	$("organisation").textContent = s.organisation || one(info.answer, "organisation") || say("Welcome");
	document.title = $("organisation").textContent;
	$("tools").setAttribute("aria-label", say("Tools"));
	for (const e of document.querySelectorAll("[data-say]")) {
		if (!e.dataset.say) e.dataset.say = e.textContent;
		e.textContent = say(e.dataset.say);
	}
	$("language").textContent = words.languages.get(words.language).name;
	$("language").setAttribute("aria-label", say("Language") + ": " + $("language").textContent);
	$("language").lang = words.language;
	network.drawButton();
}

// Draws all anew, in another language.
function drawAll() {
	note("");
	drawHead();
	const restore = typedIn($("people"));
	people.redraw();
	restore();
	step.draw();
	if (panel.draw) panel.draw();
}

function refresh() {
	if (!step.screen) return note(problem({ error: "lost" }));
	$("refresh").disabled = true;
	note(say("Asking your organisation for news …"));
	host("refresh");
}

// What came of it, in words.
function refreshed(text) {
	$("refresh").disabled = false;
	note(words.translate(text));
	people.ask();
	network.ask();
	askLogo();
}

// The organisation's picture.
function askLogo() {
	ask("logo").then(answer => {
		const png = every(answer, "png").join("");
		show($("logo"), false);
		if (!/^[A-Za-z0-9+/]+=*$/.test(png) || png.length > 34000) return;
		$("logo").src = "data:image/png;base64," + png;
		show($("logo"), true);
	});
}

function askAll() {
	people.ask();
	network.ask();
	askLogo();
}

const firstday = {
	// What the host tells.
	take(block) {
		switch (block.kind) {
		case "screen": {
			const first = !step.screen, busy = step.takesOver();
			if (first) note("");
			step.take(block);
			drawHead();
			if (first) askAll();
			else if (busy && !step.takesOver()) people.ask(); // there may be one more
			break;
		}
		case "answer":
			answered(block);
			break;
		case "refreshed":
			refreshed(block.message || "");
			break;
		case "stale":
			step.stale();
			break;
		case "shut":
			step.gone();
			break;
		case "lost":
			$("refresh").disabled = false;
			unanswered();
			step.lost();
			drawHead();
			note(beside ? problem({ error: "lost" }) : say("The agent on this Mac does not answer at the moment. You can log in all the same."));
			break;
		case "malformed": // it was asked for what is not there any more
			$("refresh").disabled = false;
			note(say("This did not work. Please try again."));
			step.refused();
			if (step.visiting || network.visiting) step.gone();
			break;
		}
	},
};

$("network").onclick = () => network.open();
$("refresh").onclick = refresh;
$("info").onclick = () => info.open();
$("language").onclick = () => language.open();
$("apple").onclick = () => host("apple");
$("restart").onclick = () => power.ask("restart");
$("shutdown").onclick = () => power.ask("shutdown");
setInterval(() => step.tick(), 1000);

words.choose(navigator.languages || [navigator.language]);
drawHead();
people.draw();
people.focus();
host("ready");
