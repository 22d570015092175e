// An answer in words, the same on every page: an unsure one looks unsure.

import { groups, named } from "./drawing.js";
import { percent, text } from "./page.js";

const MAX_SAID = 2; // of what the edge found, where the online model answered

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
    const words = text(answer.unlike_training ? "answer.unlike" : "answer.unsure");
    return { words, score: "", perhaps, unsure };
  }
  const score = best.count > 1 ? "" : percent(best.score); // a count would borrow the best one's score
  return { words: named(best), score, perhaps: "", unsure };
}

/**
 * Who made an answer: its `source`, the milliseconds that side took (null if it does not say), and, where the online
 * model's answer replaces the edge's, what the `edge` said.
 */
export function maker(answer) {
  const { source = "edge", edge, cloud, timing_ms: stages } = answer;
  if (source !== "cloud") return { source, ms: stages ? sum(stages) : null, edge: "" };
  const found = edge && groups(edge.predictions).map((one) => (one.count > 1 ? named(one) : `${named(one)} ${percent(one.score)}`));
  const said = found && (found.slice(0, MAX_SAID).join(", ") || text("kiosk.nothing"));
  return { source, ms: cloud?.latency_ms ?? null, edge: said ? text("answer.edge_said", { words: said }) : "" };
}

/** The same in words: "Edge, 12 ms". */
export function makerWords({ source, ms }) {
  const name = text(`wall.source.${source}`);
  return ms === null ? name : `${name}, ${text("wall.ms", { ms: Math.round(ms) })}`;
}

const sum = (stages) => Object.values(stages).reduce((total, one) => total + one, 0);
