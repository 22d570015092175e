// What the kiosk does while nobody is there: an inviting screen, and everything as at the start.

import { isTroubled } from "./kiosk_screen.js";
import { locked, state } from "./kiosk_state.js";
import { byId, setting, text } from "./page.js";

const LOCKED_IDLE_S = 60; // unless the address says another time
const MIN_IDLE_S = 5; // less, and it would hide what somebody is reading
const LOOK_MS = 1000;

let active = performance.now();
let seen = "";
let onIdle = () => {};

/** Seconds without a person after which the kiosk invites; 0 for never. */
function idleSeconds() {
  const wanted = setting("idle");
  const seconds = wanted === "" ? (locked ? LOCKED_IDLE_S : 0) : Number(wanted);
  return seconds > 0 ? Math.max(MIN_IDLE_S, seconds) : 0;
}

/** Whether it invites at this moment. */
export const isInviting = () => !byId("attract").hidden;

/** Begin to watch; `reset` puts everything back as it was at the start. */
export function watchForIdleness(reset) {
  onIdle = reset;
  for (const kind of ["pointerdown", "keydown", "wheel"]) document.addEventListener(kind, wake);
  byId("begin").addEventListener("click", wake);
  setInterval(look, LOOK_MS);
}

/** A person did something, or the camera sees something else. */
function wake() {
  active = performance.now();
  if (isInviting()) invite(false);
}

/** Take notice of what the camera sees: a sure answer that is another one wakes the kiosk. */
export function notice(answer) {
  const labels = answer.certain === false ? [] : answer.predictions.map((one) => one.label);
  const now = [...new Set(labels)].sort().join("\n");
  if (!now || now === seen) return;
  seen = now;
  wake();
}

function look() {
  const seconds = idleSeconds();
  if (!seconds || document.hidden) return;
  if (isInviting() && isTroubled()) invite(false); // what is wrong is not hidden
  const idle = performance.now() - active > seconds * 1000;
  if (!idle || isInviting()) return;
  onIdle();
  if (!isTroubled() && state.camera === "live") invite(true);
}

function invite(on) {
  const brand = document.body.dataset.brand;
  byId("attract").hidden = !on;
  byId("main").classList.toggle("inviting", on);
  byId("attract-title").textContent = brand || text("kiosk.attract.title");
  const logo = byId("logo");
  byId("attract-logo").hidden = logo.hidden;
  if (on && !logo.hidden) byId("attract-logo").src = logo.src;
}

/** Keep the screen on while the page is visible, also when the system has let it go once. */
export async function stayAwake() {
  if (document.hidden) return;
  try {
    const lock = await navigator.wakeLock?.request("screen");
    lock?.addEventListener?.("release", () => setTimeout(stayAwake, LOOK_MS));
  } catch {
    // low on battery, or not allowed: it asks again when the page is seen again
  }
}
