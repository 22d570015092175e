import assert from "node:assert/strict";
import { test } from "node:test";

import { openPage } from "./browser.mjs";

const BOX = { x_min: 0.1, y_min: 0.1, x_max: 0.5, y_max: 0.5 };
const seen = (label, score) => ({ label, index: label.charCodeAt(1) + label.length, score, box: BOX });
const ANSWER = {
  image: { width: 300, height: 200 },
  certain: true,
  source: "edge",
  model: { name: "objects", version: 1 },
  timing_ms: { infer: 4.2, decode: 1.1 },
  predictions: [seen("Cat", 0.8), seen("Cup", 0.3), seen("Table", 0.1)],
};
const MODELS = {
  default: "objects",
  refused: { broken: "it is cut off" },
  models: [
    {
      name: "objects",
      display_name: "Things",
      version: 1,
      state: "AVAILABLE",
      fault: null,
      task: "detection",
      labels: ["Cat", "Cup", "Table", "Dog", "Tree"],
      size_bytes: 5_550_000,
      score_threshold: 0.5,
      label_thresholds: { Cup: 0.2 },
    },
  ],
};

async function front(more = {}, search = "") {
  const replies = {
    "/models": MODELS,
    "/session": { keys: false, name: null, scopes: ["predict", "view", "admin"] },
    "/pair/info": { authority: null },
    "/predict": ANSWER,
    ...more,
  };
  const browser = await openPage("front", { search }, (opened) => Object.assign(opened.replies, replies));
  Object.assign(browser.byId("boxes"), { clientWidth: 300, clientHeight: 200 });
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate); // its first questions are answered
  return browser;
}

const choose = (browser) => browser.byId("file").fire("change", { target: { files: [{ name: "a" }], value: "a" } }).done;
const bars = (browser) => browser.byId("bars").children.map((row) => row.children[0].textContent);

test("a picture is asked about once with a low threshold; the model's own and its labels' hold until the slider moves", async () => {
  const browser = await front();
  await choose(browser);
  const asked = browser.fetched.filter((one) => one.pathname === "/predict");
  assert.deepEqual(asked[0].query, { camera: "front", threshold: "0.05", model: "objects" });
  assert.deepEqual(bars(browser), ["Cat", "Cup"]);
  assert.equal(browser.byId("threshold").value, "50");
  for (const [at, wanted] of [["9", ["Cat", "Cup", "Table"]], ["31", ["Cat"]], ["95", []]]) {
    browser.byId("threshold").value = at;
    browser.byId("threshold").fire("input");
    assert.deepEqual(bars(browser), wanted, at);
    assert.equal(browser.byId("boxes").pen.seen("box").length, wanted.length, at);
  }
  assert.equal(browser.byId("verdict").textContent, "Nothing recognised");
  assert.equal(browser.fetched.filter((one) => one.pathname === "/predict").length, 1);
});

test("a part is called good or anomaly by the threshold, which hides neither", async () => {
  const models = { ...MODELS, models: [{ ...MODELS.models[0], task: "anomaly", labels: ["good", "anomaly"], label_thresholds: {} }] };
  const answer = { ...ANSWER, task: "anomaly", predictions: [{ label: "anomaly", index: 1, score: 0.1 }] };
  const browser = await front({ "/models": models, "/predict": answer });
  await choose(browser);
  assert.deepEqual(bars(browser), ["good"]);
  const [asked] = browser.fetched.filter((one) => one.pathname === "/predict");
  assert.equal("threshold" in asked.query, false, "the wall shows the same answer: by the model's own threshold");
  for (const [at, wanted] of [["5", ["anomaly"]], ["95", ["good"]]]) {
    browser.byId("threshold").value = at;
    browser.byId("threshold").fire("input");
    assert.deepEqual(bars(browser), wanted, at);
  }
});

test("a picture that is refused is told in the page's words with two large buttons; another try asks again", async () => {
  const refusal = { status: 415, error: { code: "unsupported_image", message: "They start with 50 4b." } };
  const browser = await front({ "/predict": refusal });
  await choose(browser);
  assert.equal(browser.byId("fault").hidden, false);
  assert.match(browser.byId("fault-words").textContent, /^The service refused the picture\. .*not an image/);
  assert.doesNotMatch(browser.byId("fault").textContent, /50 4b/);
  assert.deepEqual([browser.byId("answer").hidden, browser.byId("invitation").hidden], [true, false]);
  browser.replies["/predict"] = ANSWER;
  await browser.byId("again").click().done;
  assert.deepEqual([browser.byId("fault").hidden, browser.byId("answer").hidden], [true, false]);
  const [first, second] = browser.fetched.filter((one) => one.pathname === "/predict");
  assert.equal(first.body, second.body);
});

test("a picture that is refused leaves the one before and its answer as they are", async () => {
  const browser = await front();
  await choose(browser);
  const { src } = browser.byId("picture");
  for (const reply of [{ status: 400, error: { code: "corrupt_image" } }, undefined]) {
    browser.replies["/predict"] = reply;
    await choose(browser);
    assert.equal(browser.byId("fault").hidden, false);
    assert.equal(browser.byId("picture").src, src);
    assert.ok(browser.urls.has(src));
    assert.equal(browser.byId("verdict").textContent, "Cat");
  }
  for (let turn = 0; turn < 5; turn += 1) {
    browser.replies["/predict"] = ANSWER;
    await choose(browser);
  }
  assert.equal(browser.urls.size, 1);
});

test("an answer of the online model says so, with its time and what the edge said; speeds are the edge's", async () => {
  const edge = { predictions: [seen("Dog", 0.4)], latency_ms: 5 };
  const browser = await front({ "/predict": { ...ANSWER, source: "cloud", edge, cloud: { latency_ms: 321 } } });
  await choose(browser);
  assert.equal(browser.byId("facts").textContent, "Cloud, 321 ms · edge said: Dog 40% · 300 × 200");
  assert.ok(browser.byId("models").textContent.includes("not tried here yet"));
});

test("people's words stand for labels, thresholds go by the labels, and it is said what becomes of pictures", async () => {
  const info = { default: "objects", models: { objects: { display_names: { en: { Cup: "Mug" } }, sends: true, keeps: false } } };
  const browser = await front({ "/page/info": info });
  await choose(browser);
  assert.deepEqual(bars(browser), ["Cat", "Mug"]);
  assert.match(browser.byId("privacy").textContent, /sent to an online model/);
  assert.equal(browser.byId("privacy").hidden, false);
});

test("an unsure answer looks unsure", async () => {
  const browser = await front({ "/predict": { ...ANSWER, certain: false } });
  await choose(browser);
  assert.equal(browser.byId("verdict").textContent, "Not sure");
  assert.equal(browser.byId("perhaps").textContent, "perhaps Cat 80%");
  assert.ok(browser.byId("verdict").classList.contains("unsure"));
});

test("a model that the address names and that is not there gives way to the default one", async () => {
  const browser = await front({}, "?model=gone");
  assert.equal(browser.byId("model").value, "objects");
  assert.equal(browser.byId("note").textContent, "There is no model “gone” here: Things answers.");
  assert.equal((await front({}, "?model=objects")).byId("note").hidden, true);
});

test("each model has a card, a refused one with its reason", async () => {
  const browser = await front();
  const [things, broken] = browser.byId("models").children.map((one) => one.textContent);
  for (const words of ["Things", "serves", "finds objects", "5: Cat, Cup, Table, Dog …", "50%"]) assert.ok(things.includes(words), words);
  assert.ok(broken.includes("it is cut off"));
});

test("the line for a terminal trusts this machine's authority and sends a key, where there are", async () => {
  const open = await front();
  assert.match(open.byId("command").textContent, /^curl -s \S+samples\/coffee.jpg \| curl --data-binary @- \S+predict$/);
  const locked = await front({
    "/session": { keys: true, name: "a", scopes: ["predict"] },
    "/pair/info": { authority: "AA:BB" },
  });
  const [trust, ask] = locked.byId("command").textContent.split("\n");
  assert.match(trust, /pair\/ca.crt \| openssl .* edge-ca.pem$/);
  assert.match(ask, /curl --cacert edge-ca.pem -H "X-API-Key: \$KEY" --data-binary/);
  const hidden = locked.document.querySelectorAll("[data-scope]").filter((one) => one.hidden);
  assert.deepEqual(hidden.map((one) => one.dataset.scope), ["view", "view"]);
});

test("only the answer to the last question is shown, whichever comes first", async () => {
  const browser = await front();
  let first;
  browser.replies["/predict"] = () => new Promise((done) => (first = done));
  const early = choose(browser);
  await new Promise(setImmediate);
  browser.replies["/predict"] = { ...ANSWER, predictions: [seen("Tree", 0.9)] };
  await choose(browser);
  first(ANSWER);
  await early;
  assert.equal(browser.byId("verdict").textContent, "Tree");
});
