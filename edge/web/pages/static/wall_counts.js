// Appearances in the last hour: a row for each label, on one scale and one axis of time.

import { labelWords } from "./model_info.js";
import { byId, element, language, text } from "./page.js";
import { chosenCamera } from "./wall_filters.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 40;
const STEP = 4; // per minute

let counts = null;

/** The counts of all cameras and of each. */
export function takeCounts(now) {
  counts = now;
  showCounts();
}

/** The labels that were counted. */
export const countedLabels = () => (counts?.labels ?? []).map((one) => one.label);

/** Show the counts of the chosen camera, or of all together. */
export function showCounts() {
  if (!counts) return;
  const chosen = chosenCamera();
  const { labels, others } = chosen ? (counts.cameras.find((one) => `=${one.camera}` === chosen) ?? { labels: [], others: 0 }) : counts;
  const highest = Math.max(1, ...labels.flatMap((one) => one.minutes));
  const list = byId("counts");
  const open = [...list.children].find((row) => row.dataset.minute);
  list.replaceChildren(...labels.map((one) => row(one, highest)));
  if (open) keepTip(open);
  if (labels.length) list.append(axis());
  byId("others").textContent = labels.length ? (others ? text("wall.counts.others", { count: write(others) }) : "") : text("wall.counts.none");
  byId("counted").textContent = text("wall.counts.rule", { seconds: counts.absent_s, highest: write(highest) });
}

const write = (number) => number.toLocaleString(language());

function row({ label, sum, minutes }, highest) {
  const words = labelWords(label);
  const made = element("li");
  made.dataset.label = label;
  const tip = element("span", "tip");
  tip.setAttribute("role", "tooltip");
  const plot = shape("svg", { viewBox: `0 0 ${minutes.length * STEP} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  plot.setAttribute("aria-label", text("wall.counts.of", { label: words, sum: write(sum), highest: write(Math.max(...minutes)) }));
  const before = Math.max(0, minutes.length - counts.up_min);
  if (before) plot.append(shape("rect", { class: "before", x: 0, y: 0, width: before * STEP, height: HEIGHT }));
  plot.append(shape("line", { x1: 0, x2: minutes.length * STEP, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }));
  minutes.forEach((count, at) => {
    const height = (count / highest) * (HEIGHT - 2);
    if (count) plot.append(shape("rect", { class: "minute", x: at * STEP + 0.5, y: HEIGHT - 1 - height, width: STEP - 1, height }));
  });
  const at = (event) => Math.max(0, Math.min(minutes.length - 1, Math.floor((event.offsetX / plot.clientWidth) * minutes.length)));
  plot.addEventListener("pointermove", (event) => showTip(made, tip, minutes, at(event), before));
  plot.addEventListener("pointerdown", (event) => showTip(made, tip, minutes, at(event), before));
  plot.addEventListener("pointerleave", () => hideTip(made, tip));
  made.append(element("span", "label", words), element("span", "sum", write(sum)), plot, tip);
  made.minutes = minutes;
  return made;
}

function showTip(made, tip, minutes, minute, before) {
  made.dataset.minute = minute;
  const ago = minutes.length - 1 - minute;
  const when = ago ? text("wall.counts.ago", { minutes: ago }) : text("wall.counts.now");
  tip.textContent = minute < before ? text("wall.counts.before", { when }) : text("wall.counts.at", { when, count: write(minutes[minute]) });
  tip.style.insetInlineStart = `${Math.round((minute / minutes.length) * 100)}%`;
  tip.classList.toggle("late", minute > minutes.length * 0.4);
}

function hideTip(made, tip) {
  delete made.dataset.minute;
  tip.textContent = "";
}

/** The tip that was open when the counts came, in the row that takes the place of its own. */
function keepTip(open) {
  const made = [...byId("counts").children].find((one) => one.dataset.label === open.dataset.label);
  if (!made) return;
  const before = Math.max(0, made.minutes.length - counts.up_min);
  showTip(made, made.lastElementChild, made.minutes, Number(open.dataset.minute), before);
}

function axis() {
  const made = element("li", "axis");
  made.setAttribute("aria-hidden", "true"); // each plot says the same in words
  const ticks = [text("wall.counts.tick", { minutes: 60 }), "-45", "-30", "-15", text("wall.counts.now")];
  made.append(...ticks.map((words) => element("span", "", words)));
  return made;
}

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
