import assert from "node:assert/strict";
import { test } from "node:test";

import { bareBrowser, load } from "./browser.mjs";

bareBrowser();
const { faultWords } = await load("faults.js");
const { TEXTS } = await load("texts.js");

const cases = {
  "The service refused the picture": [
    "unsupported_image", "corrupt_image", "image_too_large", "image_too_complex", "body_too_large", "body_timeout",
    "model_not_found", "inference_failed", "internal", "bad_request", "a code of tomorrow", undefined, "constructor",
  ],
  "The service is busy": ["overloaded", "out_of_memory", "deadline_exceeded", "shutting_down", "too_many_connections", "unavailable"],
  "The model is loading": ["model_unavailable"],
  "The service cannot be reached": ["gone"],
  "The picture needs a valid key": ["key_missing", "key_expired", "key_forbidden"],
};
for (const [headline, codes] of Object.entries(cases)) {
  test(`${headline}: ${codes.join(", ")}`, () => {
    for (const code of codes) {
      const [head, advice] = faultWords(code);
      assert.equal(head, headline);
      assert.ok(Object.values(TEXTS.en).includes(advice), `${code}: ${advice}`);
    }
  });
}

test("each fault of a picture has advice of its own", () => {
  const advice = ["unsupported_image", "corrupt_image", "image_too_large", "image_too_complex", "body_too_large", "body_timeout"].map((code) => faultWords(code)[1]);
  assert.equal(new Set(advice).size, advice.length);
});
