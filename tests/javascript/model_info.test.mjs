import assert from "node:assert/strict";
import { test } from "node:test";

import { bareBrowser, load } from "./browser.mjs";

const INFO = {
  default: "objects",
  models: {
    objects: { display_names: { en: { Cat: "House cat", Cup: "Mug" }, fr: { Cat: "Chat" } }, sends: true, keeps: false },
    both: { display_names: {}, sends: true, keeps: true },
    kept: { display_names: {}, sends: false, keeps: true },
    plain: { display_names: {}, sends: false, keeps: false },
  },
};

async function modelInfo(search = "", info = INFO) {
  const browser = bareBrowser({ search });
  browser.replies["/page/info"] = info;
  const module = await load("model_info.js");
  await module.learnModels();
  return { browser, ...module };
}

const seen = (label) => ({ label, index: 1, score: 0.5 });
const labels = (predictions) => predictions.map((one) => one.label);
const answer = (name, ...found) => ({ model: { name }, predictions: found.map(seen) });

test("words stand for labels in the page's language, else in English, else the label stands", async () => {
  const english = await modelInfo("?lang=en");
  assert.deepEqual(labels(english.worded(answer("objects", "Cat", "Cup", "Dog")).predictions), ["House cat", "Mug", "Dog"]);
  const french = await modelInfo("?lang=fr");
  assert.deepEqual(labels(french.worded(answer("objects", "Cat", "Cup", "Dog")).predictions), ["Chat", "Mug", "Dog"]);
});

test("what the edge said behind a cloud's answer gets its words too, and the answer itself stays as it came", async () => {
  const { worded } = await modelInfo();
  const came = { ...answer("objects", "Cat"), edge: { predictions: [seen("Cup")], latency_ms: 3 } };
  const shown = worded(came);
  assert.deepEqual([labels(shown.edge.predictions), shown.edge.latency_ms], [["Mug"], 3]);
  assert.deepEqual([labels(came.predictions), labels(came.edge.predictions)], [["Cat"], ["Cup"]]);
});

test("labels that every object has as names are labels, and a model without words or an unknown one changes nothing", async () => {
  const { worded } = await modelInfo();
  assert.deepEqual(labels(worded(answer("objects", "constructor", "__proto__", "toString")).predictions), ["constructor", "__proto__", "toString"]);
  for (const name of ["plain", "other"]) {
    const came = answer(name, "Cat");
    assert.equal(worded(came), came);
  }
});

const PARTS = {
  default: "parts",
  models: {
    parts: { task: "anomaly", display_names: {} },
    named: { task: "anomaly", display_names: { en: { good: "OK" } } },
    fruit: { task: "classification", display_names: {} },
  },
};

test("the two labels of an anomaly model have words in the page's language, unless its owner has others", async () => {
  const english = await modelInfo("?lang=en", PARTS);
  assert.deepEqual(labels(english.worded(answer("parts", "good", "anomaly")).predictions), ["good", "anomaly"]);
  const { worded, labelWords } = await modelInfo("?lang=fr", PARTS);
  assert.deepEqual(labels(worded(answer("parts", "good", "anomaly")).predictions), ["conforme", "anomalie"]);
  assert.deepEqual(labels(worded(answer("named", "good", "anomaly")).predictions), ["OK", "anomalie"]);
  assert.deepEqual(labels(worded(answer("parts", "constructor")).predictions), ["constructor"]);
  assert.deepEqual([labelWords("good", "parts"), labelWords("good", "named")], ["conforme", "OK"]);
  const came = { ...answer("parts", "anomaly"), edge: { predictions: [seen("good")], latency_ms: 3 } };
  assert.deepEqual(labels(worded(came).edge.predictions), ["conforme"], "what the edge said, too");
});

test("the label good of another task is the owner's, and stays", async () => {
  const { worded, labelWords } = await modelInfo("?lang=fr", PARTS);
  assert.deepEqual(labels(worded(answer("fruit", "good")).predictions), ["good"]);
  assert.equal(labelWords("good", "fruit"), "good");
});

test("it is said what becomes of pictures, by the model, or by the default one", async () => {
  const { privacyWords } = await modelInfo();
  assert.match(privacyWords("objects"), /sent to an online model\.$/);
  assert.equal(privacyWords(""), privacyWords("objects"));
  assert.match(privacyWords("both"), /sent .* and kept/);
  assert.match(privacyWords("kept"), /kept/);
  assert.doesNotMatch(privacyWords("kept"), /sent/);
  assert.equal(privacyWords("plain"), "");
  assert.equal(privacyWords("unknown"), privacyWords("objects"), "the default model answers in its place");
});

test("a phone asks with its pass, and without an answer labels stand for themselves", async () => {
  const phone = await modelInfo("?pass=secret");
  assert.deepEqual(phone.browser.fetched[0].query, { pass: "secret" });
  const { worded, privacyWords } = await modelInfo("", { status: 401, error: { code: "key_missing" } });
  const came = answer("objects", "Cat");
  assert.equal(worded(came), came);
  assert.equal(privacyWords("objects"), "");
});
