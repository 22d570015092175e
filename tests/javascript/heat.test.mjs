import assert from "node:assert/strict";
import { test } from "node:test";

import { bareBrowser, load } from "./browser.mjs";
import { make } from "./elements.mjs";

const browser = bareBrowser();
const { glow } = await load("heat.js");
const { drawAnswer } = await load("drawing.js");

const WHOLE = { x_min: 0, y_min: 0, x_max: 1, y_max: 1 };
const ROWS = [[0.1, 1], [0.3, 0.65], [0.29, 0.31]];

/** Draw an answer with a heat map on a canvas of 400 by 400, and look at what came: the pen, the grid's bytes. */
function draw({ region = WHOLE, image = { width: 200, height: 100 }, mirror = false, rows = ROWS, predictions = [] } = {}) {
  const canvas = Object.assign(make("canvas"), { clientWidth: 400, clientHeight: 400 });
  drawAnswer(canvas, { image, predictions, heat_map: rows, heat_region: region }, { mirror });
  const [laid] = canvas.pen.seen("picture");
  const grid = laid?.of.pen.strokes.at(-1);
  return { pen: canvas.pen, laid, grid };
}

const opacities = (bytes) => [...bytes].filter((_, at) => at % 4 === 3);

test("what is odd glows in one colour, the more the odder; what is good does not", () => {
  const bytes = glow([...ROWS, [null, 7]]);
  assert.deepEqual(opacities(bytes), [0, 165, 0, 82, 0, 2, 0, 165]);
  for (let at = 0; at < bytes.length; at += 4) assert.deepEqual([...bytes.slice(at, at + 3)], [255, 40, 0]);
});

test("a heat map has a pixel for each place, and lies over the whole picture where the model saw it whole", () => {
  const { laid, grid } = draw();
  assert.deepEqual([grid.width, grid.height], [2, 3]);
  assert.deepEqual(opacities(grid.of), opacities(glow(ROWS)));
  assert.deepEqual([laid.x, laid.y, laid.width, laid.height], [0, 100, 400, 200]);
});

test("it lies over the part that the model saw, on the other side and turned in a mirror", () => {
  const region = { x_min: 0.25, y_min: 0.5, x_max: 0.5, y_max: 1 };
  const plain = draw({ region }).laid;
  assert.deepEqual([plain.x, plain.y, plain.width, plain.height], [100, 200, 100, 100]);
  const { laid, grid } = draw({ region, mirror: true });
  assert.deepEqual([laid.x, laid.y, laid.width, laid.height], [200, 200, 100, 100]);
  assert.deepEqual(opacities(grid.of), opacities(glow(ROWS.map((row) => [...row].reverse()))));
});

test("the answer that is drawn is not changed, so that it can be drawn again", () => {
  const rows = ROWS.map((row) => Object.freeze([...row]));
  assert.deepEqual(draw({ rows, mirror: true }).grid.of, draw({ rows, mirror: true }).grid.of);
});

test("boxes lie on top of the heat", () => {
  const seen = { label: "dent", index: 1, score: 0.9, box: WHOLE };
  const order = draw({ predictions: [seen] }).pen.strokes.map((one) => one.what);
  assert.ok(order.indexOf("picture") < order.indexOf("box"));
});

test("an answer without a heat map, as an online model's, draws none, and lets go of the last one", () => {
  const canvas = Object.assign(make("canvas"), { clientWidth: 400, clientHeight: 400 });
  const answer = { image: { width: 4, height: 4 }, predictions: [] };
  drawAnswer(canvas, { ...answer, heat_map: ROWS, heat_region: WHOLE });
  assert.equal(canvas.pen.seen("picture").length, 1);
  drawAnswer(canvas, answer);
  assert.equal(canvas.pen.seen("picture").length, 0);
});

test("all heat maps share one small canvas: a frame a moment makes no garbage", () => {
  const before = browser.document.made.length;
  for (let frame = 0; frame < 5; frame += 1) draw();
  assert.ok(browser.document.made.length <= before + 1);
});
