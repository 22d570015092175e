// The front page: try a photo without a camera, see which models serve, and find everything else.

import { drawBars, drawBoxes } from "./drawing.js";
import { byId, dress, element, keep, language, offerLooks, percent, session, setting, signIn, takePictures, text } from "./page.js";
import { inWords } from "./verdict.js";

const LOWEST = 0.05; // asked for once; the slider filters what came
const MAX_BARS = 8;
const WAIT_MS = 2000; // between two looks at models that load
const MEGABYTE = 1e6;

const state = { file: null, answer: null, moved: false, asked: 0 };
const speeds = new Map(); // model to milliseconds of its last answer here
let models = null;
let known = { keys: false };

// A picture and its answer

async function look(file) {
  if (!file) return;
  if (state.file) URL.revokeObjectURL(byId("picture").src);
  Object.assign(state, { file, answer: null });
  Object.assign(byId("picture"), { src: URL.createObjectURL(file), hidden: false });
  byId("invitation").hidden = true;
  byId("choose-again").hidden = false;
  await ask();
}

async function ask() {
  if (!state.file) return;
  const asked = (state.asked += 1); // only the answer to the last question is shown
  byId("fault").hidden = true;
  byId("stage").setAttribute("aria-busy", "true");
  const query = new URLSearchParams({ camera: "front", threshold: LOWEST });
  if (byId("model").value) query.set("model", byId("model").value);
  let body;
  try {
    const response = await fetch(`predict?${query}`, { method: "POST", body: state.file });
    if (response.status === 401) return signIn();
    body = await response.json();
  } catch {
    body = { error: { code: "gone" } };
  }
  if (asked !== state.asked) return;
  byId("stage").setAttribute("aria-busy", "false");
  state.answer = body.error ? null : body;
  if (body.error) fail(body.error);
  else {
    speeds.set(body.model.name, Object.values(body.timing_ms).reduce((sum, one) => sum + one, 0));
    showModels();
  }
  show();
}

async function sample(name) {
  try {
    await look(await (await fetch(`samples/${name}.jpg`)).blob());
  } catch {
    fail({ code: "gone" });
  }
}

function fail({ code, message }) {
  byId("fault").hidden = false;
  byId("fault-words").textContent = code === "gone" ? text("server.gone") : `${text("server.refused")}: ${message}`;
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
  return state.answer.predictions.filter((one) => one.score >= least(one.label));
}

function show() {
  const { answer } = state;
  byId("answer").hidden = !answer;
  const predictions = shown();
  if (answer) showWords(answer, predictions);
  // Last: the words may have changed the size of the picture next to them.
  drawBoxes(byId("boxes"), answer && { ...answer, predictions });
}

function showWords(answer, predictions) {
  const { words, perhaps, unsure } = inWords({ ...answer, predictions });
  byId("verdict").textContent = words;
  byId("verdict").classList.toggle("unsure", unsure);
  byId("perhaps").textContent = perhaps;
  drawBars(byId("bars"), predictions, MAX_BARS);
  const ms = speeds.get(answer.model.name)?.toFixed(0) ?? "";
  const source = text(`wall.source.${answer.source}`);
  byId("facts").textContent = `${source} · ${text("wall.ms", { ms })} · ${answer.image.width} × ${answer.image.height}`;
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
}

const named = (one) => one.display_name ?? one.name;

function offerModels() {
  if (!models || byId("model").length === models.models.length) return;
  const choices = models.models.map((one) => Object.assign(element("option", "", named(one)), { value: one.name }));
  byId("model").replaceChildren(...choices);
  const wanted = setting("model", models.default);
  byId("model").value = models.models.some((one) => one.name === wanted) ? wanted : models.default;
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
  byId("again").addEventListener("click", ask);
  for (const button of document.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", () => sample(button.dataset.sample));
  }
  byId("model").addEventListener("change", () => {
    keep("model", byId("model").value);
    state.moved = false;
    showThreshold();
    return ask();
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
