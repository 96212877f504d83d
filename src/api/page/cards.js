// The services: what is in trouble comes first.

const SHOWN = 50; // services at a time
const ROWS = 24; // destinations of one at a time
const SHARES = 48; // parts of a bar
const SMALL = .004; // of it: in a service with more destinations than that, all that are smaller are one part

// Cards stay as long as their services do, so that nothing flickers and nothing loses the focus.
const cards = new Map();
let shown = SHOWN;
let places = new Map(); // the place of each service, as it was drawn last

const screen = new IntersectionObserver((entries) => { for (const { target, isIntersecting } of entries) target.isSeen = isIntersecting; }, { rootMargin: "200px" });
const onScreen = () => [...cards].filter(([, card]) => card.root.isSeen).map(([address]) => address);

const isTrouble = (service) => severity(service) < 4;
function severity(service) {
  if (service.failed || service.of > 0 && service.up === 0 && !service.panic) return 0;
  if (service.panic || service.fallback || failing.has(service.address)) return 1;
  let found = 5;
  for (const one of service.destinations) {
    const { mood } = condition(one);
    if (mood === "bad") return 2;
    if (mood === "drain" || mood === "warn" || one.override) found = 3;
  }
  return found < 5 ? found : service.standing === "foreign" ? 5 : 4;
}
let failing = new Set();

// Nothing moves from under a pointer, nor away from the focus.
const isHeld = () => $("cards").matches(":focus-within") || matchMedia("(hover: hover)").matches && $("cards").matches(":hover");

function drawCards() {
  $("cards").classList.toggle("writes", state.me?.role === "write");
  failing = new Set(state.status.failing.map((one) => one.service));
  const text = $("filter").value.trim().toLowerCase();
  const only = $("only").getAttribute("aria-pressed") === "true";
  const fits = (service) => !text || [service.name ?? "", service.address, ...service.destinations.map((one) => one.address)].some((word) => word.toLowerCase().includes(text));
  const found = state.services.filter((service) => fits(service) && (!only || isTrouble(service)));
  const held = isHeld();
  const place = new Map(found.map((service, index) => [service, held ? places.get(service.address) ?? 1e9 : severity(service) * 1e6 + index]));
  found.sort((a, b) => place.get(a) - place.get(b));
  if (!held) places = new Map(found.map((service, index) => [service.address, index]));
  const visible = found.slice(0, shown);
  const wanted = new Set(visible.map((service) => service.address));
  for (const [key, card] of cards) if (!wanted.has(key)) { screen.unobserve(card.root); card.root.remove(); cards.delete(key); }
  arrange($("cards"), visible.map((service) => {
    const card = cards.get(service.address) ?? newCard(service);
    cards.set(service.address, card);
    fill(card, service);
    return card.root;
  }));
  $("none").hidden = found.length > 0;
  say($("none"), state.services.length === 0 ? "There are no services." : only && !text ? "No service is in trouble." : "No service fits.");
  $("more").hidden = found.length <= shown;
  say($("more"), `Show ${Math.min(SHOWN, found.length - shown)} more of ${found.length.toLocaleString("en")}`);
}

function newCard(service) {
  const card = { pill: h("span", { class: "pill" }), rates: h("span", { class: "rates" }), flow: h("div", { class: "flow", role: "img" }), caption: h("p", { class: "caption" }), rows: h("div", { class: "rows" }), settings: h("span", { class: "soft" }), name: h("h3", {}), rowOf: new Map(), partOf: new Map(), most: ROWS };
  const head = h("div", { class: "head" }, card.name, h("span", { class: "mono soft" }, service.address), card.settings, card.pill, card.rates);
  card.more = h("button", { class: "rest", onclick: () => { card.most += 10 * ROWS; drawCards(); drawCounters(); } });
  card.root = h("article", { class: "service", data: { service: service.address } }, head, card.flow, card.caption, card.rows);
  card.rest = h("i", { class: "rest" });
  screen.observe(card.root);
  return card;
}

function fill(card, service) {
  card.service = service;
  say(card.name, service.name ?? (service.standing === "foreign" ? "not ipvsd's" : "leaving"));
  say(card.settings, service.settings?.scheduler ?? "");
  const mood = service.standing === "foreign" ? "" : service.standing === "leaving" ? "drain" : service.failed || service.up === 0 && service.of > 0 ? "bad" : service.up < service.of ? "warn" : "good";
  card.pill.dataset.mood = mood;
  const up = `${service.up.toLocaleString("en")} of ${service.of.toLocaleString("en")} up`;
  say(card.pill, service.standing === "foreign" ? "left alone" : service.standing === "leaving" ? "draining" : service.of === 0 ? "no destinations" : service.failed ? `failed: ${up}` : up);
  // All of a small service in the order of addresses; of a large one first what is in trouble.
  const all = service.destinations.map((one, index) => [one, index]);
  const few = all.length <= card.most ? all : all.map((entry) => [...entry, entry[0].override || ["bad", "drain", "warn"].includes(condition(entry[0]).mood) ? 0 : 1]).sort((a, b) => a[2] - b[2] || a[1] - b[1]).slice(0, card.most);
  const keys = new Set(few.map(([one]) => one.address));
  for (const key of card.rowOf.keys()) if (!keys.has(key)) card.rowOf.delete(key);
  arrange(card.rows, few.map(([one, index]) => {
    const row = card.rowOf.get(one.address) ?? newRow(card, one);
    card.rowOf.set(one.address, row);
    row.root.style.setProperty("--hue", `var(--c${index % 8})`);
    fillRow(row, service, one);
    return row.root;
  }));
  const rest = all.length - few.length;
  if (rest === 0) card.more.remove();
  else if (!card.more.isConnected) card.root.append(card.more);
  say(card.more, `Show ${Math.min(rest, 10 * ROWS).toLocaleString("en")} more of ${all.length.toLocaleString("en")} destinations`);
}

function newRow(card, one) {
  const svg = (tag, props) => { const element = document.createElementNS("http://www.w3.org/2000/svg", tag); for (const [key, value] of Object.entries(props)) element.setAttribute(key, value); return element; };
  const row = { health: h("span", { class: "health" }), weight: h("span", { class: "weight" }), conns: h("span", { class: "conns" }), rate: h("span", { class: "rate" }), act: h("span", { class: "act" }), note: h("span", { class: "note" }), noted: "" };
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
  const note = [one.why && one.why !== "down" ? one.why : "", trouble, service.fallback_to === one.address ? "the fallback" : ""].filter(Boolean).join("; ");
  if (note !== row.noted) row.note.replaceChildren(note ? long(`note ${service.address} ${one.address}`, note, "text") : "");
  row.noted = note;
  row.note.hidden = !note;
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
    // What is not on the screen is drawn when it comes there.
    if (!card.root.isSeen && card.isDrawn && isMany()) continue;
    card.isDrawn = true;
    drawShares(card);
    for (const [address, row] of card.rowOf) {
      const one = state.live.get(`${service.address} ${address}`);
      const label = (text) => h("span", { class: "label" }, ` ${text}`);
      row.conns.replaceChildren(short(one?.active), label("open"));
      row.rate.replaceChildren(short(one?.connection_rate), label("conn/s"));
      spark(row, state.rates.get(`${service.address} ${address}`) ?? []);
    }
  }
  for (const element of document.querySelectorAll("[data-left]")) {
    const [service, ...ones] = JSON.parse(element.dataset.left);
    let count = 0;
    for (const one of ones) count += connections({ address: service }, { address: one }) ?? 0;
    say(element, leftWords(count, element.dataset.until));
  }
}

// Where connections go, as parts of one bar.
function drawShares(card) {
  const { service } = card;
  const ones = service.destinations.map((one) => state.live.get(`${service.address} ${one.address}`));
  const sum = (list) => list.reduce((all, one) => all + one, 0);
  const rates = ones.map((one) => one?.connection_rate ?? 0);
  const open = ones.map((one) => one?.active ?? 0);
  const weights = service.destinations.map((one) => one.weight ?? one.effective ?? 0);
  const [shares, caption] = sum(rates) > 0 ? [rates, "where new connections go"] : sum(open) > 0 ? [open, "where the open connections are"] : [weights, sum(weights) > 0 ? "no traffic: the shares of the weights" : "nobody takes connections"];
  card.flow.classList.toggle("idle", sum(rates) === 0 && sum(open) === 0);
  say(card.caption, caption);
  const all = sum(shares) || 1;
  const percent = (share) => `${Math.round(share / all * 100)}%`;
  let parts = shares.map((share, index) => ({ share, index, address: service.destinations[index].address }));
  const largest = [...parts].sort((a, b) => b.share - a.share || a.index - b.index);
  const own = parts.length > SHARES ? largest.slice(0, SHARES).filter(({ share }) => share / all >= SMALL).length : parts.length;
  if (parts.length > SHARES) parts = largest.slice(0, own).sort((a, b) => a.index - b.index);
  const keys = new Set(parts.map(({ address }) => address));
  for (const key of card.partOf.keys()) if (!keys.has(key)) card.partOf.delete(key);
  const elements = parts.map(({ share, index, address }) => {
    const element = card.partOf.get(address) ?? h("i");
    card.partOf.set(address, element);
    element.style.setProperty("--hue", `var(--c${index % 8})`);
    element.style.flexGrow = String(share / all);
    element.hidden = share === 0;
    element.title = `${address}: ${percent(share)}`;
    return element;
  });
  const rest = largest.slice(own);
  if (rest.length) {
    const share = sum(rest.map((one) => one.share));
    card.rest.style.flexGrow = String(share / all);
    card.rest.title = `${plural(rest.length, "smaller share")}: ${percent(share)}`;
    elements.push(card.rest);
  }
  arrange(card.flow, elements);
  const told = largest.slice(0, 8).map(({ share, address }) => `${address} ${percent(share)}`).join(", ");
  card.flow.setAttribute("aria-label", `${caption}: ${told}${largest.length > 8 ? `, and ${plural(largest.length - 8, "other")}` : ""}`);
}

const leftWords = (count, until) => `${plural(count, "connection")} left${until ? `, deleted in ${time(until - now())} at the latest` : ""}`;

// The last two minutes; where nothing was heard for a while there is a gap.
function spark(row, points) {
  const recent = points.filter((point) => point.at >= state.sampled - POINTS * 2000);
  const top = Math.max(1, ...recent.map((point) => point.rate));
  const at = (point) => 118 - (state.sampled - point.at) / 1000;
  const runs = [];
  for (const [index, point] of recent.entries()) {
    if (index === 0 || point.at - recent[index - 1].at > 9000) runs.push([]);
    runs.at(-1).push(`${at(point).toFixed(1)} ${(19 - point.rate / top * 18).toFixed(1)}`);
  }
  const drawn = runs.filter((run) => run.length > 1);
  const ends = (run) => [run[0].split(" ")[0], run.at(-1).split(" ")[0]];
  row.line.setAttribute("d", drawn.map((run) => `M${run.join("L")}`).join(""));
  row.under.setAttribute("d", drawn.map((run) => `M${ends(run)[0]} 20L${run.join("L")}L${ends(run)[1]} 20Z`).join(""));
}

