// The kiosk: shows in large type what the model sees through the webcam, or in a picture opened here.

import { Camera } from "./camera.js";
import { drawBars, drawBoxes } from "./drawing.js";
import { byId, dress, element, keep, offerLooks, session, setting, signIn, takePictures, text } from "./page.js";
import { Stream } from "./stream.js";
import { inWords } from "./verdict.js";

const MAX_SIDE = 640; // twice the input of the models, so that no detail is lost
const JPEG_QUALITY = 0.8;
const MAX_PER_SECOND = 15; // more would not be noticed, and other clients need the server
const PAUSE_AFTER_ERROR_MS = 1000;
const SPEAK_AFTER_MS = 1200; // screen readers announce only a verdict that lasts this long
const SMALLEST_VERDICT = 0.4; // share of the full size, for long words

const state = { camera: "starting", server: "starting", fault: null, paused: false, still: null, answer: null };
const rate = { count: 0, since: performance.now() };
const shot = document.createElement("canvas");
let models = null;
let nextFrame = 0;
let capturing = false;

const camera = new Camera(byId("video"), (now) => {
  state.camera = now;
  if (now === "live") offerCameras();
  else forget();
  show();
});
const stream = new Stream(answered, (now) => {
  state.server = now;
  if (now === "open") refresh();
  else forget();
  if (now === "gone") checkKey();
  show();
});

// Frames out, answers in

function pump(now) {
  requestAnimationFrame(pump);
  const looking = state.camera === "live" && !state.still && !state.paused && !document.hidden;
  if (!looking || capturing || now < nextFrame || !stream.free) return;
  const video = byId("video");
  if (!video.videoWidth) return;
  nextFrame = now + 1000 / MAX_PER_SECOND;
  capturing = true;
  encode(video, video.videoWidth, video.videoHeight)
    .then((frame) => frame && !state.still && stream.send(frame))
    .catch(() => {}) // the next frame follows soon
    .finally(() => (capturing = false));
}

async function encode(source, width, height) {
  const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
  Object.assign(shot, { width: Math.round(width * scale), height: Math.round(height * scale) });
  shot.getContext("2d").drawImage(source, 0, 0, shot.width, shot.height);
  return new Promise((done) => shot.toBlob(done, "image/jpeg", JPEG_QUALITY));
}

function answered(message) {
  if (state.still || state.camera !== "live") return;
  rate.count += 1;
  if (message.error) {
    state.fault = message.error;
    state.answer = null;
    nextFrame = performance.now() + PAUSE_AFTER_ERROR_MS;
  } else {
    state.fault = null;
    state.answer = message;
  }
  show();
}

function forget() {
  if (!state.still) state.answer = null;
}

// Pictures opened, dropped or pasted

async function look(file) {
  if (!file) return;
  if (state.still) URL.revokeObjectURL(state.still);
  state.still = URL.createObjectURL(file);
  Object.assign(state, { answer: null, fault: null });
  byId("still").src = state.still;
  show();
  const query = new URLSearchParams({ camera: setting("name", "kiosk") });
  if (setting("model")) query.set("model", setting("model"));
  try {
    const response = await fetch(`predict?${query}`, { method: "POST", body: file });
    if (response.status === 401) return signIn();
    const body = await response.json();
    state.answer = body.error ? null : body;
    state.fault = body.error ?? null;
  } catch {
    state.fault = { code: "gone", message: text("server.gone.help") };
  }
  show();
}

function backToCamera() {
  if (!state.still) return;
  URL.revokeObjectURL(state.still);
  Object.assign(state, { still: null, answer: null, fault: null });
  byId("file").value = "";
  show();
}

// The screen

function show() {
  const still = Boolean(state.still);
  byId("video").hidden = still;
  byId("still").hidden = !still;
  byId("back").hidden = !still;
  byId("video").classList.toggle("mirror", mirrored());
  showState(still);
  showNotice(still);
  drawBoxes(byId("boxes"), state.answer, { mirror: mirrored() });
  drawBars(byId("bars"), state.answer?.predictions ?? []);
  showVerdict();
}

const mirrored = () => !state.still && setting("mirror") === "1";

function showState(still) {
  let [kind, words] = ["live", text("kiosk.live")];
  if (still) [kind, words] = ["still", text("kiosk.still")];
  else if (state.server === "gone" || state.server === "slow") [kind, words] = ["bad", text(`server.${state.server}`)];
  else if (state.camera !== "live" && state.camera !== "starting") [kind, words] = ["bad", text(`camera.${state.camera}`)];
  else if (state.paused) [kind, words] = ["paused", text("kiosk.paused")];
  else if (!state.answer) [kind, words] = ["starting", text("kiosk.starting")];
  const element = byId("state");
  element.dataset.state = kind;
  if (element.textContent !== words) element.textContent = words;
  const model = state.answer?.model;
  byId("model").textContent = model ? text("wall.model", { name: displayName(model.name), version: model.version }) : "";
}

function showNotice(still) {
  const [headline, advice] = noticeWords(still);
  const notice = byId("notice");
  notice.hidden = !headline;
  byId("main").classList.toggle("alone", Boolean(headline) && !state.answer);
  notice.classList.toggle("over", still || state.camera === "live");
  byId("pair").hidden = state.camera !== "insecure" || still || advice !== text("camera.insecure.help");
  if (byId("headline").textContent !== headline) byId("headline").textContent = headline;
  if (byId("advice").textContent !== advice) byId("advice").textContent = advice;
}

function noticeWords(still) {
  const fault = state.fault && state.fault.code === "model_unavailable" ? "server.loading" : "server.refused";
  if (still) return state.fault ? [text(fault), state.fault.message] : ["", ""];
  if (state.server === "gone" || state.server === "slow") {
    return [text(`server.${state.server}`), text(`server.${state.server}.help`)];
  }
  if (state.camera !== "live") return [text(`camera.${state.camera}`), text(`camera.${state.camera}.help`)];
  return state.fault ? [text(fault), state.fault.message] : ["", ""];
}

let shownVerdict = "";

function showVerdict() {
  const said = state.answer && inWords(state.answer);
  let words = said?.words ?? "";
  const looking = state.camera === "live" && state.server === "open" && !state.fault && !state.paused;
  if (!said && looking) words = text("kiosk.waiting");
  const verdict = byId("verdict");
  verdict.classList.toggle("unsure", said?.unsure ?? true);
  byId("score").textContent = said?.score || said?.perhaps || "";
  byId("score").classList.toggle("perhaps", Boolean(said?.perhaps));
  if (words !== shownVerdict) {
    shownVerdict = words;
    verdict.textContent = words;
    fit(verdict);
    speakSoon(said, words);
  }
}

/** Shrink words that are too long for their line, down to a limit. */
function fit(line) {
  line.style.fontSize = "";
  const full = parseFloat(getComputedStyle(line).fontSize);
  const share = Math.min(1, line.clientWidth / line.scrollWidth);
  if (share < 1) line.style.fontSize = `${full * Math.max(SMALLEST_VERDICT, share * 0.98)}px`;
}

let speaking = 0;

function speakSoon(said, words) {
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    const detail = said?.score || said?.perhaps;
    byId("spoken").textContent = detail ? text("kiosk.spoken", { label: words, score: detail }) : words;
  }, SPEAK_AFTER_MS);
}

function showRate() {
  const seconds = (performance.now() - rate.since) / 1000;
  const perSecond = rate.count / seconds;
  Object.assign(rate, { count: 0, since: performance.now() });
  const stages = state.answer?.timing_ms;
  const ms = stages ? Math.round(Object.values(stages).reduce((sum, one) => sum + one, 0)) : 0;
  const shown = perSecond >= 0.5 && stages && !state.still;
  byId("rate").textContent = shown ? text("kiosk.rate", { rate: Math.round(perSecond), ms }) : "";
}

// Settings

const displayName = (name) => models?.models.find((one) => one.name === name)?.display_name ?? name;

async function refresh() {
  try {
    const response = await fetch("models");
    if (response.ok) models = await response.json();
  } catch {
    return; // the stream reports that the server is gone
  }
  offerModels();
}

function options(select, values, chosen) {
  select.replaceChildren(
    ...values.map(([value, words]) => Object.assign(element("option", "", words), { value })),
  );
  select.value = chosen;
  if (select.value !== chosen) {
    select.append(Object.assign(element("option", "", chosen), { value: chosen })); // not available now, perhaps later
    select.value = chosen;
  }
}

function offerModels() {
  if (!models) return;
  const names = models.models.map((one) => [one.name, one.display_name ?? one.name]);
  const preset = text("settings.model.default", { name: displayName(models.default) });
  options(byId("set-model"), [["", preset], ...names], setting("model"));
}

async function offerCameras() {
  const names = await camera.names();
  options(byId("set-camera"), [["", text("settings.camera.any")], ...names.map((one) => [one, one])], setting("camera"));
}

function connect() {
  stream.open({ model: setting("model"), camera: setting("name", "kiosk") });
}

async function checkKey() {
  try {
    const { keys, scopes } = await session();
    if (keys && !scopes.includes("predict")) signIn();
  } catch {
    // the service is gone
  }
}

function listen() {
  byId("open").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", (event) => look(event.target.files[0]));
  byId("back").addEventListener("click", backToCamera);
  byId("fullscreen").addEventListener("click", toggleFullScreen);
  byId("configure").addEventListener("click", () => byId("settings").showModal());
  byId("set-camera").addEventListener("change", (event) => {
    keep("camera", event.target.value);
    camera.use(event.target.value);
  });
  byId("set-model").addEventListener("change", (event) => {
    keep("model", event.target.value);
    forget();
    connect();
  });
  byId("set-name").value = setting("name");
  byId("set-name").addEventListener("change", (event) => {
    keep("name", event.target.value.trim());
    connect();
  });
  byId("set-mirror").checked = setting("mirror") === "1";
  byId("set-mirror").addEventListener("change", (event) => {
    keep("mirror", event.target.checked ? "1" : "");
    show();
  });
  offerLooks(byId("set-language"), byId("set-theme"), () => {
    offerModels();
    offerCameras();
    show();
  });
  document.addEventListener("keydown", onKey);
  takePictures(look);
  window.addEventListener("resize", () => {
    show();
    fit(byId("verdict"));
  });
  document.addEventListener("visibilitychange", stayAwake);
}

function onKey(event) {
  const typing = event.target.closest("input, select, dialog, button, a");
  if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
  const actions = {
    f: toggleFullScreen,
    o: () => byId("file").click(),
    s: () => byId("settings").showModal(),
    " ": togglePause,
    Escape: backToCamera,
  };
  const action = actions[event.key] ?? actions[event.key.toLowerCase()];
  if (!action) return;
  if (event.key !== "Escape") event.preventDefault();
  action();
}

function togglePause() {
  state.paused = !state.paused;
  const video = byId("video");
  if (state.paused) video.pause();
  else video.play().catch(() => {});
  show();
}

function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.().catch(() => {});
}

/** Keep the screen on while the page is visible. */
function stayAwake() {
  if (!document.hidden) navigator.wakeLock?.request("screen").catch(() => {});
}

dress();
listen();
show();
stayAwake();
session().then(({ keys }) => (byId("signout-button").hidden = !keys)).catch(() => {});
for (const name of ["camera", "model", "name", "mirror", "lang", "theme"]) if (setting(name)) keep(name, setting(name));
connect();
camera.use(setting("camera"));
requestAnimationFrame(pump);
setInterval(showRate, 1000);
