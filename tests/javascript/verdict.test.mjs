import assert from "node:assert/strict";
import { test } from "node:test";

import { bareBrowser, load } from "./browser.mjs";

bareBrowser();
const { inWords } = await load("verdict.js");
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
for (const [what, certain, predictions, wanted] of cases) {
  test(`an answer in words: ${what}`, () => {
    const { words, score, perhaps, unsure } = inWords({ certain, predictions });
    assert.deepEqual([words, score, perhaps, unsure], wanted);
  });
}
