// What it looks like. Nothing here is text that becomes markup.

const $ = (id) => document.getElementById(id);
const SHOWN = 100; // services at a time

function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(element.dataset, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function say(element, text) { if (element.textContent !== text) element.textContent = text; }

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

const isTrouble = (service) => service.failed || service.panic || service.fallback || service.destinations.some((one) => {
  const { mood } = condition(one);
  return mood === "bad" || mood === "drain" || mood === "warn" || one.override;
}) || (state.status?.failing ?? []).some((failing) => failing.service === service.address);

function draw() {
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

function drawAttention() {
  const { status } = state;
  const items = [];
  const rank = { bad: 0, drain: 1, warn: 2 };
  const add = (mood, glyph, what, why, since, more) => items.push([rank[mood], h("li", { data: { mood } },
    h("span", { class: "glyph", "aria-hidden": "true" }, glyph), h("span", { class: "what" }, ...what),
    h("span", { class: "time", ...(since && { data: { since } }) }), why && h("span", { class: "why" }, why), more)]);
  const address = (text) => h("span", { class: "mono" }, text);
  // A name may have several addresses: then it takes the address to say which.
  const same = new Map();
  for (const { name } of state.services) same.set(name, (same.get(name) ?? 0) + 1);
  const which = (service) => service.name && same.get(service.name) === 1 ? [h("b", {}, service.name)] : [...(service.name ? [h("b", {}, service.name), " "] : []), address(service.address)];
  for (const one of status.failing) {
    const name = state.services.find((service) => service.address === one.service)?.name;
    add("bad", "!", [address(one.destination ?? one.service), one.destination ? ` of ${name ?? one.service}` : name ? ` (${name})` : "", " could not be put right"],
      `${one.reason}; tried ${plural(one.tries, "time")}`, one.since);
  }
  if (status.failing_more) add("bad", "!", [`${plural(status.failing_more, "object")} more could not be put right`]);
  for (const { object, reason } of status.host) add("bad", "!", [address(object), " is not as it should be"], reason);
  for (const text of status.suspicions) add("warn", "?", [text]);
  const docker = status.docker;
  if (docker?.trouble) add("warn", "?", ["The Docker engine ", address(docker.engine), " cannot be followed: what is known of its containers stays"], docker.trouble, docker.away_since);
  for (const { container, message } of docker?.findings ?? []) add("warn", "?", ["container ", h("b", {}, container)], message);
  for (const service of state.services) {
    if (service.failed) add("bad", "!", [...which(service), " has failed"], `${service.up} of ${service.of} destinations are up, fewer than min_healthy`);
    if (service.panic) add("warn", "?", [...which(service), ": the checks are suspected"], "So many destinations went down at once that their weights are kept.");
    if (service.fallback) add("warn", "⤷", [...which(service), " is on its fallback"], service.fallback_to);
    for (const one of service.destinations) {
      const { mood, glyph } = condition(one);
      const what = [address(one.address), " of ", ...which(service)];
      if (one.drain) {
        const left = connections(service, one) ?? one.drain.connections;
        add("drain", glyph, [...what, " is draining"], null, null, [
          h("span", { class: "why", data: { left: `${service.address} ${one.address}`, until: one.drain.until } }, plural(left, "connection"), " left"),
          h("progress", { max: 100, value: 0, "aria-label": "time of the drain", data: { until: one.drain.until } }),
        ]);
      } else if (one.override?.drained_since) {
        add("drain", glyph, [...what, " is drained by hand"], h("span", { data: { left: `${service.address} ${one.address}` } }, ""), one.override.drained_since);
      } else if (mood === "bad") add("bad", glyph, [...what, " is down"], one.reason || one.why, one.since);
      else if (mood === "warn" && one.flapping) add("warn", glyph, [...what, " keeps changing"], one.reason, one.since);
      if (one.override?.weight) add("warn", "⚖", [...what, ` has weight ${one.override.weight.weight} by hand`], one.override.weight.until ? h("span", { data: { until: one.override.weight.until, ends: "1" } }) : "until it is taken back", one.override.weight.since);
      if (one.override?.health) add("warn", "✎", [...what, ` counts as ${one.override.health.health} by hand`], one.override.health.until ? h("span", { data: { until: one.override.health.until, ends: "1" } }) : "until it is taken back", one.override.health.since);
    }
  }
  items.sort(([a], [b]) => a - b);
  const most = 60;
  const rest = items.length - most;
  $("attention").replaceChildren(...items.slice(0, most).map(([, item]) => item), ...(rest > 0 ? [h("li", {}, h("span"), `and ${rest} more`)] : []));
  $("calm").hidden = items.length > 0 || status.kernel !== "as_configured";
  $("looking").hidden = items.length === 0 && $("calm").hidden;
}

// Cards stay as long as their services do, so that nothing flickers and nothing loses the focus.
const cards = new Map();
let shown = SHOWN;
function drawCards() {
  $("cards").classList.toggle("writes", state.me?.role === "write");
  const text = $("filter").value.trim().toLowerCase();
  const only = $("only").getAttribute("aria-pressed") === "true";
  const fits = (service) => !text || [service.name ?? "", service.address, ...service.destinations.map((one) => one.address)].some((word) => word.toLowerCase().includes(text));
  const found = state.services.filter((service) => fits(service) && (!only || isTrouble(service)));
  const visible = found.slice(0, shown);
  const wanted = new Set(visible.map((service) => service.address));
  for (const [key, card] of cards) if (!wanted.has(key)) { card.root.remove(); cards.delete(key); }
  let before = null;
  for (const service of visible) {
    const card = cards.get(service.address) ?? newCard(service);
    cards.set(service.address, card);
    const place = before ? before.nextSibling : $("cards").firstChild;
    if (card.root !== place) $("cards").insertBefore(card.root, place);
    before = card.root;
    fill(card, service);
  }
  $("none").hidden = found.length > 0;
  say($("none"), state.services.length === 0 ? "There are no services." : only && !text ? "No service is in trouble." : "No service fits.");
  $("more").hidden = found.length <= shown;
  say($("more"), `Show ${Math.min(SHOWN, found.length - shown)} more of ${found.length}`);
}

function newCard(service) {
  const part = { pill: h("span", { class: "pill" }), rates: h("span", { class: "rates" }), flow: h("div", { class: "flow", role: "img" }), caption: h("p", { class: "caption" }), rows: h("div", { class: "rows" }), settings: h("span", { class: "soft" }), name: h("h3", {}), rowOf: new Map() };
  const head = h("div", { class: "head" }, part.name, h("span", { class: "mono soft" }, service.address), part.settings, part.pill, part.rates);
  part.root = h("article", { class: "service", data: { service: service.address } }, head, part.flow, part.caption, part.rows);
  return part;
}

function fill(card, service) {
  card.service = service;
  say(card.name, service.name ?? (service.standing === "foreign" ? "not ipvsd's" : "leaving"));
  say(card.settings, service.settings?.scheduler ?? "");
  const mood = service.standing === "foreign" ? "" : service.failed || service.up === 0 && service.of > 0 ? "bad" : service.up < service.of ? "warn" : "good";
  card.pill.dataset.mood = mood;
  say(card.pill, service.standing === "foreign" ? "left alone" : service.standing === "leaving" ? "draining" : service.failed ? `failed: ${service.up} of ${service.of} up` : `${service.up} of ${service.of} up`);
  const keys = new Set(service.destinations.map((one) => one.address));
  for (const [key, row] of card.rowOf) if (!keys.has(key)) { row.root.remove(); row.flow.remove(); card.rowOf.delete(key); }
  service.destinations.forEach((one, index) => {
    const row = card.rowOf.get(one.address) ?? newRow(card, one);
    card.rowOf.set(one.address, row);
    if (card.rows.children[index] !== row.root) card.rows.insertBefore(row.root, card.rows.children[index] ?? null);
    if (card.flow.children[index] !== row.flow) card.flow.insertBefore(row.flow, card.flow.children[index] ?? null);
    for (const element of [row.root, row.flow]) element.style.setProperty("--hue", `var(--c${index % 8})`);
    fillRow(row, service, one);
  });
}

function newRow(card, one) {
  const svg = (tag, props) => { const element = document.createElementNS("http://www.w3.org/2000/svg", tag); for (const [key, value] of Object.entries(props)) element.setAttribute(key, value); return element; };
  const row = { health: h("span", { class: "health" }), weight: h("span", { class: "weight" }), conns: h("span", { class: "conns" }), rate: h("span", { class: "rate" }), act: h("span", { class: "act" }), note: h("span", { class: "note" }), flow: h("i", {}) };
  row.under = svg("path", { class: "under" });
  row.line = svg("path", {});
  row.spark = svg("svg", { class: "spark", viewBox: "0 0 118 20", preserveAspectRatio: "none", "aria-hidden": "true" });
  row.spark.append(row.under, row.line);
  row.root = h("div", { class: "row", data: { destination: one.address } }, h("span", { class: "hue", "aria-hidden": "true" }), h("span", { class: "who mono" }, one.address), row.health, row.weight, row.conns, row.spark, row.rate, row.act, row.note);
  const act = (what) => () => what(card.service, row.one);
  row.drain = h("button", { onclick: act((service, now) => (now.override?.drained_since ? undrain : drain)(service, now)) }, "Drain");
  row.weigh = h("button", { onclick: act(weigh) }, "Weight");
  return row;
}

function fillRow(row, service, one) {
  row.one = one;
  const { word, glyph, mood } = condition(one);
  row.health.dataset.mood = mood;
  say(row.health, `${glyph} ${word}`);
  const weight = one.weight ?? (state.sampled ? null : one.effective);
  const label = (text) => h("span", { class: "label" }, ` ${text}`);
  row.weight.replaceChildren(weight === null ? "not there" : String(weight), ...(one.configured !== null && weight !== null && weight !== one.configured ? [label(`of ${one.configured}`)] : weight === null ? [] : [label("weight")]));
  row.root.dataset.out = weight ? "0" : "1";
  const trouble = mood === "bad" || (one.health !== "up" && one.reason) ? one.reason : "";
  const notes = [one.why && one.why !== "down" ? one.why : "", trouble, service.fallback_to === one.address ? "the fallback" : ""].filter(Boolean);
  say(row.note, notes.join("; "));
  row.note.hidden = notes.length === 0;
  const writes = state.me?.role === "write" && service.standing !== "foreign" && one.configured !== null;
  if (writes && !row.drain.isConnected) row.act.append(row.drain, row.weigh);
  if (!writes) row.act.replaceChildren();
  const drained = Boolean(one.override?.drained_since);
  say(row.drain, drained ? "Undrain" : "Drain");
  row.drain.setAttribute("aria-label", `${drained ? "Undrain" : "Drain"} ${titled(service, one)}`);
  row.weigh.setAttribute("aria-label", `Weight of ${titled(service, one)}`);
}

// What changes with every sample.
function drawCounters() {
  for (const card of cards.values()) {
    const { service } = card;
    const live = state.live.get(service.address);
    const bytes = live ? (live.in_byte_rate ?? 0) + (live.out_byte_rate ?? 0) : null;
    card.rates.replaceChildren(h("b", {}, short(live?.connection_rate)), " conn/s · ", h("b", {}, short(bytes)), " B/s");
    const ones = service.destinations.map((one) => state.live.get(`${service.address} ${one.address}`));
    const rates = ones.map((one) => one?.connection_rate ?? 0);
    const open = ones.map((one) => one?.active ?? 0);
    const sum = (list) => list.reduce((all, one) => all + one, 0);
    const weights = service.destinations.map((one) => one.weight ?? one.effective ?? 0);
    const [shares, caption] = sum(rates) > 0 ? [rates, "where new connections go"] : sum(open) > 0 ? [open, "where the open connections are"] : [weights, sum(weights) > 0 ? "no traffic: the shares of the weights" : "nobody takes connections"];
    card.flow.classList.toggle("idle", sum(rates) === 0 && sum(open) === 0);
    say(card.caption, caption);
    const all = sum(shares) || 1;
    card.flow.setAttribute("aria-label", `${caption}: ${service.destinations.map((one, index) => `${one.address} ${Math.round(shares[index] / all * 100)}%`).join(", ")}`);
    service.destinations.forEach((one, index) => {
      const row = card.rowOf.get(one.address);
      row.flow.style.flexGrow = String(shares[index] / all);
      row.flow.title = `${one.address}: ${Math.round(shares[index] / all * 100)}%`;
      const key = `${service.address} ${one.address}`;
      const label = (text) => h("span", { class: "label" }, ` ${text}`);
      row.conns.replaceChildren(short(ones[index]?.active), label("open"));
      row.rate.replaceChildren(short(ones[index]?.connection_rate), label("conn/s"));
      spark(row, state.rates.get(key) ?? []);
    });
  }
  for (const element of document.querySelectorAll("[data-left]")) {
    const live = state.live.get(element.dataset.left);
    if (live) say(element, leftWords(live.active + live.inactive + live.persistent, element.dataset.until));
  }
}

const leftWords = (count, until) => `${plural(count, "connection")} left${until ? `, deleted in ${time(until - now())} at the latest` : ""}`;

function spark(row, points) {
  const top = Math.max(1, ...points);
  const at = (value, index) => `${((POINTS - points.length + index) * 2).toFixed(0)} ${(19 - value / top * 18).toFixed(1)}`;
  const line = points.map(at).join("L");
  row.line.setAttribute("d", points.length > 1 ? `M${line}` : "");
  row.under.setAttribute("d", points.length > 1 ? `M${(POINTS - points.length) * 2} 20L${line}L118 20Z` : "");
}

// The log, the newest first.
const MOODS = { destination_up: ["●", "good"], destination_down: ["✕", "bad"], service_failed: ["!", "bad"], service_restored: ["●", "good"], panic_begun: ["?", "warn"], panic_ended: ["●", "good"], drain_done: ["◌", "drain"], configuration_refused: ["!", "warn"], drift_repaired: ["↺", "warn"], host_drift_repaired: ["↺", "warn"] };
function words({ event, data: it }) {
  const of = `${it.destination} of ${it.name ?? it.service}`;
  const service = it.name ?? it.service;
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
function confirmed({ title, yes, body, act }) {
  const dialog = $("dialog");
  say($("dialog-title"), title);
  say($("dialog-yes"), yes);
  say($("dialog-trouble"), "");
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
$("filter").oninput = () => { shown = SHOWN; drawCards(); drawCounters(); };
$("only").onclick = () => { $("only").setAttribute("aria-pressed", String($("only").getAttribute("aria-pressed") !== "true")); drawCards(); drawCounters(); };
$("more").onclick = () => { shown += SHOWN; drawCards(); drawCounters(); };
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
