// Draws what the device's agent wants shown, and sends back what a person does.
// It decides nothing.
'use strict';

const at = id => document.getElementById(id);
let view = { screen: { State: 'hidden' }, accounts: [], events: [] };
let login = null; // the account whose password is asked for
let signedIn = ''; // whose desktop is shown

// make makes an element with texts and elements in it.
function make(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === 'onclick' || key === 'onsubmit') e[key] = value;
    else if (value !== false) e.setAttribute(key, value === true ? '' : value);
  }
  e.append(...children);
  return e;
}

async function post(path, body) {
  const answer = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  return answer.ok ? '' : (await answer.text()).trim();
}

// form is a card with fields and buttons.
function form(fields, buttons, submit) {
  const f = make('form', {
    onsubmit: event => {
      event.preventDefault();
      submit(event.submitter.value, Object.fromEntries(new FormData(f)));
    },
  });
  fields.forEach((field, i) => f.append(
    make('label', { for: 'field' + i }, field.Label),
    make('input', {
      id: 'field' + i, name: field.Name, type: field.Secret ? 'password' : 'text', autocomplete: 'off',
      inputmode: field.Digits ? 'numeric' : false,
    })));
  // The first one is pressed by the Enter key.
  const row = make('div', { class: 'buttons' });
  for (const b of buttons) row.append(make('button', { type: 'submit', value: b.Name, class: b.Primary ? 'primary' : false, formnovalidate: !b.Primary }, b.Label));
  f.append(row);
  return f;
}

function qr(picture) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  svg.setAttribute('viewBox', `0 0 ${picture.size} ${picture.size}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', 'QR code of the address and the code');
  const path = document.createElementNS(ns, 'path');
  path.setAttribute('d', picture.path);
  svg.append(path);
  return svg;
}

function screenCard(s) {
  const parts = [make('h2', {}, s.Title), make('p', s.Code ? { class: 'bad', role: 'alert' } : {}, s.Message)];
  if (view.qr) parts.push(qr(view.qr), make('p', { class: 'code' }, s.UserCode), make('p', { class: 'soft' }, make('a', { href: s.QR, target: '_blank', rel: 'noreferrer' }, s.URI)));
  parts.push(form(s.Fields || [], s.Actions || [], (name, fields) => post('act', { serial: s.Serial, name, fields })));
  if (s.Text) parts.push(make('p', { class: 'soft' }, s.Text));
  if (s.Code) parts.push(make('p', { class: 'soft' }, 'Code ' + s.Code));
  if (s.Help) parts.push(make('p', { class: 'soft' }, make('a', { href: s.Help, target: '_blank', rel: 'noreferrer' }, 'Get help')));
  return parts;
}

function loginCard() {
  const alert = make('p', { class: 'bad', role: 'alert' });
  return [make('h2', {}, login.fullName || login.name), make('p', {}, 'The account on this device, as the system itself asks for it.'), alert,
    form([{ Name: 'password', Label: 'Password', Secret: true }], [{ Name: 'submit', Label: 'Sign in', Primary: true }, { Name: 'cancel', Label: 'Back' }], async (name, fields) => {
      if (name === 'submit') {
        const wrong = await post('login', { name: login.name, password: fields.password });
        if (wrong) { alert.textContent = wrong; return; }
        signedIn = login.fullName || login.name;
      }
      login = null;
      draw();
    })];
}

function desktopCard() {
  return [make('h2', {}, 'The desktop of ' + signedIn), make('p', {}, 'This is as far as the simulation goes.'),
    form([], [{ Name: 'out', Label: 'Sign out' }], () => { signedIn = ''; draw(); })];
}

// redraw replaces what is in an element, unless it shows the same already: what is
// being typed or pressed stays.
function redraw(element, what, parts) {
  const key = JSON.stringify(what);
  if (element.dataset.shows === key) return;
  element.dataset.shows = key;
  element.replaceChildren(...parts());
  const first = element.querySelector('input');
  if (first) first.focus();
}

function draw() {
  const { Device: device, ...s } = view.screen;
  const card = at('card');
  if (signedIn) redraw(card, ['desktop', signedIn], desktopCard);
  else if (login) redraw(card, ['login', login], loginCard);
  else redraw(card, s, () => s.State === 'hidden' ? [] : screenCard(s));
  card.hidden = s.State === 'hidden' && !login && !signedIn;
  redraw(at('accounts'), view.accounts, () => view.accounts.map(a => make('button', { type: 'button', onclick: () => { login = a; signedIn = ''; draw(); } }, a.fullName || a.name)));
  const status = [view.device.name, view.device.serial, device && device.Managed ? 'Managed by ' + device.Organisation : 'Not managed', s.Online ? 'Directory reached' : 'Directory not reached'];
  redraw(at('status'), status, () => status.map(t => make('span', {}, t)));
}

function tell(events) {
  const list = at('events');
  for (const e of events) {
    const mark = { ok: '✓', note: '·', failed: '✗' }[e.mark];
    const li = make('li', { class: e.mark }, make('span', { class: 'mark' }, mark), e.text);
    for (const more of [e.error, e.detail]) if (more) li.append(make('small', {}, more));
    list.append(li);
  }
  if (events.length) list.parentElement.scrollTop = list.parentElement.scrollHeight;
}

at('restart').onclick = () => { signedIn = ''; login = null; post('restart', {}); };
const clock = () => { at('clock').textContent = new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }); };
setInterval(clock, 1000);
clock();

const stream = new EventSource('state');
stream.onopen = () => { at('events').replaceChildren(); };
stream.onmessage = message => {
  view = JSON.parse(message.data);
  at('glass').className = view.device.platform;
  at('device').textContent = view.device.name;
  at('facts').textContent = `${view.device.manufacturer} ${view.device.model}, ${view.device.os} ${view.device.osVersion}, serial ${view.device.serial}`;
  draw();
  tell(view.events);
};
stream.onerror = () => { at('status').replaceChildren(make('span', {}, 'The simulation has ended, or is out of reach.')); };
