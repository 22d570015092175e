// The front page: try a photo without a camera, see which models serve, and find everything else.

import { drawBars, drawAnswer } from "./drawing.js";
import { faultWords } from "./faults.js";
import { learnModels, privacyWords, showPrivacy, worded } from "./model_info.js";
import { byId, dress, element, keep, language, offerLooks, percent, predict, session, setting, signIn, takePictures, text } from "./page.js";
import { inWords, maker, makerWords } from "./verdict.js";

const LOWEST = 0.05; // asked for once; the slider filters what came
const MAX_BARS = 8;
const WAIT_MS = 2000; // between two looks at models that load
const MEGABYTE = 1e6;

const state = { file: null, answer: null, refused: null, moved: false, asked: 0 };
const speeds = new Map(); // model to milliseconds of its last answer here
let models = null;
let known = { keys: false };

// A picture and its answer

/** Ask about a picture, and show it once it is answered: what is refused leaves the view as it is. */
async function look(file) {
  if (!file) return;
  const asked = (state.asked += 1); // only the answer to the last question is shown
  byId("fault").hidden = true;
  byId("stage").setAttribute("aria-busy", "true");
  const answer = await ask(file);
  if (asked !== state.asked) return;
  byId("stage").setAttribute("aria-busy", "false");
  if (!answer) return;
  if (answer.error) return fail(answer.error.code, file);
  if (file !== state.file) showPicture(file);
  Object.assign(state, { file, answer, refused: null });
  if (answer.source === "edge") speeds.set(answer.model.name, maker(answer).ms);
  showModels();
  show();
}

function ask(file) {
  const query = new URLSearchParams({ camera: "front" });
  // Of an anomaly model one score says all; with a low threshold the wall would call a good part an anomaly.
  if (model()?.task !== "anomaly") query.set("threshold", LOWEST);
  if (byId("model").value) query.set("model", byId("model").value);
  return predict(file, query);
}

function showPicture(file) {
  if (state.file) URL.revokeObjectURL(byId("picture").src);
  Object.assign(byId("picture"), { src: URL.createObjectURL(file), hidden: false });
  byId("invitation").hidden = true;
  byId("choose-again").hidden = false;
}

async function sample(name) {
  try {
    await look(await (await fetch(`samples/${name}.jpg`)).blob());
  } catch {
    fail("gone");
  }
}

function fail(code, file = null) {
  state.refused = file;
  byId("fault").hidden = false;
  byId("again").hidden = !file;
  byId("fault-words").textContent = faultWords(code).join(". ");
}

// What is shown of the answer

const model = () => models?.models.find((one) => one.name === (byId("model").value || models.default));

/** The score from which a label is shown: the model's own until the slider is moved. */
function least(label) {
  if (state.moved) return Number(byId("threshold").value) / 100;
  const own = model();
  return own?.label_thresholds?.[label] ?? own?.score_threshold ?? 0;
}

function shown() {
  if (!state.answer) return [];
  if (state.answer.task === "anomaly") return state.answer.predictions.map(decided);
  return state.answer.predictions.filter((one) => one.score >= least(one.label));
}

/** A part is good or an anomaly: the threshold decides which, and hides neither. */
function decided(one) {
  const score = one.label === "anomaly" ? one.score : 1 - one.score;
  const isAnomaly = score >= least("anomaly");
  return isAnomaly ? { ...one, label: "anomaly", index: 1, score } : { ...one, label: "good", index: 0, score: 1 - score };
}

function show() {
  const answer = state.answer && worded({ ...state.answer, predictions: shown() });
  byId("answer").hidden = !answer;
  if (answer) showWords(answer);
  showPrivacy(byId("privacy"), privacyWords(byId("model").value));
  drawAnswer(byId("boxes"), answer); // last: the words may have changed the size of the picture next to them
}

function showWords(answer) {
  const { words, perhaps, unsure } = inWords(answer);
  byId("verdict").textContent = words;
  byId("verdict").classList.toggle("unsure", unsure);
  byId("perhaps").textContent = perhaps;
  drawBars(byId("bars"), answer.predictions, MAX_BARS);
  const made = maker(answer);
  const size = `${answer.image.width} × ${answer.image.height}`;
  byId("facts").textContent = [makerWords(made), made.edge, size].filter(Boolean).join(" · ");
  byId("spoken").textContent = perhaps ? `${words}, ${perhaps}` : words;
}

function showThreshold() {
  const own = model()?.score_threshold ?? 0;
  if (!state.moved) byId("threshold").value = String(Math.round(Math.max(own, LOWEST) * 100));
  byId("threshold-shown").textContent = percent(Number(byId("threshold").value) / 100);
}

// The models

async function refresh() {
  try {
    const response = await fetch("models");
    if (response.status === 401) return signIn();
    if (response.ok) models = await response.json();
    byId("unreachable").hidden = true;
  } catch {
    Object.assign(byId("unreachable"), { hidden: false, textContent: text("server.gone") });
  }
  offerModels();
  showModels();
  showThreshold();
  const waiting = !models || models.models.some((one) => one.state === "START" || one.state === "LOADING");
  if (waiting) setTimeout(refresh, WAIT_MS);
  await learnModels();
  show();
}

const named = (one) => one.display_name ?? one.name;

function offerModels() {
  if (!models || byId("model").length === models.models.length) return;
  const choices = models.models.map((one) => Object.assign(element("option", "", named(one)), { value: one.name }));
  byId("model").replaceChildren(...choices);
  const wanted = setting("model") || models.default;
  const isThere = models.models.some((one) => one.name === wanted);
  byId("model").value = isThere ? wanted : models.default;
  showAbsent(isThere || wanted === "default" ? "" : wanted);
}

/** Say that the model which the address or an earlier visit names does not serve. */
function showAbsent(name) {
  byId("note").hidden = !name;
  const own = model();
  byId("note").textContent = name ? text("kiosk.absent", { name, other: own ? named(own) : "" }) : "";
}

function showModels() {
  if (!models) return;
  const refused = Object.entries(models.refused).map(([name, fault]) => ({ name, fault, state: "END" }));
  byId("models").replaceChildren(...[...models.models, ...refused].map(card));
}

const STATES = { AVAILABLE: "live", LOADING: "starting", START: "starting", END: "bad" };

function card(one) {
  const made = element("li");
  const head = element("p", "head");
  const badge = element("span", "state", text(`wall.state.${one.state}`));
  badge.dataset.state = STATES[one.state];
  head.append(element("strong", "", named(one)), badge);
  made.append(head);
  if (one.fault) made.append(element("p", "muted", one.fault));
  if (!one.task) return made;
  const rows = element("dl");
  const row = (key, words) => words && rows.append(element("dt", "", text(key)), element("dd", "", words));
  row("front.task", text(`front.task.${one.task}`));
  row("front.labels", one.labels && `${one.labels.length}: ${one.labels.slice(0, 4).join(", ")}${one.labels.length > 4 ? " …" : ""}`);
  row("front.size", one.size_bytes && text("front.megabytes", { size: number(one.size_bytes / MEGABYTE, 1) }));
  row("front.speed", speeds.has(one.name) ? text("wall.ms", { ms: number(speeds.get(one.name), 0) }) : text("front.speed.none"));
  row("front.threshold", one.score_threshold && percent(one.score_threshold));
  made.append(rows);
  return made;
}

function number(value, digits) {
  const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(language(), format).format(value);
}

// The line for a terminal

async function showCommand() {
  let authority = null;
  try {
    known = await session();
    ({ authority } = await (await fetch("pair/info")).json());
  } catch {
    // the service is gone: `refresh` tells it
  }
  const here = new URL(".", location.href).href;
  const trust = authority ? " --cacert edge-ca.pem" : "";
  const key = known.keys ? ' -H "X-API-Key: $KEY"' : "";
  const lines = [`curl -s${trust} ${here}samples/coffee.jpg | curl${trust}${key} --data-binary @- ${here}predict`];
  if (authority) lines.unshift(`curl -sk ${here}pair/ca.crt | openssl x509 -inform der -out edge-ca.pem`);
  byId("command").textContent = lines.join("\n");
  byId("key-words").hidden = !known.keys;
  byId("signout-button").hidden = !known.keys;
  for (const tile of document.querySelectorAll("[data-scope]")) {
    tile.hidden = known.keys && !known.scopes.includes(tile.dataset.scope); // it would lead to the sign-in
  }
}

async function copy() {
  const command = byId("command");
  try {
    await navigator.clipboard.writeText(command.textContent);
    byId("copy").textContent = text("front.copied");
  } catch {
    getSelection().selectAllChildren(command); // no clipboard over plain HTTP: Ctrl-C takes it from here
    byId("copy").textContent = text("front.selected");
  }
}

function listen() {
  for (const id of ["choose", "choose-again", "other"]) byId(id).addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", async (event) => {
    await look(event.target.files[0]);
    event.target.value = ""; // the same picture may be chosen again
  });
  byId("again").addEventListener("click", () => look(state.refused));
  for (const button of document.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", () => sample(button.dataset.sample));
  }
  byId("model").addEventListener("change", () => {
    keep("model", byId("model").value);
    state.moved = false;
    showAbsent("");
    showThreshold();
    show();
    return look(state.file);
  });
  byId("threshold").addEventListener("input", () => {
    state.moved = true;
    showThreshold();
    show();
  });
  byId("copy").addEventListener("click", copy);
  byId("configure").addEventListener("click", () => byId("settings").showModal());
  offerLooks(byId("set-language"), byId("set-theme"), () => {
    showThreshold();
    showModels();
    show();
  });
  takePictures(look);
  window.addEventListener("resize", show);
}

dress();
listen();
refresh();
showCommand();
