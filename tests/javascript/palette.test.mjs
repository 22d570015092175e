import assert from "node:assert/strict";
import { test } from "node:test";

import { bareBrowser, load } from "./browser.mjs";

bareBrowser();
const { PALETTE } = await load("palette.js");
const { colour } = await load("drawing.js");

/** Relative luminance of `#rrggbb` (WCAG 2.2). */
function luminance(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

test("the ink on every colour can be read: a contrast of 4.5 or more", () => {
  for (let index = 0; index < 1000; index += 1) {
    const { fill, ink } = colour(index);
    const [darker, lighter] = [luminance(fill), luminance(ink)].sort((one, other) => one - other);
    assert.ok((lighter + 0.05) / (darker + 0.05) >= 4.5, `${index}: ${fill} ${ink}`);
  }
});

test("the colours begin again after the last", () => {
  assert.deepEqual(colour(PALETTE.length + 3), colour(3));
});
