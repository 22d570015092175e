// What the kiosk shows of its state.

import { drawBars, drawAnswer } from "./drawing.js";
import { faultWords } from "./faults.js";
import { showCorrection } from "./kiosk_correction.js";
import { displayName, wantedModel } from "./kiosk_models.js";
import { locked, mirrored, state } from "./kiosk_state.js";
import { privacyWords, showPrivacy, worded } from "./model_info.js";
import { byId, text } from "./page.js";
import { inWords, maker, makerWords } from "./verdict.js";

const SPEAK_AFTER_MS = 1200; // screen readers announce only a verdict that lasts this long
const ONE_LINE = 0.5; // of the full size: words that would be smaller stand on two lines

export function show() {
  const still = Boolean(state.still);
  const answer = state.answer && worded(state.answer);
  byId("video").hidden = still;
  byId("still").hidden = !still;
  byId("back").hidden = !still;
  byId("video").classList.toggle("mirror", mirrored());
  showState(still);
  showNotice(still);
  showAbsent();
  showPrivacy(byId("privacy"), privacyWords(answer?.model.name ?? wantedModel()));
  showMaker(answer);
  showCorrection();
  showBars(answer?.predictions ?? []);
  showVerdict(answer);
  drawAnswer(byId("boxes"), answer, { mirror: mirrored() }); // last: words may have changed the picture's size
}

function setText(id, words) {
  if (byId(id).textContent !== words) byId(id).textContent = words;
}

function showState(still) {
  let [kind, words] = ["live", text("kiosk.live")];
  if (state.reading) [kind, words] = ["starting", text("kiosk.reading")];
  else if (still) [kind, words] = ["still", text("kiosk.still")];
  else if (serverFails()) [kind, words] = ["bad", text(`server.${state.server}`)];
  else if (state.camera !== "live" && state.camera !== "starting") [kind, words] = ["bad", text(`camera.${state.camera}`)];
  else if (state.paused) [kind, words] = ["paused", text("kiosk.paused")];
  else if (!state.answer) [kind, words] = ["starting", text("kiosk.starting")];
  byId("state").dataset.state = kind;
  setText("state", words);
  const model = state.answer?.model;
  setText("model", model ? text("wall.model", { name: displayName(model.name), version: model.version }) : "");
}

const serverFails = () => ["gone", "slow", "busy"].includes(state.server);

// What is wrong, and the ways on

function showNotice(still) {
  const [headline, advice] = noticeWords(still);
  const notice = byId("notice");
  const isAsking = !state.refused && !serverFails() && state.camera === "starting";
  notice.hidden = !headline;
  byId("main").classList.toggle("alone", Boolean(headline) && !state.answer && !state.refused);
  notice.classList.toggle("over", still || state.camera === "live");
  byId("pair").hidden = locked || advice !== text("camera.insecure.help");
  byId("ways").hidden = isAsking;
  byId("other").hidden = locked;
  byId("dismiss").hidden = !state.refused;
  setText("headline", headline);
  setText("advice", advice);
}

/** Whether something is wrong that a person in front of the kiosk should read. */
export const isTroubled = () => !byId("notice").hidden;

function noticeWords(still) {
  if (state.refused) return faultWords(state.refused.code);
  if (still) return ["", ""];
  if (serverFails()) return [text(`server.${state.server}`), text(`server.${state.server}.help`)];
  if (state.camera !== "live") return [text(`camera.${state.camera}`), text(`camera.${state.camera}.help`)];
  return state.fault ? faultWords(state.fault) : ["", ""];
}

function showAbsent() {
  const values = { name: state.absent, other: displayName("") };
  setText("note", state.absent ? text("kiosk.absent", values) : "");
  byId("note").hidden = !state.absent;
}

// What the answer says

function showMaker(answer) {
  const made = answer && maker(answer);
  byId("maker").hidden = !made;
  byId("edge-said").hidden = !made?.edge;
  if (!made) return;
  byId("chip").dataset.source = made.source;
  setText("chip", makerWords(made));
  setText("edge-said", made.edge);
}

function showBars(predictions) {
  const bars = byId("bars");
  drawBars(bars, predictions);
  while (bars.scrollHeight > bars.clientHeight && bars.children.length > 1) bars.lastElementChild.remove();
}

let shownVerdict = "";

function showVerdict(answer) {
  const said = answer && inWords(answer);
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
    fitVerdict();
    speakSoon(said, words);
  }
}

/** Shrink words that are too long for their line; half as large they stand on two, and end in an ellipsis after that. */
export function fitVerdict() {
  const line = byId("verdict");
  line.style.fontSize = "";
  line.classList.remove("two-lines");
  const full = parseFloat(getComputedStyle(line).fontSize);
  const share = Math.min(1, line.clientWidth / line.scrollWidth);
  if (share < ONE_LINE) line.classList.add("two-lines");
  else if (share < 1) line.style.fontSize = `${full * share * 0.98}px`;
}

let speaking = 0;

function speakSoon(said, words) {
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    const detail = said?.score || said?.perhaps;
    byId("spoken").textContent = detail ? text("kiosk.spoken", { label: words, score: detail }) : words;
  }, SPEAK_AFTER_MS);
}

// How fast it goes

const rate = { count: 0, since: performance.now() };

export const countAnswer = () => (rate.count += 1);

export function showRate() {
  const seconds = (performance.now() - rate.since) / 1000;
  const perSecond = rate.count / seconds;
  Object.assign(rate, { count: 0, since: performance.now() });
  const stages = state.answer?.timing_ms;
  const ms = stages ? Math.round(Object.values(stages).reduce((sum, one) => sum + one, 0)) : 0;
  const shown = perSecond >= 0.5 && stages && !state.still;
  byId("rate").textContent = shown ? text("kiosk.rate", { rate: Math.round(perSecond), ms }) : "";
}
