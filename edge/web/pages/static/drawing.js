// Draws answers: boxes and heat over a picture, and bars, for all pages.

import { placeCaptions } from "./captions.js";
import { layHeat } from "./heat.js";
import { element, percent } from "./page.js";
import { PALETTE } from "./palette.js";

const CAPTION_HEIGHT = 1.5; // of the letters' size
const CAPTION_MARGIN = 0.4;
const MAX_LETTERS = 200; // of a label; more fit on no picture that is looked at

/** The colour of a class, and a readable ink on it. */
export function colour(index) {
  const [fill, ink] = PALETTE[index % PALETTE.length];
  return { fill, ink };
}

/** Group predictions by class: each group has the best one and a count; best first. */
export function groups(predictions) {
  const found = new Map();
  for (const one of predictions) {
    const group = found.get(one.index);
    if (group) group.count += 1;
    else found.set(one.index, { ...one, count: 1 });
  }
  return [...found.values()];
}

/** A group in words: "cup", or "2 × cup". */
export function named(group) {
  return group.count > 1 ? `${group.count} × ${group.label}` : group.label;
}

/** Placement of a picture that is fitted into a space and centred: left, top, width, height. */
export function contain(width, height, spaceWidth, spaceHeight) {
  const scale = Math.min(spaceWidth / width, spaceHeight / height);
  const [w, h] = [width * scale, height * scale];
  return { left: (spaceWidth - w) / 2, top: (spaceHeight - h) / 2, width: w, height: h };
}

/** Draw an answer on a canvas over its picture: its heat map, its boxes, and as many captions as find a place. */
export function drawAnswer(canvas, answer, { mirror = false } = {}) {
  const ratio = window.devicePixelRatio || 1;
  const [spaceWidth, spaceHeight] = [canvas.clientWidth, canvas.clientHeight];
  const [width, height] = [Math.round(spaceWidth * ratio), Math.round(spaceHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, spaceWidth, spaceHeight);
  if (!answer) return;
  const place = contain(answer.image.width, answer.image.height, spaceWidth, spaceHeight);
  layHeat(pen, answer, place, mirror);
  const boxed = answer.predictions.filter((one) => one.box);
  if (boxed.length) drawBoxes(pen, boxed, place, mirror);
}

function drawBoxes(pen, boxed, place, mirror) {
  const line = Math.max(3, Math.min(place.width, place.height) / 120);
  const size = Math.max(14, Math.min(30, place.height / 18));
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  pen.lineWidth = line;
  const boxes = boxed.map((one) => {
    const boxWidth = (one.box.x_max - one.box.x_min) * place.width;
    const boxHeight = (one.box.y_max - one.box.y_min) * place.height;
    const start = mirror ? 1 - one.box.x_max : one.box.x_min;
    const [left, top] = [place.left + start * place.width, place.top + one.box.y_min * place.height];
    return { left, top, width: boxWidth, height: boxHeight };
  });
  for (let at = boxed.length - 1; at >= 0; at -= 1) { // the best one last, on top of the others
    pen.strokeStyle = colour(boxed[at].index).fill;
    pen.strokeRect(boxes[at].left, boxes[at].top, boxes[at].width, boxes[at].height);
  }
  drawCaptions(pen, boxed, boxes, { place, line, size });
}

function drawCaptions(pen, predictions, boxes, { place, line, size }) {
  const margin = size * CAPTION_MARGIN;
  const texts = predictions.map((one) => shortened(pen, one, place.width - 2 * margin));
  const captions = texts.map((words, at) => {
    const { left, top, width, height } = boxes[at];
    const box = { left: left - line / 2, top, right: left + width + line / 2, bottom: top + height };
    return { box, width: pen.measureText(words).width + 2 * margin, height: size * CAPTION_HEIGHT };
  });
  const area = { left: place.left, top: place.top, right: place.left + place.width, bottom: place.top + place.height };
  placeCaptions(captions, area).forEach((patch, at) => {
    if (!patch) return;
    const { fill, ink } = colour(predictions[at].index);
    pen.fillStyle = fill;
    pen.fillRect(patch.left, patch.top, patch.right - patch.left, patch.bottom - patch.top);
    pen.fillStyle = ink;
    pen.fillText(texts[at], patch.left + margin, patch.top + size * 0.78);
  });
}

/** Label and score; of a label that is too long for the picture, as much of its beginning as fits before the score. */
function shortened(pen, { label, score }, width) {
  const end = ` ${percent(score)}`;
  if (pen.measureText(label + end).width <= width) return label + end;
  const letters = [...label].slice(0, MAX_LETTERS);
  const first = (count) => `${letters.slice(0, count).join("").trimEnd()}…${end}`;
  let [fits, tooMany] = [1, letters.length + 1]; // a label is asked about for every frame: it is halved, not peeled
  while (tooMany - fits > 1) {
    const middle = Math.floor((fits + tooMany) / 2);
    if (pen.measureText(first(middle)).width <= width) fits = middle;
    else tooMany = middle;
  }
  return first(fits);
}

/** Fill a list with a bar per label, best first; rows are reused, so that nothing flickers. */
export function drawBars(list, predictions, maxBars = 5) {
  const shown = groups(predictions).slice(0, maxBars);
  while (list.children.length > shown.length) list.lastElementChild.remove();
  shown.forEach((group, place) => {
    let row = list.children[place];
    if (!row) {
      row = element("li", "result");
      const track = element("span", "track");
      track.append(element("span", "fill"));
      row.append(element("span", "label"), element("span", "score"), track);
      list.append(row);
    }
    const [label, score, track] = row.children;
    label.textContent = named(group);
    score.textContent = group.count > 1 ? "" : percent(group.score); // a count would borrow the best one's
    track.firstElementChild.style.width = `${Math.round(group.score * 100)}%`;
    track.firstElementChild.style.backgroundColor = group.box ? colour(group.index).fill : "";
  });
}
