// One tile per camera, in the order of names. A tile keeps its place whatever happens.

import { drawAnswer } from "./drawing.js";
import { faultInShort } from "./faults.js";
import { worded } from "./model_info.js";
import { byId, element, language, text } from "./page.js";
import { alsoSeen, boxesOver, cameraName, fillBest, milliseconds, pictureOf } from "./wall_answer.js";
import { cameraKey, chosenCamera, passes } from "./wall_filters.js";

const SILENT_S = 30;
const NOW_S = 2;

const tiles = new Map(); // by camera
let openLarge = () => {};

/** Connect the tiles: `open` is called with the answer of one that is clicked, and a function for its latest. */
export function listenToTiles(open) {
  openLarge = open;
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) for (const tile of tiles.values()) showPicture(tile);
  });
}

/** The newest frames of some cameras. */
export function takeFrames(frames) {
  for (const answer of frames) {
    const tile = tiles.get(answer.camera) ?? addTile(answer.camera);
    tile.answer = answer;
    showAnswer(tile);
    showPicture(tile);
  }
  arrange();
}

/** The state of every camera; one that is not among them is forgotten. */
export function takeCameras(cameras) {
  const known = new Map(cameras.map((one) => [one.camera, one]));
  for (const [name, tile] of tiles) {
    if (!known.has(name)) removeTile(name, tile);
  }
  for (const status of cameras) {
    const tile = tiles.get(status.camera) ?? (status.frame || status.failing ? addTile(status.camera) : null);
    if (!tile) continue;
    tile.status = status;
    showStatus(tile);
  }
  arrange();
}

/** Let go of all frames: the operator has cleared the wall, or the service has started anew. */
export function clearTiles() {
  for (const [name, tile] of tiles) removeTile(name, tile);
  arrange();
}

/** The cameras that have a tile. */
export function tileCameras() {
  return [...tiles.keys()];
}

/** The newest answers, one of each camera. */
export function tileAnswers() {
  return [...tiles.values()].map((tile) => tile.answer).filter(Boolean);
}

/** Say everything again: in another language, in another size, or through other filters. */
export function showTiles() {
  byId("tiles").replaceChildren();
  const sorted = [...tiles.values()].sort((one, other) => compare(one.camera, other.camera));
  byId("tiles").append(...sorted.map((tile) => tile.item));
  for (const tile of tiles.values()) {
    showAnswer(tile);
    showStatus(tile);
    drawTile(tile);
  }
  arrange();
}

function compare(one, other) {
  const order = new Intl.Collator(language(), { numeric: true });
  return order.compare(cameraName(one), cameraName(other)) || (one < other ? -1 : 1);
}

function addTile(camera) {
  const item = element("li");
  const button = element("button", "tile");
  button.type = "button";
  const picture = element("span", "picture");
  const boxes = boxesOver();
  picture.append(boxes);
  const part = (name) => element("span", name);
  const [name, silence, best, more, rate, maker, errors] = ["camera", "silence", "best", "more", "rate", "maker", "errors"].map(part);
  const head = part("origin");
  head.append(name, silence);
  const foot = part("origin");
  foot.append(rate, maker, errors);
  const facts = part("facts");
  facts.append(head, best, more, foot);
  button.append(picture, facts);
  item.append(button);
  const tile = { camera, item, button, picture, boxes, name, silence, best, more, rate, maker, errors, answer: null, status: null, shown: null, drawn: null };
  button.addEventListener("click", () => tile.answer && openLarge(tile.answer, () => tile.answer));
  tiles.set(camera, tile);
  item.dataset.camera = cameraKey(tile);
  const others = [...byId("tiles").children].filter((one) => "camera" in one.dataset);
  const after = others.find((one) => compare(one.dataset.camera.slice(1), camera) > 0);
  byId("tiles").insertBefore(item, after ?? null);
  showAnswer(tile);
  return tile;
}

function removeTile(name, tile) {
  tile.item.remove();
  tiles.delete(name);
}

function showAnswer(tile) {
  const { answer } = tile;
  tile.name.textContent = cameraName(tile.camera);
  if (!answer) {
    tile.best.replaceChildren(element("span", "words", text("wall.unanswered")));
    tile.best.classList.add("unsure");
    return;
  }
  fillBest(tile.best, answer);
  tile.more.textContent = alsoSeen(answer);
  tile.maker.textContent = `${text(`wall.source.${answer.source}`)} ${milliseconds(answer)}`;
  tile.item.classList.toggle("faded", !passes(answer, { anyCamera: true }));
}

/** Load the newest picture, and put it up once it is there: the last one stays until then. */
function showPicture(tile) {
  const { answer } = tile;
  if (!answer || document.hidden || tile.shown === answer) return;
  tile.shown = answer;
  const putUp = (...image) => {
    if (tile.shown !== answer) return; // a newer one was faster
    tile.picture.replaceChildren(...image, tile.boxes);
    tile.drawn = answer;
    drawTile(tile);
  };
  if (!answer.picture) {
    putUp();
    return;
  }
  const image = pictureOf(answer);
  image.addEventListener("load", () => putUp(image));
}

function drawTile(tile) {
  requestAnimationFrame(() => drawAnswer(tile.boxes, tile.drawn && worded(tile.drawn)));
}

function showStatus(tile) {
  const { status } = tile;
  if (!status) return;
  const silent = status.silent_s >= SILENT_S;
  const state = status.failing ? "failing" : silent ? "silent" : "live";
  tile.item.dataset.state = state;
  tile.silence.textContent = lastSeen(status.silent_s, silent);
  tile.rate.textContent = rateInWords(status.rate);
  tile.errors.textContent = errorsInWords(status);
  const why = status.failure ? faultInShort(status.failure.code) : "";
  tile.errors.title = why;
  if (status.failing) tile.more.textContent = why;
}

function lastSeen(seconds, silent) {
  if (seconds < NOW_S) return text("wall.seen.now");
  return text(silent ? "wall.silent" : "wall.seen", { time: duration(seconds) });
}

function errorsInWords({ errors, failing }) {
  if (!errors) return "";
  const count = errors.toLocaleString(language());
  return text(failing ? "wall.failing" : errors === 1 ? "wall.error" : "wall.errors", { count });
}

/** Seconds in the largest unit that they fill: "12 s", "3 min", "2 h". */
export function duration(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

/** Frames a second, or a minute where they are few. */
export function rateInWords(rate) {
  const write = (value, digits) => value.toLocaleString(language(), { maximumFractionDigits: digits });
  if (!rate) return "";
  if (rate >= 1) return text("wall.rate", { rate: write(rate, rate < 10 ? 1 : 0) });
  return text("wall.rate.minute", { rate: write(rate * 60, 0) });
}

/** Columns and rows of tiles that fill a screen: 1, 2x1, 2x2, 3x2, 3x3, ...; turned on an upright one. */
export function grid(count, upright = false) {
  const long = Math.max(1, Math.ceil(Math.sqrt(count)));
  const short = Math.max(1, Math.ceil(count / long));
  return upright ? [short, long] : [long, short];
}

function arrange() {
  const list = byId("tiles");
  const chosen = chosenCamera();
  let shown = 0;
  for (const tile of tiles.values()) {
    tile.item.hidden = Boolean(chosen) && cameraKey(tile) !== chosen;
    if (!tile.item.hidden) shown += 1;
  }
  if (document.body.classList.contains("tv")) {
    const [columns, rows] = grid(shown, window.innerHeight > window.innerWidth);
    list.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    list.style.gridTemplateRows = `repeat(${rows}, minmax(0, 1fr))`;
  }
  for (const one of [...list.children]) if (one.classList.contains("blank")) one.remove();
  if (!shown) list.append(blank());
}

function blank() {
  const box = element("li", "blank");
  box.append(element("p", "headline", text(tiles.size ? "wall.filtered" : "wall.empty")));
  if (!tiles.size) box.append(element("p", "", text("wall.empty.help", { url: new URL(".", location.href).href.replace(/\/$/, "") })));
  return box;
}
