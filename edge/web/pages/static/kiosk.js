// The kiosk: shows in large type what the model sees through the webcam, or in a picture opened here.

import { Camera } from "./camera.js";
import { closeCorrection, learnCorrections } from "./kiosk_correction.js";
import { isInviting, notice, stayAwake, watchForIdleness } from "./kiosk_idle.js";
import { findModels, offer, offerModels, wantedModel } from "./kiosk_models.js";
import { countAnswer, fitVerdict, show, showRate } from "./kiosk_screen.js";
import { locked, mirrored, state } from "./kiosk_state.js";
import { byId, dress, keep, offerLooks, predict, session, setting, signIn, takePictures, text } from "./page.js";
import { Stream } from "./stream.js";

const MAX_SIDE = 640; // twice the input of the models, so that no detail is lost
const JPEG_QUALITY = 0.8;
const MAX_PER_SECOND = 15; // more would not be noticed, and other clients need the server
const INVITING_PER_SECOND = 2; // enough to see that somebody comes
const PAUSE_AFTER_ERROR_MS = 1000;

const shot = document.createElement("canvas");
let nextFrame = 0;
let capturing = false;
let asked = 0; // pictures opened; only the answer to the last one is shown

const camera = new Camera(byId("video"), (now) => {
  Object.assign(state, { camera: now, facesVisitor: camera.isFront });
  if (now === "live") offerCameras();
  else forget();
  show();
});
const stream = new Stream(answered, serverChanged);

function serverChanged(now) {
  const takesNoStream = now === "gone" && state.server !== "open" && state.server !== "slow";
  if (now !== "open") forget();
  if (now === "gone") checkKey();
  if (takesNoStream) return findCause();
  state.server = now;
  if (now === "open") refresh();
  show();
}

/** The service took no stream: because it cannot be reached, has no such model, or has too many streams. */
async function findCause() {
  const before = wantedModel();
  const reached = await refresh();
  if (state.server === "open") return;
  state.server = reached ? "busy" : "gone";
  if (reached && wantedModel() !== before) connect();
  show();
}

// Frames out, answers in

function pump(now) {
  requestAnimationFrame(pump);
  const looking = state.camera === "live" && !state.still && !state.paused && !document.hidden;
  if (!looking || capturing || now < nextFrame || !stream.free) return;
  const video = byId("video");
  if (!video.videoWidth) return;
  nextFrame = now + 1000 / (isInviting() ? INVITING_PER_SECOND : MAX_PER_SECOND);
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

function answered(message, image) {
  if (state.still || state.camera !== "live") return;
  countAnswer();
  if (message.error) {
    state.fault = message.error.code;
    state.answer = null;
    nextFrame = performance.now() + PAUSE_AFTER_ERROR_MS;
  } else {
    state.fault = null;
    Object.assign(state, { answer: message, frame: image });
    notice(message);
  }
  show();
}

function forget() {
  if (!state.still) state.answer = null;
}

// Pictures opened, dropped or pasted

/** Ask about a picture, and show it once it is answered: what is refused leaves the view as it is. */
async function look(file) {
  if (!file) return;
  const number = (asked += 1);
  Object.assign(state, { reading: true, refused: null });
  show();
  const answer = await ask(file);
  if (number !== asked) return;
  state.reading = false;
  if (!answer) return;
  if (answer.error) state.refused = { file, code: answer.error.code };
  else {
    if (state.still) URL.revokeObjectURL(state.still);
    Object.assign(state, { still: URL.createObjectURL(file), answer, frame: file, fault: null });
    byId("still").src = state.still;
  }
  show();
}

function ask(file) {
  const query = new URLSearchParams({ camera: setting("name", "kiosk") });
  if (wantedModel()) query.set("model", wantedModel());
  return predict(file, query);
}

function backToCamera() {
  asked += 1;
  Object.assign(state, { reading: false, refused: null });
  if (state.still) {
    URL.revokeObjectURL(state.still);
    Object.assign(state, { still: null, answer: null, fault: null });
  }
  byId("file").value = "";
  show();
}

function dismiss() {
  state.refused = null;
  show();
}

/** Try again what went wrong last. */
function tryAgain() {
  if (state.refused) return look(state.refused.file);
  if (state.server !== "open") return connect();
  if (state.camera !== "live") return camera.use(setting("camera"));
  nextFrame = 0;
}

// Settings

async function refresh() {
  const reached = await findModels();
  wantedModel(); // it may be there now, or gone
  offerModels();
  learnCorrections();
  show();
  return reached;
}

async function offerCameras() {
  const names = await camera.names();
  byId("set-mirror").checked = mirrored();
  offer(byId("set-camera"), [["", text("settings.camera.any")], ...names.map((one) => [one, one])], setting("camera"));
}

function connect() {
  stream.open({ model: wantedModel(), camera: setting("name", "kiosk") });
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
  for (const id of ["open", "other"]) byId(id).addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", async (event) => {
    await look(event.target.files[0]);
    event.target.value = ""; // the same picture may be chosen again
  });
  byId("again").addEventListener("click", tryAgain);
  byId("dismiss").addEventListener("click", dismiss);
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
    show();
  });
  byId("set-name").value = setting("name");
  byId("set-name").addEventListener("change", (event) => {
    keep("name", event.target.value.trim());
    connect();
  });
  byId("set-mirror").checked = mirrored();
  byId("set-mirror").addEventListener("change", (event) => {
    keep("mirror", event.target.checked ? "1" : "0");
    show();
  });
  offerLooks(byId("set-language"), byId("set-theme"), () => {
    offerModels();
    offerCameras();
    show();
  });
  document.addEventListener("keydown", onKey);
  takePictures(locked ? () => {} : look);
  window.addEventListener("resize", () => {
    show();
    fitVerdict();
  });
  document.addEventListener("visibilitychange", stayAwake);
}

function onKey(event) {
  if (isInviting()) return; // any key only wakes it
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
  if (!action || (locked && event.key !== "Escape")) return;
  if (event.key !== "Escape") event.preventDefault();
  action();
}

function togglePause() {
  setPaused(!state.paused);
}

function setPaused(paused) {
  state.paused = paused;
  const video = byId("video");
  if (state.paused) video.pause();
  else video.play().catch(() => {});
  show();
}

function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.().catch(() => {});
}

/** For the public there are no settings, no links, and no files of this machine to look at. */
function lock() {
  for (const id of ["configure", "open", "fullscreen"]) byId(id).hidden = true;
  document.addEventListener("contextmenu", (event) => event.preventDefault());
}

/** The owner's title, which the service has written into the page, in the place of the page's own. */
function showBrand() {
  const { brand } = document.body.dataset;
  if (!brand) return;
  const title = byId("title");
  delete title.dataset.text;
  title.textContent = brand;
  title.classList.remove("hidden");
}

/** As at the start, for the next person. */
function reset() {
  byId("settings").close();
  closeCorrection();
  if (state.paused) setPaused(false);
  backToCamera();
}

async function start() {
  showBrand();
  dress();
  if (locked) lock();
  listen();
  show();
  stayAwake();
  watchForIdleness(reset);
  session().then(({ keys }) => (byId("signout-button").hidden = !keys)).catch(() => {});
  const kept = ["camera", "model", "name", "mirror", "idle", "lang", "theme"];
  for (const name of kept) if (setting(name)) keep(name, setting(name));
  camera.use(setting("camera"));
  requestAnimationFrame(pump);
  setInterval(showRate, 1000);
  await refresh(); // an unknown model is known before it is asked for
  connect();
}

start();
