import assert from "node:assert/strict";
import { test } from "node:test";

import { bareBrowser, load } from "./browser.mjs";
import { make } from "./elements.mjs";

const browser = bareBrowser();
const { colour, contain, drawBars, drawAnswer, groups, named } = await load("drawing.js");
const SQUARE = { width: 100, height: 100 };
const TOP_LEFT = { x_min: 0.1, y_min: 0.3, x_max: 0.35, y_max: 0.9 };

function seen(label, box = TOP_LEFT, score = 0.5, index = 7) {
  return { label, index, score, ...(box && { box }) };
}

/** Draw on a canvas of that size; its pen. */
function draw([width, height], image, predictions, options) {
  const canvas = Object.assign(make("canvas"), { clientWidth: width, clientHeight: height });
  drawAnswer(canvas, { image, predictions }, options);
  return canvas.pen;
}

function assertAt(stroke, x, y, width, height) {
  const found = [stroke.x, stroke.y, stroke.width, stroke.height];
  [x, y, width, height].forEach((wanted, at) => {
    assert.ok(Math.abs(found[at] - wanted) < 0.001, `${found} is not at ${[x, y, width, height]}`);
  });
}

const places = [
  ["a picture of the canvas's shape", [400, 400], SQUARE, [40, 120, 100, 240]],
  ["a picture that is enlarged", [1000, 1000], SQUARE, [100, 300, 250, 600]],
  ["a picture that is made smaller", [200, 100], { width: 4000, height: 2000 }, [20, 30, 50, 60]],
  ["a wide picture, with space above and below", [400, 400], { width: 200, height: 100 }, [40, 160, 100, 120]],
  ["a tall picture, with space at its sides", [400, 400], { width: 100, height: 200 }, [120, 120, 50, 240]],
  ["a wide canvas", [800, 400], SQUARE, [240, 120, 100, 240]],
  ["a tall canvas", [400, 800], SQUARE, [40, 320, 100, 240]],
];
for (const [what, canvas, image, place] of places) {
  test(`the box lies where the object is: ${what}`, () => {
    const [box] = draw(canvas, image, [seen("cat")]).seen("box");
    assertAt(box, ...place);
  });

  test(`the box of a mirrored picture lies on the other side, as high and as large: ${what}`, () => {
    const [x, y, width, height] = place;
    const [box] = draw(canvas, image, [seen("cat")], { mirror: true }).seen("box");
    assertAt(box, canvas[0] - x - width, y, width, height);
  });
}

test("a picture lies whole and in the middle of its space", () => {
  assert.deepEqual(contain(200, 100, 400, 400), { left: 0, top: 100, width: 400, height: 200 });
  assert.deepEqual(contain(100, 200, 400, 400), { left: 100, top: 0, width: 200, height: 400 });
  assert.deepEqual(contain(640, 480, 640, 480), { left: 0, top: 0, width: 640, height: 480 });
});

test("a screen of finer pixels gets a canvas of as many, and places stay as they are in its own", () => {
  browser.ratio = 2.5;
  try {
    const canvas = Object.assign(make("canvas"), { clientWidth: 401, clientHeight: 200 });
    drawAnswer(canvas, { image: { width: 401, height: 200 }, predictions: [seen("cat")] });
    assert.deepEqual([canvas.width, canvas.height], [1003, 500]);
    const [box] = canvas.pen.seen("box");
    assert.deepEqual(box.scale, [2.5, 0, 0, 2.5, 0, 0]);
    assertAt(box, 40.1, 60, 100.25, 120);
  } finally {
    browser.ratio = 1;
  }
});

test("boxes of the last answer are gone when another is drawn, and when there is none", () => {
  const canvas = Object.assign(make("canvas"), { clientWidth: 300, clientHeight: 200 });
  const image = { width: 300, height: 200 };
  const answers = [
    { image, predictions: [seen("cat"), seen("dog")] },
    { image, predictions: [seen("cup")] },
    { image, predictions: [seen("cat", null)] },
    { image, predictions: [] },
    null,
    undefined,
  ];
  const counts = answers.map((answer) => {
    drawAnswer(canvas, answer);
    const cleared = canvas.pen.strokes.filter((one) => one.what === "clear").at(-1);
    assertAt(cleared, 0, 0, 300, 200);
    return canvas.pen.seen("box").length;
  });
  assert.deepEqual(counts, [2, 1, 0, 0, 0, 0]);
});

test("a canvas that has its size keeps it: setting it would wipe and flicker", () => {
  let set = 0;
  const canvas = Object.assign(make("canvas"), { clientWidth: 300, clientHeight: 200 });
  drawAnswer(canvas, null);
  for (const side of ["width", "height"]) {
    const value = canvas[side];
    Object.defineProperty(canvas, side, { get: () => value, set: () => (set += 1) });
  }
  drawAnswer(canvas, null);
  assert.equal(set, 0);
});

test("the best is drawn last, so that it lies on top", () => {
  const pen = draw([400, 400], SQUARE, [3, 2, 1].map((index) => seen("cat", TOP_LEFT, 0.5, index)));
  assert.deepEqual(pen.seen("box").map((one) => one.stroke), [1, 2, 3].map((index) => colour(index).fill));
});

test("what has no box gets none, beside one that has", () => {
  const pen = draw([400, 400], SQUARE, [seen("nowhere", null), seen("here")]);
  assert.deepEqual(pen.seen("words").map((one) => one.of), ["here 50%"]);
});

test("a caption stands above its box, in a patch that holds it", () => {
  const pen = draw([400, 400], SQUARE, [seen("cat", TOP_LEFT, 0.953)]);
  const [[box], [patch], [words]] = [pen.seen("box"), pen.seen("caption"), pen.seen("words")];
  assert.equal(words.of, "cat 95%");
  assert.ok(Math.abs(patch.y + patch.height - box.y) < 0.001, "it ends where the box begins");
  assert.ok(Math.abs(patch.x - (box.x - box.line / 2)) < 0.001, "it begins with the box's line");
  assert.ok(words.x > patch.x && words.y > patch.y && words.y < patch.y + patch.height);
  const size = parseFloat(words.font.match(/([\d.]+)px/)[1]);
  const after = patch.x + patch.width - (words.x + (words.of.length * size) / 2);
  assert.ok(after > 0 && Math.abs(after - (words.x - patch.x)) < 0.001, "as much before the words as after them");
  assert.ok(after < size, "the patch is no wider than its words need");
  assert.ok(Math.abs(words.y - (patch.y + patch.height / 2)) < size / 10, "they stand in its middle");
  assert.ok(patch.height > size * 1.2 && patch.height < size * 2);
});

test("the caption of a box at the top stands inside it, where it is seen", () => {
  const pen = draw([400, 400], { width: 200, height: 100 }, [seen("cat", { ...TOP_LEFT, y_min: 0.02 })]);
  const [[box], [patch]] = [pen.seen("box"), pen.seen("caption")];
  assert.equal(patch.y, box.y);
});

for (const mirror of [false, true]) {
  test(`captions stay within the picture at its left and right${mirror ? ", mirrored too" : ""}`, () => {
    for (const image of [SQUARE, { width: 50, height: 100 }]) {
      const { left, width } = contain(image.width, image.height, 400, 400);
      for (const [x_min, x_max] of [[0, 0.05], [0.95, 1], [0.5, 0.55]]) {
        const box = { x_min, x_max, y_min: 0.5, y_max: 0.6 };
        const [patch] = draw([400, 400], image, [seen("a cat", box)], { mirror }).seen("caption");
        assert.ok(patch.x >= left, `begins at ${patch.x}`);
        assert.ok(patch.x + patch.width <= left + width + 0.001, `ends at ${patch.x + patch.width}`);
      }
    }
  });
}

test("a caption that is too long for the picture is shortened before its score, and stays within", () => {
  for (const label of ["cat ".repeat(60), "c".repeat(5000)]) {
    const pen = draw([400, 400], SQUARE, [seen(label)]);
    const [[patch], [words]] = [pen.seen("caption"), pen.seen("words")];
    assert.ok(patch.x >= 0 && patch.x + patch.width <= 400.001);
    assert.match(words.of, /^c.*[^ ]… 50%$/);
    assert.ok(patch.width > 400 * 0.8, "it is shortened to what fits, not more");
  }
});

test("captions of objects in one place cover none of each other; the best have one, and what finds no place is left out", () => {
  const many = Array.from({ length: 30 }, (_, at) => seen(`cat ${at}`, TOP_LEFT, 1 - at / 30));
  const pen = draw([400, 400], SQUARE, many);
  const patches = pen.seen("caption");
  assert.equal(pen.seen("box").length, 30);
  assert.ok(patches.length >= 3 && patches.length <= 6, `${patches.length}`);
  patches.forEach((one, at) => {
    for (const other of patches.slice(at + 1)) {
      const across = one.x < other.x + other.width && other.x < one.x + one.width;
      assert.ok(!(across && one.y < other.y + other.height && other.y < one.y + one.height));
    }
  });
  assert.equal(pen.seen("words")[0].of, "cat 0 100%");
});

test("lines and letters grow with the picture, between limits", () => {
  const sizes = [100, 2000].map((side) => {
    const [box] = draw([side, side], SQUARE, [seen("cat")]).seen("box");
    return [box.line, box.font.match(/([\d.]+)px/)[1]];
  });
  assert.deepEqual(sizes, [[3, "14"], [2000 / 120, "30"]]);
  const [box] = draw([2000, 120 * 4], { width: 2000, height: 480 }, [seen("cat")]).seen("box");
  assert.equal(box.line, 4);
});

test("a box and its caption have the colour of their class, and ink that can be read on it", () => {
  const pen = draw([400, 400], SQUARE, [seen("cat", TOP_LEFT, 0.5, 3)]);
  const { fill, ink } = colour(3);
  assert.equal(pen.seen("box")[0].stroke, fill);
  assert.equal(pen.seen("caption")[0].fill, fill);
  assert.equal(pen.seen("words")[0].fill, ink);
});

/** The hue of `#rrggbb`, 0..360. */
function hue(fill) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(fill.slice(at, at + 2), 16));
  const [most, least] = [Math.max(red, green, blue), Math.min(red, green, blue)];
  const sixth = most === red ? (green - blue) / (most - least) : most === green ? 2 + (blue - red) / (most - least) : 4 + (red - green) / (most - least);
  return (sixth * 60 + 360) % 360;
}

test("neighbouring classes have hues far apart, also where the palette begins again", () => {
  for (let index = 0; index < 200; index += 1) {
    const apart = Math.abs(hue(colour(index).fill) - hue(colour(index + 1).fill));
    assert.ok(Math.min(apart, 360 - apart) > 60, `${index}: ${apart}`);
  }
});

test("predictions of one label are one group, counted, with the best's score, best first", () => {
  const found = groups([seen("cup", TOP_LEFT, 0.9, 1), seen("cat", TOP_LEFT, 0.8, 2), seen("cup", TOP_LEFT, 0.7, 1), seen("cup", TOP_LEFT, 0.6, 1)]);
  assert.deepEqual(found.map(({ label, count, score }) => [label, count, score]), [["cup", 3, 0.9], ["cat", 1, 0.8]]);
  assert.deepEqual(found.map(named), ["3 × cup", "cat"]);
  assert.deepEqual(groups([]), []);
});

test("classes that share a name are two groups", () => {
  assert.deepEqual(groups([seen("crane", null, 0.5, 1), seen("crane", null, 0.4, 2)]).map((one) => one.count), [1, 1]);
});

test("grouping changes no prediction, so that an answer can be drawn again", () => {
  const predictions = [seen("cup"), seen("cup")];
  groups(predictions);
  assert.deepEqual(groups(predictions).map((one) => one.count), [2]);
  assert.equal("count" in predictions[0], false);
});

const rows = (list) =>
  list.children.map((row) => {
    const [label, score, track] = row.children;
    return [label.textContent, score.textContent, track.children[0].style.width];
  });

test("bars show labels, scores and lengths, best first, five at most", () => {
  const list = make("ol");
  const scores = [0.9, 0.453, 0.3, 0.2, 0.1, 0.05];
  drawBars(list, scores.map((score, index) => seen(`label ${index}`, null, score, index)));
  assert.deepEqual(rows(list), [
    ["label 0", "90%", "90%"],
    ["label 1", "45%", "45%"],
    ["label 2", "30%", "30%"],
    ["label 3", "20%", "20%"],
    ["label 4", "10%", "10%"],
  ]);
});

test("bars are those of the latest answer: rows stay, say anew what they say, and go when they are too many", () => {
  const list = make("ol");
  drawBars(list, [seen("cat", null, 0.9, 1), seen("dog", null, 0.8, 2), seen("cup", null, 0.7, 3)]);
  const [first] = list.children;
  drawBars(list, [seen("cup", null, 0.6, 3), seen("cup", null, 0.5, 3)]);
  assert.deepEqual(rows(list), [["2 × cup", "", "60%"]]);
  assert.ok(list.children[0] === first);
  drawBars(list, []);
  assert.equal(list.children.length, 0);
});

test("bars have the colours of the boxes where there are boxes, and none of an answer before", () => {
  const list = make("ol");
  const paint = () => list.children[0].children[2].children[0].style.backgroundColor;
  drawBars(list, [seen("cat", TOP_LEFT, 0.9, 4)]);
  assert.equal(paint(), colour(4).fill);
  drawBars(list, [seen("cat", null, 0.9, 4)]);
  assert.equal(paint(), "");
});

test("a label is text, whatever it looks like", () => {
  const list = make("ol");
  const words = "<img src=x onerror=alert(1)>";
  drawBars(list, [seen(words)]);
  assert.equal(rows(list)[0][0], words);
  assert.equal(list.all("img").length, 0);
  assert.equal(draw([400, 400], SQUARE, [seen(words)]).seen("words")[0].of, `${words} 50%`);
});
