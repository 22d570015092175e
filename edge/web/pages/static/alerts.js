// Alerts on the wall: a banner and a sound. They come with the wall's events; without rules none come, and nothing is shown.

import { labelWords } from "./model_info.js";
import { element, keep, percent, setting, text } from "./page.js";
import { cameraName } from "./wall_answer.js";

const MAX_SHOWN = 3;
const STAYS_MS = 30_000; // an alert that is over stays for somebody who was away
const SOUNDS_MS = 5_000; // older ones are history, as after a reload
const SECOND_MS = 1000;
const TONES = [880, 660]; // Hz
const TONE_S = 0.25;
const VOLUME = 0.4;

let on = []; // the rules that are on, with their cameras
let recent = []; // alerts, newest first, with the time at which each was raised by this page's clock
let known = new Set(); // ids of the alerts that the service still tells of
let dismissed = new Set();
let sinks = {}; // where alerts go besides this page, by name
let sound = null;
let parts = null; // of the page, made with the first event

/** Show the alerts that come with the wall's events; called with each connection. */
export function followAlerts(events) {
  events.addEventListener("alerts", (event) => take(JSON.parse(event.data)));
  events.addEventListener("health", (event) => {
    sinks = JSON.parse(event.data).sinks ?? {};
    if (parts) show();
  });
}

function take(told) {
  parts ??= build();
  on = told.on;
  recent = told.recent.map((alert) => ({ ...alert, raised: performance.now() - alert.age_s * SECOND_MS }));
  const fresh = recent.filter((alert) => !known.has(alert.id) && performance.now() - alert.raised < SOUNDS_MS);
  known = new Set(recent.map((alert) => alert.id));
  dismissed = new Set([...dismissed].filter((id) => known.has(id)));
  show();
  if (fresh.some((alert) => alert.sound)) ring();
}

/** Whether an alert's rule is still on, on its camera. */
function goesOn(alert) {
  return on.some((state) => state.rule === alert.rule && state.cameras.includes(alert.camera));
}

function isShown(alert) {
  if (dismissed.has(alert.id)) return false;
  return goesOn(alert) || performance.now() - alert.raised < STAYS_MS;
}

// The banner

function build() {
  const banner = element("section", "alerts");
  banner.dataset.label = "alerts.title"; // so that a change of language reaches it
  banner.setAttribute("aria-label", text("alerts.title"));
  const list = element("ol", "alert-list");
  list.setAttribute("aria-live", "assertive");
  const more = element("p", "alert-more");
  const faults = element("p", "alert-faults");
  const toggle = element("button", "text");
  toggle.setAttribute("type", "button");
  toggle.addEventListener("click", toggleSound);
  banner.append(list, more, faults, toggle);
  document.body.insertBefore(banner, document.body.firstElementChild);
  setInterval(show, SECOND_MS); // what is over leaves by itself
  return { banner, list, more, faults, toggle };
}

function show() {
  const shown = recent.filter(isShown);
  const wanted = shown.slice(0, MAX_SHOWN);
  const { list, more, faults, toggle } = parts;
  const rows = wanted.map((alert) => [...list.children].find((row) => row.dataset.alert === alert.id) ?? newRow(alert));
  for (const row of [...list.children]) if (!rows.includes(row)) row.remove();
  // A row that stays is left alone: it would be read out again.
  rows.forEach((row, at) => {
    if (list.children[at] !== row) list.insertBefore(row, list.children[at] ?? null);
    row.classList.toggle("over", !goesOn(wanted[at]));
    const language = document.documentElement.lang;
    if (row.dataset.language !== language) fill(row, wanted[at], language);
  });
  const others = shown.length - wanted.length;
  more.hidden = others <= 0;
  more.textContent = others > 0 ? text("alerts.more", { count: others }) : "";
  const broken = Object.entries(sinks).filter(([, { fault }]) => fault);
  const lines = broken.map(([name, { fault, queued }]) => text("alerts.sink.down", { name, fault, queued })).join(" ");
  if (faults.textContent !== lines) faults.textContent = lines;
  faults.hidden = !lines;
  const words = text(isSilent() ? "alerts.sound.on" : "alerts.sound.off");
  if (toggle.textContent !== words) toggle.textContent = words;
  // The button is in nobody's way once the sound is on, and a screen without anybody has no use for it.
  toggle.hidden = !rows.length && (!isSilent() || Boolean(setting("tv")));
  parts.banner.hidden = !rows.length && !lines && toggle.hidden;
  parts.banner.classList.toggle("quiet", !rows.length);
}

function newRow(alert) {
  const row = element("li", "alert-row");
  row.dataset.alert = alert.id;
  return row;
}

function fill(row, alert, language) {
  row.dataset.language = language;
  const label = labelWords(alert.label, alert.model?.name);
  const what = alert.count > 1 ? `${alert.count} × ${label}` : label;
  const words = element("p", "alert-words");
  const time = element("time", "", new Date(alert.at).toLocaleTimeString(language));
  words.append(element("strong", "", alert.rule), element("span", "", what), element("span", "", percent(alert.score)));
  words.append(element("span", "", cameraName(alert.camera)), time);
  const dismiss = element("button", "text", text("alerts.dismiss"));
  dismiss.setAttribute("type", "button");
  dismiss.setAttribute("aria-label", text("alerts.dismiss.of", { rule: alert.rule }));
  dismiss.addEventListener("click", () => {
    dismissed.add(alert.id);
    show();
  });
  row.replaceChildren(words, dismiss);
}

// The sound

const isMuted = () => setting("alert-sound") === "off";

/** Whether an alert would not be heard: muted here, or the browser waits for a touch. */
function isSilent() {
  return isMuted() || player()?.state !== "running";
}

/** What plays sounds; `null` where the browser has none. */
function player() {
  if (sound === null && globalThis.AudioContext) {
    sound = new AudioContext();
    sound.addEventListener("statechange", show);
  }
  return sound;
}

async function toggleSound() {
  const wasSilent = isSilent();
  keep("alert-sound", wasSilent ? "" : "off");
  if (wasSilent) {
    await player()?.resume();
    ring(); // so that one hears that it works
  }
  show();
}

function ring() {
  if (isSilent()) return;
  TONES.forEach((pitch, at) => {
    const from = sound.currentTime + at * TONE_S;
    const tone = sound.createOscillator();
    const volume = sound.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(VOLUME, from);
    volume.gain.linearRampToValueAtTime(0, from + TONE_S);
    tone.connect(volume);
    volume.connect(sound.destination);
    tone.start(from);
    tone.stop(from + TONE_S);
  });
}
