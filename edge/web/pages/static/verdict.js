// An answer in words, the same on every page: an unsure one looks unsure.

import { groups, named } from "./drawing.js";
import { percent, text } from "./page.js";

/**
 * What an answer says: `words` in large type; its `score`, empty where the words stand for several objects or are
 * unsure; and, if the model is unsure, what it is `perhaps`.
 */
export function inWords(answer) {
  const [best] = groups(answer.predictions);
  const unsure = answer.certain === false;
  if (!best) return { words: text("kiosk.nothing"), score: "", perhaps: "", unsure: true };
  if (unsure) {
    const perhaps = text("answer.perhaps", { label: named(best), score: percent(best.score) });
    return { words: text("answer.unsure"), score: "", perhaps, unsure };
  }
  const score = best.count > 1 ? "" : percent(best.score); // a count would borrow the best one's score
  return { words: named(best), score, perhaps: "", unsure };
}
