"use strict";
// What is asked, what comes in, and what is ordered. What it looks like is in view.js.

const state = { me: null, status: null, services: [], events: [], skew: 0, rates: new Map(), live: new Map(), sampled: 0 };
const POINTS = 60; // of a spark line, one every two seconds
const MANY = 2000; // destinations: then everything is asked for less often
let token = sessionStorage.getItem("token");

async function ask(path, options = {}) {
  const headers = { accept: "application/json", ...options.headers };
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(path, { cache: "no-store", ...options, headers });
  if (response.status === 401) { await askForToken(); return ask(path, options); }
  return response;
}

async function json(path, options) {
  const response = await ask(path, options);
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Error(body?.detail || body?.title || `${response.status} ${response.statusText}`);
  return body;
}

const post = (path, body) => json(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

let asking = null;
function askForToken() {
  asking ??= confirmed({
    title: "A token, please", yes: "Go on", body: [h("label", {}, "Bearer token", h("input", { type: "password", id: "token", autocomplete: "off" }))],
    act: async () => { token = $("token").value.trim(); sessionStorage.setItem("token", token); },
  }).then((given) => { asking = null; if (!given) throw new Error("no token was given"); });
  return asking;
}

// The picture: all of it, again, soon after something happened, and every ten seconds.
let due = null, asked = 0;
function soon(wait = 200) {
  const size = state.services.reduce((sum, service) => sum + service.destinations.length, 0);
  const at = Math.max(Date.now() + wait, asked + (size > MANY ? 10000 : 1000));
  if (due && due.at <= at) return;
  if (due) clearTimeout(due.timer);
  due = { at, timer: setTimeout(() => { due = null; look(); }, at - Date.now()) };
}

async function look() {
  asked = Date.now();
  try {
    const [status, list] = await Promise.all([json("v1/status"), json("v1/services")]);
    state.status = status;
    state.services = list.services;
    state.skew = status.now * 1000 - Date.now();
    if (list.sampled_ms > state.sampled) take(list.sampled_ms, list.services.map(ofList), false);
    draw();
    document.documentElement.dataset.ready = "1";
  } catch (error) {
    linked("lost", error.message);
  }
  soon(10000);
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

function take(at, services, point) {
  state.sampled = at;
  state.live.clear();
  for (const service of services) {
    state.live.set(service.service, service);
    for (const one of service.destinations) {
      const key = `${service.service} ${one.destination}`;
      state.live.set(key, one);
      if (!point) continue;
      const points = state.rates.get(key) ?? [];
      points.push(one.connection_rate);
      if (points.length > POINTS) points.shift();
      state.rates.set(key, points);
    }
  }
  if (point) for (const key of state.rates.keys()) if (!state.live.has(key)) state.rates.delete(key);
}

// The stream, read by hand: an EventSource can show no token.
let last = null;
async function listen() {
  for (let wait = 1000; ; wait = Math.min(wait * 2, 10000)) {
    try {
      const response = await ask("v1/events", { headers: { accept: "text/event-stream", ...(last && { "last-event-id": last }) } });
      if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
      linked("live", "live");
      wait = 500;
      soon();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        const frames = (rest + value).split("\n\n");
        rest = frames.pop();
        frames.forEach(heard);
      }
    } catch { /* said below */ }
    linked("lost", "connection lost, trying again");
    await new Promise((go) => setTimeout(go, wait));
  }
}

function heard(frame) {
  const fields = {};
  for (const line of frame.split("\n")) {
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (name) fields[name] = value;
  }
  if (fields.id) last = fields.id;
  if (!fields.data) return;
  const data = JSON.parse(fields.data);
  if (fields.event === "sample") {
    take(data.at, data.services, true);
    drawCounters();
  } else if (fields.event !== "dropped") {
    state.events.push({ id: Number(fields.id), event: fields.event, data });
    state.events.splice(0, state.events.length - 100);
    drawLog();
    soon();
  }
}

function linked(how, text) {
  $("link").dataset.state = how;
  $("link").textContent = text;
  document.documentElement.classList.toggle("stale", how === "lost");
}

// Orders, each with a confirmation that says what it does.
async function order(path, body, done) {
  const answer = await post(path, body);
  toast([...answer.overrides.map((given) => given.text), ...answer.warnings].join(". "));
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
    state.me = await json("v1/me");
    state.events = (await json("v1/history")).events;
    last = state.events.at(-1)?.id ?? null;
    drawLog();
  } catch (error) {
    linked("lost", error.message);
  }
  await look();
  listen();
}
