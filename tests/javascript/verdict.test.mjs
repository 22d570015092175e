import assert from "node:assert/strict";
import { test } from "node:test";

import { bareBrowser, load } from "./browser.mjs";

bareBrowser();
const { inWords, maker, makerWords } = await load("verdict.js");
const seen = (label, index, score) => ({ label, index, score });
const CAT = seen("Cat", 1, 0.86);

const cases = [
  ["sure of one", true, [CAT, seen("Dog", 2, 0.5)], ["Cat", "86%", "", false]],
  ["sure of several alike: no score is borrowed", true, [CAT, seen("Cat", 1, 0.7)], ["2 × Cat", "", "", false]],
  ["unsure", false, [CAT], ["Not sure", "", "perhaps Cat 86%", true]],
  ["nothing found", true, [], ["Nothing recognised", "", "", true]],
  ["nothing found, and unsure", false, [], ["Nothing recognised", "", "", true]],
  ["an answer that does not say", undefined, [CAT], ["Cat", "86%", "", false]],
];
test("an answer in words: unlike all that the model has learnt from", () => {
  const { words, perhaps, unsure } = inWords({ certain: false, unlike_training: true, predictions: [CAT] });
  assert.deepEqual([words, perhaps, unsure], ["Unknown", "perhaps Cat 86%", true]);
});

for (const [what, certain, predictions, wanted] of cases) {
  test(`an answer in words: ${what}`, () => {
    const { words, score, perhaps, unsure } = inWords({ certain, predictions });
    assert.deepEqual([words, score, perhaps, unsure], wanted);
  });
}

const stages = { decode: 1.5, infer: 20.7 };
const edge = { predictions: [CAT, seen("Cat", 1, 0.6), seen("Dog", 2, 0.5), seen("Fox", 3, 0.4)], latency_ms: 22 };
const makers = [
  ["the edge", { source: "edge", timing_ms: stages }, "Edge, 22 ms", ""],
  ["the edge, while the cloud is only compared", { source: "edge", timing_ms: stages, cloud: { latency_ms: 300 } }, "Edge, 22 ms", ""],
  ["the cloud", { source: "cloud", timing_ms: stages, cloud: { latency_ms: 210.4 }, edge }, "Cloud, 210 ms", "edge said: 2 × Cat, Dog 50%"],
  ["the cloud, where the edge found nothing", { source: "cloud", cloud: { latency_ms: 9 }, edge: { predictions: [] } }, "Cloud, 9 ms", "edge said: Nothing recognised"],
  ["the cloud, where the edge failed", { source: "cloud", timing_ms: { infer: 0 }, cloud: { latency_ms: 9 } }, "Cloud, 9 ms", ""],
  ["a service that does not say", {}, "Edge", ""],
];
for (const [who, answer, wanted, said] of makers) {
  test(`who answered: ${who}`, () => {
    const made = maker(answer);
    assert.deepEqual([makerWords(made), made.edge], [wanted, said]);
  });
}
