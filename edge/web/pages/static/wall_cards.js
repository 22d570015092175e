// The feed: a card for each change of a camera's answer, the latest first.

import { drawAnswer } from "./drawing.js";
import { worded } from "./model_info.js";
import { byId, element, text } from "./page.js";
import { alsoSeen, boxesOver, cameraName, fillBest, milliseconds, pictureOf, timeOf } from "./wall_answer.js";
import { passes } from "./wall_filters.js";

const MAX_CARDS = 48;

const entries = new Map(); // answers by number, oldest first
let openLarge = () => {};

/** Connect the cards: `open` is called with the answer of one that is clicked. */
export function listenToCards(open) {
  openLarge = open;
}

/** Add changes, oldest first. */
export function takeEntries(answers) {
  for (const answer of answers) entries.set(answer.number, answer);
  while (entries.size > MAX_CARDS * 8) entries.delete(entries.keys().next().value);
  showCards();
}

/** Let go of all of them. */
export function clearCards() {
  entries.clear();
  showCards();
}

/** The answers in the feed. */
export const cardAnswers = () => [...entries.values()];

/** Make all cards again: in another language or size. */
export function remakeCards() {
  byId("cards").replaceChildren();
  showCards();
}

/** Show the latest that pass the filters; cards that stay are not made again. */
export function showCards() {
  const list = byId("cards");
  if (byId("feed-panel").hidden) return;
  const wanted = [...entries.values()].filter((one) => passes(one)).slice(-MAX_CARDS).reverse();
  const there = new Map([...list.children].map((card) => [Number(card.dataset.number), card]));
  const cards = wanted.map((answer) => there.get(answer.number) ?? newCard(answer));
  if (!cards.length) cards.push(blank());
  for (const card of [...list.children]) if (!cards.includes(card)) card.remove();
  cards.forEach((card, place) => {
    if (list.children[place] !== card) list.insertBefore(card, list.children[place] ?? null);
  });
}

function newCard(answer) {
  const card = element("button", "card new");
  card.type = "button";
  card.dataset.number = answer.number;
  card.addEventListener("click", () => openLarge(answer));
  const picture = element("span", "picture");
  if (answer.picture) {
    const image = pictureOf(answer);
    image.addEventListener("error", () => image.remove());
    picture.append(image);
  }
  const boxes = boxesOver();
  picture.append(boxes);
  const best = element("span", "best");
  fillBest(best, answer);
  const origin = element("span", "origin");
  origin.append(element("span", "camera", cameraName(answer.camera)), element("time", "", timeOf(answer)));
  const maker = element("span", "origin");
  maker.append(
    element("span", "", text("wall.model", answer.model)),
    element("span", "", text(`wall.source.${answer.source}`)),
    element("span", "", milliseconds(answer)),
  );
  const facts = element("span", "facts");
  facts.append(best, element("span", "more", alsoSeen(answer)), origin, maker);
  card.append(picture, facts);
  requestAnimationFrame(() => drawAnswer(boxes, worded(answer)));
  return card;
}

function blank() {
  const box = element("div", "blank");
  box.append(element("p", "headline", text(entries.size ? "wall.filtered" : "wall.unchanged")));
  return box;
}
