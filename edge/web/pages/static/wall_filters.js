// The filters of the wall: which cameras it shows, and which answers pass.

import { labelWords } from "./model_info.js";
import { byId, element, keep, percent, setting, text } from "./page.js";
import { cameraName } from "./wall_answer.js";

const NAMES = ["camera", "label", "source", "score"];
const MAX_LABELS = 5; // of an answer that are offered

/** A camera as the filter has it; "" is a camera too: the unnamed one. */
export const cameraKey = (one) => `=${one.camera}`;

/** What a filter lets through; on a television all: it has no controls to turn one off again. */
const chosen = (name) => (document.body.classList.contains("tv") ? "" : byId(`filter-${name}`).value);

/** Which camera is chosen; empty for all. */
export const chosenCamera = () => chosen("camera");

/** Put on the filters as they were last time, and call `changed` whenever they are. */
export function listenToFilters(changed) {
  byId("filter-source").value = setting("source");
  byId("filter-score").value = setting("score", "0");
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("input", () => {
    for (const name of NAMES) keep(name, byId(`filter-${name}`).value.replace(/^0$/, ""));
    showFilters();
    changed();
  });
  byId("fold").addEventListener("click", () => {
    const open = byId("filters").classList.contains("open");
    byId("filters").classList.toggle("open", !open);
    byId("fold").setAttribute("aria-expanded", String(!open));
  });
}

/** Say the least score, and how many filters are on: they may be folded away. */
export function showFilters() {
  byId("score-shown").textContent = percent(Number(byId("filter-score").value) / 100);
  const on = NAMES.filter((name) => !["", "0"].includes(byId(`filter-${name}`).value)).length;
  byId("fold").textContent = on ? text("wall.filters.on", { count: on }) : text("wall.filters");
}

/** Whether an answer passes the filters. */
export function passes(answer, { anyCamera = false } = {}) {
  const [camera, label, source, score] = NAMES.map(chosen);
  if (camera && !anyCamera && cameraKey(answer) !== camera) return false;
  if (source && answer.source !== source) return false;
  const minScore = Number(score) / 100;
  if (!label && !minScore) return true;
  return answer.predictions.some((one) => (!label || one.label === label) && one.score >= minScore);
}

/** Offer what was seen: the cameras and labels of the answers, and the labels that were counted. */
export function offerFilters(names, answers, counted) {
  const cameras = new Map([...names, ...answers.map((one) => one.camera)].map((name) => [`=${name}`, cameraName(name)]));
  const labels = new Set(answers.flatMap((one) => one.predictions.slice(0, MAX_LABELS).map((each) => each.label)));
  for (const label of counted) labels.add(label);
  offer("camera", "wall.camera.all", [...cameras].sort(([, one], [, other]) => one.localeCompare(other, undefined, { numeric: true })));
  offer("label", "wall.label.all", [...labels].sort().map((one) => [one, labelWords(one)]));
  showFilters();
}

function offer(name, all, values) {
  const select = byId(`filter-${name}`);
  const kept = select.dataset.ready ? select.value : setting(name);
  if (kept && !values.some(([value]) => value === kept)) values.push([kept, kept.replace(/^=/, "")]);
  const wanted = [["", text(all)], ...values];
  const same = wanted.length === select.length && wanted.every(([value, words], at) => {
    return select.options[at].value === value && select.options[at].textContent === words;
  });
  if (!same) {
    select.replaceChildren(...wanted.map(([value, words]) => Object.assign(element("option", "", words), { value })));
  }
  select.value = kept;
  select.dataset.ready = "1";
}
