// What it looks like. Nothing here is text that becomes markup.

const $ = (id) => document.getElementById(id);

function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(element.dataset, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  const given = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...given.map((child) => typeof child === "string" ? clean(child) : child));
  return element;
}

// Names and reasons are anybody's words. What is not seen, or turns the direction of text, is written out.
const clean = (text) => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, (odd) => `\\u${odd.charCodeAt(0).toString(16).padStart(4, "0")}`);

function say(element, words) {
  const text = clean(words);
  if (element.textContent !== text) element.textContent = text;
}

const now = () => (Date.now() + state.skew) / 1000;
const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

function time(seconds) {
  const rest = Math.max(0, Math.round(seconds));
  const parts = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
  const first = parts.findIndex(([, length]) => rest >= length);
  if (first < 0) return "0s";
  const [[unit, length], next] = [parts[first], parts[first + 1]];
  const small = next ? Math.floor((rest % length) / next[1]) : 0;
  return `${Math.floor(rest / length)}${unit}${small ? ` ${small}${next[0]}` : ""}`;
}

function short(number) {
  if (number === undefined || number === null) return "–";
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]]) if (number >= size) return `${(number / size).toFixed(number < 10 * size ? 1 : 0)}${unit}`;
  return String(number);
}

function connections(service, one) {
  const live = state.live.get(`${service.address} ${one.address}`);
  return live ? live.active + live.inactive + live.persistent : null;
}

// How one destination is, in a word, a glyph and a mood.
function condition(one) {
  if (one.drain) return { word: "draining", glyph: "◔", mood: "drain" };
  if (one.override?.drained_since) return { word: "drained", glyph: "◌", mood: "drain" };
  if (one.health === "down") return { word: "down", glyph: "✕", mood: "bad" };
  if (one.health === "unknown") return { word: "not checked yet", glyph: "◐", mood: "warn" };
  if (one.health === "up") return { word: one.flapping ? "up, flapping" : "up", glyph: "●", mood: one.flapping ? "warn" : "good" };
  return { word: "no checks", glyph: "○", mood: "" };
}

function draw() {
  if (!state.status) return;
  drawVerdict();
  drawAttention();
  drawCards();
  drawCounters();
  tick();
}

function drawVerdict() {
  const { status } = state;
  const marks = { as_configured: "✓", differs: "✕", outdated: "!", unknown: "?" };
  $("verdict").dataset.kernel = status.kernel;
  say($("mark"), marks[status.kernel] ?? "?");
  say($("summary"), status.summary);
  say($("trouble"), status.trouble ?? "");
  $("trouble").hidden = !status.trouble;
  const { counts } = status;
  const fact = (count, word, mood) => h("span", { class: count ? "" : "zero", data: { mood } }, h("b", {}, count.toLocaleString("en")), ` ${word}`);
  $("facts").replaceChildren(
    fact(counts.services, counts.services === 1 ? "service" : "services", ""), fact(counts.destinations, counts.destinations === 1 ? "destination" : "destinations", ""),
    fact(counts.up, "up", ""), fact(counts.down, "down", "bad"), fact(counts.draining, "draining", "drain"),
    ...(counts.unknown ? [fact(counts.unknown, "not checked yet", "warn")] : []), ...(counts.unchecked ? [fact(counts.unchecked, "without checks", "")] : []),
  );
  const problems = status.outdated && state.events.findLast((one) => one.event === "configuration_refused")?.data.problems;
  say($("problems"), problems || "");
  $("problems").hidden = !problems;
  say($("host"), location.host);
  say($("about"), `ipvsd ${status.version}, process ${status.pid}, up ${time(now() - status.started)}`);
  const bad = counts.down + status.failing.length;
  document.title = bad ? `(${bad}) ipvsd` : "ipvsd";
}

// The log, the newest first.
const MOODS = { destination_up: ["●", "good"], destination_down: ["✕", "bad"], service_failed: ["!", "bad"], service_restored: ["●", "good"], panic_begun: ["?", "warn"], panic_ended: ["●", "good"], drain_done: ["◌", "drain"], configuration_refused: ["!", "warn"], drift_repaired: ["↺", "warn"], host_drift_repaired: ["↺", "warn"] };
function words({ event, data: it }) {
  const service = it.name ?? it.service;
  const of = `${it.destination} of ${service}`;
  switch (event) {
    case "destination_up": return `${of} is up`;
    case "destination_down": return `${of} is down: ${it.reason}`;
    case "service_failed": return `${service} has failed: ${it.up} of ${it.of} destinations are up`;
    case "service_restored": return `${service} is restored: ${it.up} of ${it.of} destinations are up`;
    case "panic_begun": return `${it.down} of ${it.of} destinations of ${service} went down at once: the checks are suspected`;
    case "panic_ended": return `the checks of ${service} are trusted again`;
    case "drain_done": return `${of} is drained and gone${it.why === "deadline" ? `: its time was up, with ${plural(it.connections, "connection")} left` : it.why === "down" ? ": it is down" : ""}`;
    case "configuration_refused": return "the files were refused, and the configuration before stays in force";
    case "drift_repaired": return `somebody had changed ${service}, which is repaired: ${it.repair}`;
    case "host_drift_repaired": return `somebody had changed ${it.object}, which is repaired: ${it.repair}`;
    default: return event;
  }
}

function entry(one) {
  const { event, data } = one;
  const clock = new Date(data.time * 1000);
  const stamp = h("time", { datetime: clock.toISOString(), title: clock.toLocaleString() }, clock.toLocaleTimeString([], { hour12: false }));
  if (event !== "pass") {
    const [glyph, mood] = MOODS[event] ?? ["·", ""];
    return h("li", { data: { mood, event, id: one.id } }, stamp, h("span", { class: "glyph", "aria-hidden": "true" }, glyph), h("span", { class: "body" }, words(one)));
  }
  const parts = [data.changed && `${data.changed} changed`, data.failed && `${data.failed} failed`, data.problem].filter(Boolean);
  const of = data.services === null ? "everything" : plural(data.services, "service");
  const summary = `pass over ${of} (${data.why}): ${parts.join(", ")}`;
  const lines = data.operations.map((done) => h("li", { data: done.result === "done" ? (done.drift ? { mood: "warn" } : {}) : { mood: done.result === "draining" ? "drain" : "bad" } },
    `${done.drift ? "repaired: " : ""}${done.text}${done.reason ? `: ${done.reason}` : ""}`));
  if (data.more) lines.push(h("li", {}, `and ${data.more} more`));
  const body = lines.length ? h("details", { open: lines.length <= 3 }, h("summary", {}, summary), h("ul", {}, lines)) : summary;
  const mood = data.failed || data.problem ? "bad" : "";
  return h("li", { data: { mood, event, id: one.id } }, stamp, h("span", { class: "glyph", "aria-hidden": "true" }, mood ? "!" : "→"), h("span", { class: "body" }, body));
}

function drawLog() {
  const known = new Set([...$("log").children].map((item) => item.dataset.id));
  for (const one of state.events) if (!known.has(String(one.id))) $("log").prepend(entry(one));
  while ($("log").children.length > 100) $("log").lastChild.remove();
  $("silent").hidden = state.events.length > 0;
}

function tick() {
  if (lost !== null) drawLink();
  if (!state.status) return;
  const { pass_at: at, pass_why: why } = state.status;
  say($("pass"), at ? `Last pass ${time(now() - at)} ago (${why}).` : "");
  for (const element of document.querySelectorAll("[data-since]")) say(element, `for ${time(now() - element.dataset.since)}`);
  for (const element of document.querySelectorAll("[data-ends]")) say(element, `for ${time(element.dataset.until - now())} more`);
  for (const bar of document.querySelectorAll("progress[data-until]")) {
    bar.dataset.from ??= String(now());
    const whole = Math.max(1, bar.dataset.until - bar.dataset.from);
    bar.value = Math.min(100, 100 * (now() - bar.dataset.from) / whole);
  }
}

// One dialog for all questions.
let settle = null;
function confirmed({ title, yes, body, act, trouble = "" }) {
  const dialog = $("dialog");
  say($("dialog-title"), title);
  say($("dialog-yes"), yes);
  say($("dialog-trouble"), trouble);
  $("dialog-body").replaceChildren(...body);
  return new Promise((done) => {
    const close = (given) => { settle = null; dialog.close(); done(given); };
    settle = async (what) => {
      $("dialog-yes").disabled = true;
      try { await what(); close(true); } catch (error) { say($("dialog-trouble"), error.message); }
      $("dialog-yes").disabled = false;
    };
    $("dialog-yes").onclick = () => settle(act);
    $("dialog-no").onclick = () => close(false);
    dialog.oncancel = (event) => { event.preventDefault(); close(false); };
    dialog.showModal();
    ($("dialog-body").querySelector("input") ?? $("dialog-yes")).focus();
  });
}

let toasting = null;
function toast(text) {
  say($("toast"), text);
  clearTimeout(toasting);
  toasting = setTimeout(() => say($("toast"), ""), 8000);
}

function theme() {
  const root = document.documentElement.dataset;
  const dark = root.theme ? root.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.theme);
}

if (localStorage.getItem("theme")) document.documentElement.dataset.theme = localStorage.getItem("theme");
$("theme").onclick = theme;
const sift = () => { shown = SHOWN; places.clear(); if (state.status) { drawCards(); drawCounters(); } };
$("filter").oninput = sift;
$("only").onclick = () => { $("only").setAttribute("aria-pressed", String($("only").getAttribute("aria-pressed") !== "true")); sift(); };
$("more").onclick = () => { shown += SHOWN; drawCards(); drawCounters(); };
$("attention-more").onclick = () => { attended += 4 * ATTENTION; drawAttention(); drawCounters(); tick(); };
$("enter").onclick = willing;
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const dialog = $("dialog").open;
  if (dialog && event.key === "Enter" && event.target.tagName === "INPUT") { event.preventDefault(); $("dialog-yes").click(); return; }
  if (dialog || event.target.tagName === "INPUT") { if (event.key === "Escape" && event.target === $("filter")) { $("filter").value = ""; $("filter").oninput(); $("filter").blur(); } return; }
  if (event.key === "/") { event.preventDefault(); $("filter").focus(); }
  if (event.key === "t") theme();
  if (event.key === "x") $("only").click();
});
setInterval(tick, 1000);
begin();
