// Draws predictions as boxes and bars, for the kiosk, the wall and the phone.

import { element, percent } from "./page.js";

const GOLDEN_RATIO = 0.618034; // steps of it spread hues evenly over any number of classes

/** The colour of a class, and a readable ink on it. */
export function colour(index) {
  const hue = Math.round(((index * GOLDEN_RATIO) % 1) * 360);
  const light = hue > 40 && hue < 200; // yellow to cyan are light colours
  return light
    ? { fill: `hsl(${hue} 85% 55%)`, ink: "#0b0e12" }
    : { fill: `hsl(${hue} 75% 48%)`, ink: "#ffffff" };
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

/** Draw the boxes of an answer on a canvas over the picture. */
export function drawBoxes(canvas, answer, { mirror = false } = {}) {
  const ratio = window.devicePixelRatio || 1;
  const [spaceWidth, spaceHeight] = [canvas.clientWidth, canvas.clientHeight];
  const [width, height] = [Math.round(spaceWidth * ratio), Math.round(spaceHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, spaceWidth, spaceHeight);
  const boxed = answer?.predictions?.filter((one) => one.box) ?? [];
  if (!boxed.length) return;
  const place = contain(answer.image.width, answer.image.height, spaceWidth, spaceHeight);
  const line = Math.max(3, Math.min(place.width, place.height) / 120);
  const size = Math.max(14, Math.min(30, place.height / 18));
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  pen.lineWidth = line;
  for (const one of boxed.toReversed?.() ?? [...boxed].reverse()) {
    const { fill, ink } = colour(one.index);
    const boxWidth = (one.box.x_max - one.box.x_min) * place.width;
    const boxHeight = (one.box.y_max - one.box.y_min) * place.height;
    const start = mirror ? 1 - one.box.x_max : one.box.x_min;
    const [x, y] = [place.left + start * place.width, place.top + one.box.y_min * place.height];
    pen.strokeStyle = fill;
    pen.strokeRect(x, y, boxWidth, boxHeight);
    const words = `${one.label} ${percent(one.score)}`;
    const captionWidth = pen.measureText(words).width + size * 0.8;
    const captionX = Math.max(place.left, Math.min(x - line / 2, place.left + place.width - captionWidth));
    const captionY = y - size * 1.5 < place.top ? y : y - size * 1.5;
    pen.fillStyle = fill;
    pen.fillRect(captionX, captionY, captionWidth, size * 1.5);
    pen.fillStyle = ink;
    pen.fillText(words, captionX + size * 0.4, captionY + size * 0.78);
  }
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
