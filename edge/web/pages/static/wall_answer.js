// What tiles, cards and the large view say of a camera and an answer.

import { groups, named } from "./drawing.js";
import { worded } from "./model_info.js";
import { element, percent, text } from "./page.js";
import { inWords, maker } from "./verdict.js";

/** A camera's name as people read it. */
export function cameraName(name) {
  if (name === "phone") return text("wall.camera.phone");
  return name || text("wall.camera.unnamed");
}

/** What an answer says: words in large type, with their score; `best` says so in an element. */
export function fillBest(best, answer) {
  const { words, score, unsure } = inWords(worded(answer));
  best.replaceChildren(element("span", "words", words));
  if (score) best.append(element("span", "score", score));
  best.classList.toggle("unsure", unsure);
}

/** What else it says: what an unsure answer is perhaps, and the next labels. */
export function alsoSeen(answer) {
  const shown = worded(answer);
  const others = groups(shown.predictions).slice(1, 4);
  const words = others.map((one) => (one.count > 1 ? named(one) : `${named(one)} ${percent(one.score)}`));
  return [inWords(shown).perhaps, ...words].filter(Boolean).join(" · ");
}

/** All labels of an answer in words. */
export function allLabels(answer) {
  return groups(worded(answer).predictions).map(named).join(", ") || text("wall.nothing");
}

/** Milliseconds that the side which answered took. */
export function milliseconds(answer) {
  const { ms } = maker(answer);
  return ms === null ? "" : text("wall.ms", { ms: ms.toFixed(1) });
}

/** What the edge said, where the online model's answer is shown. */
export const edgeSaid = (answer) => maker(worded(answer)).edge;

/** The time of a frame, as a clock shows it here. */
export function timeOf(answer) {
  return new Date(answer.at * 1000).toLocaleTimeString(document.documentElement.lang);
}

/** The picture of a frame, which is named for those who do not see it. */
export function pictureOf(answer) {
  const image = element("img");
  image.alt = text("wall.picture", { camera: cameraName(answer.camera), labels: allLabels(answer) });
  image.src = `wall/pictures/${answer.number}.jpg`;
  return image;
}

/** A canvas for the boxes over a picture; screen readers have the picture's text. */
export function boxesOver() {
  const boxes = element("canvas");
  boxes.setAttribute("aria-hidden", "true");
  return boxes;
}
