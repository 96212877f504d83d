"use strict";
// What is asked, what comes in, and what is ordered. What it looks like is in view.js.

const state = { me: null, status: null, services: [], events: [], skew: 0, rates: new Map(), live: new Map(), sampled: 0, lists: new Map() };
const POINTS = 60; // of a spark line, one every two seconds
const MANY = 2000; // destinations: then the stream tells of services only, and what is on the screen is asked for
const PATIENCE = 40000; // of a stream something comes every 15 s
let token = sessionStorage.getItem("token");

// Not against the page's own address, which may have a token in it: no request is made of one that has.
const base = location.origin + location.pathname.replace(/[^/]*$/, "");

async function ask(path, options = {}) {
  const headers = { accept: "application/json", ...options.headers };
  if (token) headers.authorization = `Bearer ${token}`;
  const signal = options.signal ?? AbortSignal.timeout(PATIENCE);
  const shown = token;
  const response = await fetch(base + path, { cache: "no-store", signal, ...options, headers });
  // Another question may have got a better token meanwhile.
  if (response.status === 401) { if (shown === token) await askForToken(); return ask(path, options); }
  return response;
}

async function json(path, options) {
  const response = await ask(path, options);
  const body = await response.json().catch(() => null);
  if (!response.ok) throw Object.assign(new Error(body?.detail || body?.title || `${response.status} ${response.statusText}`), { status: response.status });
  return body;
}

const post = (path, body) => json(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

let asking = null, unwilling = false;
function askForToken() {
  // Whoever has none is not asked again and again: there is a button.
  if (unwilling) throw new Error("it wants a token");
  asking ??= confirmed({
    title: "A token, please", yes: "Go on", trouble: token ? "This token is not known." : "",
    body: [h("label", {}, "Bearer token", h("input", { type: "password", id: "token", autocomplete: "off" }))],
    act: async () => {
      const given = $("token").value.trim();
      if (!given) throw new Error("There is none yet.");
      token = given;
      state.me = null;
      sessionStorage.setItem("token", token);
    },
  }).then((given) => { asking = null; unwilling = !given; if (!given) throw new Error("it wants a token"); });
  return asking;
}

function willing() {
  unwilling = false;
  state.me = null;
  look();
  wake?.();
}

// The picture: all of it, again, soon after something happened, and every ten seconds; of a large table only those services
// that something happened to, and all of it every minute.
let due = null, asked = 0, whole = 0;
const touched = new Set();
const size = () => state.services.reduce((sum, service) => sum + service.destinations.length, 0);
const isMany = () => size() > MANY;
function soon(wait = 200) {
  const at = Math.max(Date.now() + wait, asked + (isMany() ? 2000 : 1000));
  if (due && due.at <= at) return;
  if (due) clearTimeout(due.timer);
  due = { at, timer: setTimeout(() => { due = null; look(); }, at - Date.now()) };
}

async function look() {
  asked = Date.now();
  try {
    state.me ??= await json("v1/me");
    const some = isMany() && asked - whole < 60000 && touched.size <= 20;
    const few = some ? [...touched] : [];
    touched.clear();
    const [status] = await Promise.all([json("v1/status"), some ? Promise.all(few.map(lookAt)) : lookAtAll()]);
    state.status = status;
    state.skew = status.now * 1000 - Date.now();
    trouble.picture = null;
    draw();
    document.documentElement.dataset.ready = "1";
  } catch (error) {
    whole = 0;
    trouble.picture = error.message;
  }
  drawLink();
  soon(10000);
}

async function lookAtAll() {
  const list = await json("v1/services");
  whole = Date.now();
  state.services = list.services;
  state.lists = new Map(list.services.map((service) => [service.address, service.destinations.map((one) => one.address)]));
  if (list.sampled_ms > state.sampled) take(list.sampled_ms, list.services.map(ofList), false);
}

// One service anew; one that has gone or come is a matter of all of them.
async function lookAt(address) {
  const place = state.services.findIndex((service) => service.address === address);
  const list = await json(`v1/services/${encodeURIComponent(address)}`).catch((error) => { if (error.status !== 404) throw error; });
  if (!list || place < 0) { whole = 0; soon(); return; }
  state.services[place] = list.services[0];
  state.lists.set(address, list.services[0].destinations.map((one) => one.address));
  take(list.sampled_ms, list.services.map(ofList), true, false);
}

// Of a large table: what is on the screen, in turn.
let turn = 0;
async function follow() {
  for (;;) {
    await new Promise((go) => setTimeout(go, 2000));
    if (!isMany() || document.hidden || trouble.stream || trouble.picture) continue;
    const seen = onScreen();
    const few = seen.length > 10 ? Array.from({ length: 10 }, () => seen[turn++ % seen.length]) : seen;
    try {
      await Promise.all(few.map(lookAt));
      if (few.length) { drawCards(); drawCounters(); }
    } catch { /* the next look says so */ }
  }
}

// Counters: of the list, and of each sample.
const ofList = (service) => ({
  service: service.address, connection_rate: service.stats?.connection_rate, in_byte_rate: service.stats?.in_byte_rate,
  out_byte_rate: service.stats?.out_byte_rate,
  destinations: service.destinations.filter((one) => one.stats).map((one) => ({
    destination: one.address, weight: one.weight, active: one.active_connections, inactive: one.inactive_connections,
    persistent: one.persistent_connections, connection_rate: one.stats.connection_rate, in_byte_rate: one.stats.in_byte_rate,
    out_byte_rate: one.stats.out_byte_rate,
  })),
});

// `only`: these are all that there are.
function take(at, services, point, only = true) {
  state.sampled = Math.max(state.sampled, at);
  const before = only ? new Map(state.live) : state.live;
  if (only) state.live.clear();
  for (const service of services) {
    state.live.set(service.service, service);
    // Where only services are told of, their destinations stay as they were known.
    if (only && service.destinations.length === 0) for (const one of state.lists.get(service.service) ?? []) {
      const key = `${service.service} ${one}`;
      if (before.has(key)) state.live.set(key, before.get(key));
    }
    for (const one of service.destinations) {
      const key = `${service.service} ${one.destination}`;
      state.live.set(key, one);
      if (!point) continue;
      const points = state.rates.get(key) ?? [];
      if (points.at(-1)?.at === at) continue;
      points.push({ at, rate: one.connection_rate });
      while (points[0].at < at - POINTS * 2000) points.shift();
      state.rates.set(key, points);
    }
  }
  if (point && only) for (const key of state.rates.keys()) if (!state.live.has(key)) state.rates.delete(key);
}

// The stream, read by hand: an EventSource can show no token.
let last = null, wake = null;
async function listen() {
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    const over = new AbortController();
    let watch = null;
    const alive = () => { clearTimeout(watch); watch = setTimeout(() => over.abort(), PATIENCE); };
    try {
      alive();
      const response = await ask("v1/events", { signal: over.signal, headers: { accept: "text/event-stream", ...(last && { "last-event-id": last }) } });
      if (!response.ok) throw new Error(response.status === 503 ? "too many listen already" : `${response.status} ${response.statusText}`);
      trouble.stream = null;
      drawLink();
      wait = 250;
      // What was missed is not told if it is not kept any more; and it may be another process, and another role.
      whole = 0;
      state.me = null;
      soon();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ;) {
        const { value, done } = await reader.read();
        alive();
        if (done) break;
        const frames = (rest + value).split("\n\n");
        rest = frames.pop();
        frames.forEach(heard);
      }
      trouble.stream = "the connection has ended";
    } catch (error) {
      trouble.stream = over.signal.aborted ? "nothing comes any more" : error instanceof TypeError ? "nobody answers" : error.message;
    }
    clearTimeout(watch);
    drawLink();
    await new Promise((go) => { wake = go; setTimeout(go, wait); });
  }
}

function heard(frame) {
  const fields = {};
  for (const line of frame.split("\n")) {
    // By hand: to a regular expression, U+2028 would end the line.
    const colon = line.indexOf(": ");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
  }
  if (fields.id) last = fields.id;
  if (!fields.data) return;
  const data = JSON.parse(fields.data);
  if (fields.event === "sample") {
    take(data.at, data.services, true);
    drawCounters();
  } else if (fields.event !== "dropped") {
    state.events.push({ id: Number(fields.id), event: fields.event, data });
    concerns(fields.event, data);
    state.events.splice(0, state.events.length - 100);
    drawLog();
    soon();
  }
}

// What an event is about is asked for again.
function concerns(event, data) {
  if (event === "pass" && !data.more) for (const done of data.operations) { if (done.service) touched.add(done.service); }
  else if (event !== "pass" && data.service) touched.add(data.service);
  else whole = 0;
}

// Why what is shown may not be so any more.
const trouble = { picture: null, stream: "connecting" };
let lost = null;
function drawLink() {
  const why = trouble.stream ?? trouble.picture;
  const isNew = why === "connecting" && lost === null;
  if (!why) lost = null;
  else if (!isNew) lost ??= Date.now();
  $("link").dataset.state = !why ? "live" : isNew ? "opening" : "lost";
  say($("link"), !why ? "live" : isNew ? "connecting" : "lost");
  document.documentElement.classList.toggle("stale", lost !== null);
  $("lost").hidden = lost === null;
  $("enter").hidden = !unwilling;
  if (lost === null) return;
  const since = new Date(lost).toLocaleTimeString([], { hour12: false });
  say($("lost-why"), `No word from ipvsd since ${since}, for ${time((Date.now() - lost) / 1000)}: ${why}. `
    + `${state.status ? "What is below was so then. " : ""}${unwilling ? "" : "It is tried again. "}The kernel goes on balancing meanwhile.`);
}

// Orders, each with a confirmation that says what it does.
async function order(path, body, done) {
  const answer = await post(path, body);
  toast([...answer.overrides.map((given) => given.text), ...answer.warnings].join(". "));
  for (const given of answer.overrides) touched.add(given.service);
  done?.();
  soon(0);
}

const about = (service, one) => ({ service: service.address, destination: one.address });
const titled = (service, one) => `${one.address} of ${service.name ?? service.address}`;

function drain(service, one) {
  const open = connections(service, one);
  confirmed({
    title: `Drain ${titled(service, one)}?`, yes: "Drain",
    body: [h("p", {}, `It gets no new connections; those that it has go on${open ? ` (${plural(open, "connection")} now)` : ""}. It stays so until it is undrained, over restarts too.`)],
    act: () => order("v1/drain", about(service, one)),
  });
}

function undrain(service, one) {
  confirmed({
    title: `Let ${titled(service, one)} have connections again?`, yes: "Undrain",
    body: [h("p", {}, `Its weight is ${one.configured ?? "what is configured"} then, unless its health or another override says otherwise.`)],
    act: () => order("v1/undrain", about(service, one)),
  });
}

function weigh(service, one) {
  const given = one.override?.weight;
  const number = h("input", { type: "number", min: 0, max: 65535, step: 1, value: given?.weight ?? one.configured ?? 0, required: true });
  const period = h("input", { type: "text", placeholder: "10m, 2h; empty: until it is taken back", autocomplete: "off" });
  const body = [
    h("p", { class: "soft" }, `${one.configured} is configured${given ? `, ${given.weight} was set by hand` : ""}. Health, slow start and drains work on it as on that.`),
    h("label", {}, "Weight", number), h("label", {}, "For how long", period),
  ];
  const reset = () => order("v1/weight", { ...about(service, one), reset: true });
  if (given) body.push(h("p", {}, h("button", { id: "reset", onclick: () => settle(reset) }, "Take it back")));
  confirmed({
    title: `Another weight for ${titled(service, one)}`, yes: "Set", body,
    act: () => {
      const weight = number.valueAsNumber;
      if (!Number.isInteger(weight)) throw new Error("A weight is a whole number, 0 to 65535.");
      return order("v1/weight", { ...about(service, one), weight, ...(period.value.trim() && { for: period.value.trim() }) });
    },
  });
}

async function begin() {
  try {
    state.events = (await json("v1/history")).events;
    last = state.events.at(-1)?.id ?? null;
    drawLog();
  } catch (error) {
    trouble.picture = error.message;
  }
  await look();
  listen();
  follow();
}
