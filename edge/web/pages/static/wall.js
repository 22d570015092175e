// The wall: the latest answers of all cameras, the labels of the last hour, and the health of the service.

import { followAlerts } from "./alerts.js";
import { drawBoxes, groups, named } from "./drawing.js";
import { byId, dress, element, keep, offerLooks, percent, session, setting, signIn, text } from "./page.js";
import { inWords } from "./verdict.js";

const MAX_CARDS = 48;
const SVG = "http://www.w3.org/2000/svg";
const STATES = { AVAILABLE: "good", LOADING: "wait", START: "wait", END: "bad" };
const LINKS = { up: "good", half_open: "wait", down: "bad", absent: "wait" };

const seen = new Map(); // answers by number, oldest first
const filters = ["camera", "label", "source", "score"];
let counts = null;
let health = null;
let keeps = "";

// Events

function follow() {
  const events = new EventSource("wall/events");
  followAlerts(events);
  const on = (name, take) => events.addEventListener(name, (event) => take(JSON.parse(event.data)));
  events.addEventListener("open", () => {
    seen.clear(); // a restarted service counts from the beginning
    showState(true);
    showCards();
  });
  events.addEventListener("error", () => {
    showState(false);
    checkKey();
    if (events.readyState === EventSource.CLOSED) {
      events.close();
      setTimeout(follow, 1000);
    }
  });
  on("answers", (answers) => {
    for (const answer of answers) seen.set(answer.number, answer);
    while (seen.size > MAX_CARDS * 8) seen.delete(seen.keys().next().value);
    offerFilters();
    showCards();
  });
  on("clear", () => {
    seen.clear();
    showCards();
  });
  on("counts", (now) => {
    counts = now;
    showCounts();
    offerFilters();
  });
  on("health", (now) => {
    health = now;
    showHealth();
  });
}

async function checkKey() {
  try {
    const { keys, scopes } = await session();
    if (keys && !scopes.includes("view")) signIn();
  } catch {
    // the service is gone
  }
}

function showState(live) {
  const state = byId("state");
  state.dataset.state = live ? "live" : "bad";
  state.textContent = text(live ? "wall.live" : "wall.gone");
}

// The cards

function passes(answer) {
  const [camera, label, source, score] = filters.map((name) => byId(`filter-${name}`).value);
  if (camera && cameraKey(answer) !== camera) return false;
  if (source && answer.source !== source) return false;
  const minScore = Number(score) / 100;
  if (!label && !minScore) return true;
  return answer.predictions.some((one) => (!label || one.label === label) && one.score >= minScore);
}

const cameraKey = (answer) => `=${answer.camera}`; // "" is a camera too: the unnamed one

function cameraName(name) {
  if (name === "phone") return text("wall.camera.phone");
  return name || text("wall.camera.unnamed");
}

function showCards() {
  const list = byId("cards");
  const wanted = [...seen.values()].filter(passes).slice(-MAX_CARDS).reverse();
  const there = new Map([...list.children].map((card) => [Number(card.dataset.number), card]));
  const cards = wanted.map((answer) => there.get(answer.number) ?? newCard(answer));
  if (!cards.length) cards.push(blank());
  for (const card of [...list.children]) if (!cards.includes(card)) card.remove();
  cards.forEach((card, place) => {
    if (list.children[place] !== card) list.insertBefore(card, list.children[place] ?? null);
  });
}

function newCard(answer) {
  const card = element("article", "card new");
  card.dataset.number = answer.number;
  const found = groups(answer.predictions);
  const labels = found.map(named).join(", ") || text("wall.nothing");
  const picture = element("div", "picture");
  if (answer.picture) {
    const image = element("img");
    image.alt = text("wall.picture", { camera: cameraName(answer.camera), labels });
    image.src = `wall/pictures/${answer.number}.jpg`;
    image.addEventListener("error", () => image.remove());
    picture.append(image);
  }
  const boxes = element("canvas");
  boxes.setAttribute("aria-hidden", "true");
  picture.append(boxes);
  const { words, score, perhaps, unsure } = inWords(answer);
  const best = element("p", unsure ? "best unsure" : "best");
  best.append(element("span", "", words));
  if (score) best.append(element("span", "score", score));
  const others = found.slice(1, 4).map((one) => (one.count > 1 ? named(one) : `${named(one)} ${percent(one.score)}`));
  const more = [perhaps, ...others].filter(Boolean).join(" · ");
  const ms = Object.values(answer.timing_ms).reduce((sum, one) => sum + one, 0);
  const origin = element("p", "origin");
  origin.append(
    element("span", "camera", cameraName(answer.camera)),
    element("time", "", new Date(answer.at * 1000).toLocaleTimeString(document.documentElement.lang)),
  );
  const maker = element("p", "origin");
  maker.append(
    element("span", "", text("wall.model", answer.model)),
    element("span", "", text(`wall.source.${answer.source}`)),
    element("span", "", text("wall.ms", { ms: ms.toFixed(1) })),
  );
  const facts = element("div", "facts");
  facts.append(best, element("p", "more", more), origin, maker);
  card.append(picture, facts);
  requestAnimationFrame(() => drawBoxes(boxes, answer));
  return card;
}

function blank() {
  const box = element("div", "blank");
  box.append(element("p", "headline", text(seen.size ? "wall.filtered" : "wall.empty")));
  if (!seen.size) box.append(element("p", "", text("wall.empty.help", { url: new URL(".", location.href).href.replace(/\/$/, "") })));
  return box;
}

// Filters

function offerFilters() {
  const cameras = new Map([...seen.values()].map((one) => [cameraKey(one), cameraName(one.camera)]));
  const labels = new Set([...seen.values()].flatMap((one) => one.predictions.slice(0, 5).map((each) => each.label)));
  for (const { label } of counts?.labels ?? []) labels.add(label);
  offer("camera", "wall.camera.all", [...cameras]);
  offer("label", "wall.label.all", [...labels].sort().map((one) => [one, one]));
}

function offer(name, all, values) {
  const select = byId(`filter-${name}`);
  const chosen = select.dataset.ready ? select.value : setting(name);
  if (chosen && !values.some(([value]) => value === chosen)) values.push([chosen, chosen.replace(/^=/, "")]);
  const wanted = [["", text(all)], ...values];
  const same = wanted.length === select.length && wanted.every(([value, words], at) => {
    return select.options[at].value === value && select.options[at].textContent === words;
  });
  if (!same) {
    select.replaceChildren(...wanted.map(([value, words]) => Object.assign(element("option", "", words), { value })));
  }
  select.value = chosen;
  select.dataset.ready = "1";
}

function filtered() {
  for (const name of filters) keep(name, byId(`filter-${name}`).value.replace(/^0$/, ""));
  showScore();
  showCards();
}

function showScore() {
  byId("score-shown").textContent = percent(Number(byId("filter-score").value) / 100);
}

// The last hour

function showCounts() {
  if (!counts) return;
  const rows = counts.labels.map(({ label, sum, minutes }) => {
    const row = element("li");
    const plot = document.createElementNS(SVG, "svg");
    plot.setAttribute("viewBox", `0 0 ${minutes.length * 4} 30`);
    plot.setAttribute("preserveAspectRatio", "none");
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", text("wall.counts.of", { label, sum }));
    plot.append(shape("line", { x1: 0, x2: minutes.length * 4, y1: 29.5, y2: 29.5 }));
    const highest = Math.max(...minutes);
    minutes.forEach((count, at) => {
      const height = count ? Math.max(2, (count / highest) * 28) : 0;
      if (height) plot.append(shape("rect", { x: at * 4 + 0.5, y: 29 - height, width: 3, height }));
    });
    row.append(element("span", "label", label), element("span", "sum", sum.toLocaleString(document.documentElement.lang)), plot);
    return row;
  });
  byId("counts").replaceChildren(...rows);
  const others = counts.others ? text("wall.counts.others", { count: counts.others }) : "";
  byId("others").textContent = rows.length ? others : text("wall.counts.none");
}

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// Health

function showHealth() {
  if (!health) return;
  const rows = [];
  const add = (term, value, kind = "") => rows.push(element("dt", "", term), element("dd", kind, value));
  for (const model of health.models) {
    const name = model.version === null ? model.name : text("wall.model", model);
    add(name, text(`wall.state.${model.state}`), STATES[model.state]);
    if (model.fault) rows.push(element("dd", "fault", model.fault));
  }
  add(text("wall.workers"), text("wall.workers.value", health.workers));
  add(text("wall.queue"), text("wall.queue.value", health.queue), health.queue.waiting ? "wait" : "");
  const { link, outbox } = health;
  if (link) add(text("wall.link"), text(`wall.link.${link.state}`), LINKS[link.state]);
  if (outbox) {
    const waiting = outbox.waiting ?? 0;
    add(text("wall.outbox"), text("wall.outbox.value", { waiting }), waiting ? "wait" : "good");
  }
  for (const fault of [link?.fault, outbox?.fault]) if (fault) rows.push(element("dd", "fault", fault));
  byId("health").replaceChildren(...rows);
}

// Phones and clearing

async function showPhones() {
  const response = await fetch("wall/phone");
  const { url } = response.ok ? await response.json() : {};
  byId("phones-code").hidden = byId("phones-link").hidden = !url;
  byId("phones-words").textContent = text(url ? "phones.scan" : "phones.none");
  if (url) {
    byId("phones-code").src = `wall/phone.svg?${Date.now()}`;
    byId("phones-code").alt = text("phones.code");
    Object.assign(byId("phones-link"), { href: url, textContent: url.replace(/\?.*/, "") });
  }
  byId("phones-dialog").showModal();
}

async function clear() {
  const response = await fetch("wall/clear", { method: "POST" });
  if (response.ok) byId("clear-dialog").close();
  else byId("clear-fault").textContent = text("wall.clear.forbidden");
}

function listen() {
  byId("filters").addEventListener("input", filtered);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("configure").addEventListener("click", () => byId("settings").showModal());
  byId("phones").addEventListener("click", showPhones);
  byId("clear").addEventListener("click", () => {
    byId("clear-fault").textContent = "";
    byId("clear-dialog").showModal();
  });
  byId("clear-yes").addEventListener("click", clear);
  offerLooks(byId("set-language"), byId("set-theme"), () => {
    byId("cards").replaceChildren();
    showAll();
  });
  window.addEventListener("resize", () => {
    byId("cards").replaceChildren();
    showCards();
  });
}

function showAll() {
  offerFilters();
  showScore();
  showCards();
  showCounts();
  showHealth();
  byId("notice").textContent = keeps && text("wall.notice", { keeps });
}

dress();
listen();
byId("filter-source").value = setting("source");
byId("filter-score").value = setting("score", "0");
showAll();
follow();
session().then(({ keys }) => (byId("signout-button").hidden = !keys)).catch(() => {});
fetch("wall/phone").then((response) => response.json()).then((known) => {
  keeps = known.keeps ?? "";
  showAll();
}).catch(() => {});
