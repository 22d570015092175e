import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./browser.mjs";

const { placeCaptions } = await load("captions.js");
const AREA = { left: 0, top: 0, right: 100, bottom: 100 };
const BOX = { left: 20, top: 40, right: 70, bottom: 80 };
const caption = (box = BOX) => ({ box, width: 20, height: 10 });

test("the six places of a caption, in their order, and none for the seventh", () => {
  const places = placeCaptions(Array.from({ length: 7 }, () => caption()), AREA);
  const corners = places.map((one) => one && [one.left, one.top]);
  assert.deepEqual(corners, [[20, 30], [20, 40], [20, 80], [50, 30], [50, 40], [50, 80], null]);
});

test("what finds no place takes none from those after it", () => {
  const wide = { box: BOX, width: 20, height: 200 };
  const [none, place] = placeCaptions([wide, caption()], AREA);
  assert.equal(none, null);
  assert.deepEqual(place, { left: 20, top: 30, right: 40, bottom: 40 });
});

test("a caption is moved into the area sideways", () => {
  const [place] = placeCaptions([caption({ left: 95, top: 40, right: 99, bottom: 80 })], AREA);
  assert.deepEqual([place.left, place.right], [80, 100]);
});
