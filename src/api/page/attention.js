// What needs looking at: what is worst comes first, and what is the same is told once.

const ATTENTION = 12; // entries at first, and then four times as many at a time
const ALIKE = 3; // so many of one service stand for themselves
const LISTED = 100; // of those that are told together
const RANK = { bad: 0, drain: 1, warn: 2 };
let attended = ATTENTION;
const opened = new Set(); // what its reader has unfolded stays so

const mono = (text) => h("span", { class: "mono" }, text);

// A text of any length: a long one is cut, and there is a button for all of it.
function long(key, text, kind = "why") {
  if (text.length <= 220) return h("span", { class: kind }, text);
  const part = h("span", { class: "cut" }, text);
  const button = h("button", { class: "fold" });
  const fold = () => {
    part.classList.toggle("whole", opened.has(key));
    say(button, opened.has(key) ? "less" : "all of it");
    button.setAttribute("aria-expanded", String(opened.has(key)));
  };
  button.addEventListener("click", () => { if (!opened.delete(key)) opened.add(key); fold(); });
  fold();
  return h("span", { class: kind }, part, button);
}

// The reasons of several, the most frequent first.
function reasons(ones) {
  const counts = new Map();
  for (const { reason } of ones) counts.set(reason || "no reason is given", (counts.get(reason || "no reason is given") ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  if (sorted.length === 1) return sorted[0][0];
  const rest = sorted.length - 3;
  return sorted.slice(0, 3).map(([reason, count]) => `${count} × ${reason}`).join("; ") + (rest > 0 ? `; and ${plural(rest, "other reason")}` : "");
}

// Services that have the same trouble for the same reason are one entry: one thing has broken, and not each of them.
function together(entries) {
  const groups = new Map();
  for (const entry of entries) {
    if (!entry.alike) continue;
    const group = `${entry.alike[0]} ${entry.why}`;
    if (!groups.get(group)?.push(entry)) groups.set(group, [entry]);
  }
  const rest = entries.filter(({ alike, why }) => !alike || groups.get(`${alike[0]} ${why}`).length <= ALIKE);
  for (const [group, ones] of groups) {
    if (ones.length <= ALIKE) continue;
    const sinces = ones.map(({ since }) => since).filter(Number.isFinite);
    const services = plural(new Set(ones.map(({ alike }) => alike[1])).size, "service");
    const count = ones.reduce((sum, { alike }) => sum + alike[3], 0);
    const what = ones[0].alike[0] === "failed" ? [["b", services], " have failed: fewer are up than min_healthy"] : [["b", plural(count, "destination")], ` of ${services} are down`];
    rest.push({ mood: "bad", key: group, glyph: ones[0].glyph, what, why: ones[0].why, since: sinces.length ? Math.min(...sinces) : null, more: [],
      list: ones.map(({ alike }) => `${alike[1]}: ${alike[2]}`), weight: ones.reduce((sum, { weight }) => sum + weight, 0), alike: null });
  }
  return rest;
}

// An entry is a key, what it is made of (so that it stays while that does), and how bad it is.
function attention() {
  const { status } = state;
  const entries = [];
  const add = (mood, key, glyph, what, { why = "", since = null, more = [], list = null, weight = 1, alike = null } = {}) =>
    entries.push({ mood, key, glyph, what, why, since, more, list, weight, alike });
  // A name may have several addresses: then it takes the address to say which.
  const same = new Map();
  for (const { name } of state.services) same.set(name, (same.get(name) ?? 0) + 1);
  const which = (service) => service.name && same.get(service.name) === 1 ? [["b", service.name]] : [...(service.name ? [["b", service.name], " "] : []), ["mono", service.address]];
  const names = new Map(state.services.map((service) => [service.address, service.name]));

  const failing = new Map();
  for (const one of status.failing) if (!failing.get(one.reason)?.push(one)) failing.set(one.reason, [one]);
  for (const [reason, ones] of failing) {
    const called = (one) => `${one.destination ? `${one.destination} of ` : ""}${names.get(one.service) ?? one.service}`;
    if (ones.length > ALIKE) {
      add("bad", `failing ${reason}`, "!", [["b", plural(ones.length, "object")], " could not be put right"], {
        why: reason, since: Math.min(...ones.map((one) => one.since)), weight: 1e6,
        list: ones.map((one) => `${called(one)}, tried ${plural(one.tries, "time")}`),
      });
    } else for (const one of ones) {
      const name = names.get(one.service);
      add("bad", `failing ${one.service} ${one.destination}`, "!", [["mono", one.destination ?? one.service], one.destination ? ` of ${name ?? one.service}` : name ? ` (${name})` : "", " could not be put right"],
        { why: `${reason}; tried ${plural(one.tries, "time")}`, since: one.since, weight: 1e6 });
    }
  }
  if (status.failing_more) add("bad", "failing and more", "!", [`${plural(status.failing_more, "object")} more could not be put right`], { weight: 1e6 });
  for (const { object, reason } of status.host) add("bad", `host ${object}`, "!", [["mono", object], " is not as it should be"], { why: reason, weight: 1e6 });
  for (const text of status.suspicions) add("warn", `suspicion ${text}`, "?", [text]);
  const docker = status.docker;
  if (docker?.trouble) add("warn", "docker", "?", ["The Docker engine ", ["mono", docker.engine], " cannot be followed: what is known of its containers stays"], { why: docker.trouble, since: docker.away_since, weight: 1000 });
  for (const { container, message } of docker?.findings ?? []) add("warn", `container ${container} ${message}`, "?", ["container ", ["b", container]], { why: message });

  for (const service of state.services) {
    const at = service.address;
    if (service.panic) add("warn", `panic ${at}`, "?", [...which(service), ": the checks are suspected"], { why: "So many destinations went down at once that their weights are kept.", weight: 1000 });
    if (service.fallback) add("warn", `fallback ${at}`, "⤷", [...which(service), " is on its fallback"], { why: service.fallback_to ?? "", weight: 1000 });
    const kinds = { down: [], draining: [], drained: [], flapping: [] };
    for (const one of service.destinations) {
      const { mood } = condition(one);
      const kind = one.drain ? "draining" : one.override?.drained_since ? "drained" : mood === "bad" ? "down" : one.flapping ? "flapping" : null;
      if (kind) kinds[kind].push(one);
      const what = [["mono", one.address], " of ", ...which(service)];
      const given = (kind, words, glyph) => {
        const by = one.override?.[kind];
        if (by) add("warn", `${kind} ${at} ${one.address}`, glyph, [...what, words(by)], { more: [by.until ? ["ends", by.until] : ["until it is taken back"]], since: by.since });
      };
      given("weight", (by) => ` has weight ${by.weight} by hand`, "⚖");
      given("health", (by) => ` counts as ${by.health} by hand`, "✎");
    }
    if (service.failed) {
      const ones = kinds.down;
      add("bad", `failed ${at}`, "!", [...which(service), ` has failed: ${service.up.toLocaleString("en")} of ${service.of.toLocaleString("en")} up, fewer than min_healthy`], {
        why: ones.length ? reasons(ones) : "", since: Math.max(...ones.map((one) => one.since ?? 0)) || null, weight: 1000 + ones.length, list: ones.length ? ones.map((one) => `${one.address}: ${one.reason}`) : null,
        alike: ["failed", service.name ?? at, `${service.up} of ${service.of} up`, 1],
      });
      kinds.down = [];
    }
    const words = { down: ["bad", " is down", " are down"], draining: ["drain", " is draining", " are draining"], drained: ["drain", " is drained by hand", " are drained by hand"], flapping: ["warn", " keeps changing", " keep changing"] };
    for (const [kind, ones] of Object.entries(kinds)) {
      const [mood, is, are] = words[kind];
      if (ones.length > ALIKE) {
        const left = kind.startsWith("drain") ? [["sum", at, ...ones.map((one) => one.address)]] : [];
        add(mood, `${kind} ${at}`, condition(ones[0]).glyph, [["b", `${ones.length.toLocaleString("en")} of ${service.destinations.length.toLocaleString("en")}`], " destinations of ", ...which(service), are], {
          why: kind === "down" || kind === "flapping" ? reasons(ones) : "", since: Math.min(...ones.map((one) => one.since ?? Infinity)), more: left, weight: ones.length,
          list: ones.map((one) => `${one.address}${kind !== "drained" && one.reason ? `: ${one.reason}` : ""}`),
          alike: kind === "down" ? ["down", service.name ?? at, `${ones.length} of ${service.destinations.length}`, ones.length] : null,
        });
      } else for (const one of ones) {
        const what = [["mono", one.address], " of ", ...which(service), is];
        const more = one.drain ? [["left", at, one.address, one.drain.until], ["bar", one.drain.until]] : kind === "drained" ? [["left", at, one.address]] : [];
        add(mood, `${kind} ${at} ${one.address}`, condition(one).glyph, what, { why: kind === "down" ? one.reason || one.why : kind === "flapping" ? one.reason : "", since: one.drain ? null : one.override?.drained_since ?? one.since, more,
          alike: kind === "down" ? ["down", service.name ?? at, one.address, 1] : null });
      }
    }
  }
  return together(entries).sort((a, b) => RANK[a.mood] - RANK[b.mood] || b.weight - a.weight);
}

function item({ key, mood, glyph, what, why, since, more, list }) {
  const part = (of) => typeof of === "string" ? of : of[0] === "b" ? h("b", {}, of[1]) : mono(of[1]);
  const extra = ([kind, ...rest]) => {
    if (kind === "left") return h("span", { class: "why", data: { left: JSON.stringify(rest.slice(0, 2)), ...(rest[2] && { until: rest[2] }) } });
    if (kind === "sum") return h("span", { class: "why", data: { left: JSON.stringify(rest) } });
    if (kind === "bar") return h("progress", { max: 100, value: 0, "aria-label": "time of the drain", data: { until: rest[0] } });
    if (kind === "ends") return h("span", { class: "why", data: { until: rest[0], ends: "1" } });
    return h("span", { class: "why" }, kind);
  };
  const unfolds = list && h("details", { class: "why", open: opened.has(key) }, h("summary", {}, "which"),
    h("ul", {}, list.slice(0, LISTED).map((text) => h("li", {}, text)), list.length > LISTED ? h("li", {}, `and ${(list.length - LISTED).toLocaleString("en")} more`) : null));
  unfolds?.addEventListener("toggle", () => { if (unfolds.open) opened.add(key); else opened.delete(key); });
  return h("li", { data: { mood } }, h("span", { class: "glyph", "aria-hidden": "true" }, glyph), h("span", { class: "what" }, what.map(part)),
    h("span", { class: "time", ...(Number.isFinite(since) && since !== null && { data: { since } }) }), why && long(`why ${key}`, why), more.map(extra), unfolds);
}

// Entries stay as long as they say the same, so that nothing that is unfolded folds, and nothing loses the focus.
const entriesShown = new Map();
function drawAttention() {
  const entries = attention();
  const found = new Set();
  let focus = null;
  const items = entries.slice(0, attended).map((entry) => {
    const print = JSON.stringify(entry);
    const known = entriesShown.get(entry.key);
    const element = known?.print === print ? known.element : item(entry);
    const at = document.activeElement;
    if (known && known.element !== element && known.element.contains(at)) focus = [element, at.tagName];
    entriesShown.set(entry.key, { print, element });
    found.add(entry.key);
    return element;
  });
  for (const key of entriesShown.keys()) if (!found.has(key)) entriesShown.delete(key);
  arrange($("attention"), items);
  focus?.[0].querySelector(focus[1])?.focus({ preventScroll: true });
  const rest = entries.length - attended;
  $("attention-more").hidden = rest <= 0;
  say($("attention-count"), entries.length ? entries.length.toLocaleString("en") : "");
  say($("attention-more"), `Show ${Math.min(rest, 4 * ATTENTION)} more of ${entries.length.toLocaleString("en")}`);
  $("calm").hidden = entries.length > 0 || state.status.kernel !== "as_configured";
  $("looking").hidden = entries.length === 0 && $("calm").hidden;
}

// Puts children into this order, touching only what is elsewhere.
function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let next = parent.firstChild;
  for (const child of children) {
    if (child === next) next = next.nextSibling;
    else parent.insertBefore(child, next);
  }
}

