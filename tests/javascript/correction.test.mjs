import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { bareBrowser, Browser, load, openPage, settle, STATIC } from "./browser.mjs";

const LABELS = ["daisy", "rose", "tulip", "Sun flower"];
const ANSWER = {
  predictions: [{ label: "daisy", score: 0.8 }, { label: "tulip", score: 0.1 }],
  model: { name: "flowers", version: 1 },
};

/** A button on a bare page, about that frame; the service keeps corrections unless it is told otherwise. */
async function bench(frame = { answer: ANSWER, picture: 7, src: "wall/pictures/7.jpg" }, replies = {}) {
  const browser = bareBrowser();
  Object.assign(browser.replies, {
    "/corrections": (options) => (options.method === "POST" ? { key: "k" } : { possible: true, max_label: 128 }),
    "/models": { models: [{ name: "flowers", labels: LABELS }] },
    "/page/info": { default: "flowers", models: { flowers: { display_names: { en: { rose: "Red rose" } } } } },
    ...replies,
  });
  const { Correction } = await load("correction.js");
  const correction = new Correction(browser.document.body, () => frame);
  await correction.learn();
  const posts = () => browser.fetched.filter((one) => one.method === "POST");
  const choices = () => correction.choices.all("button").map((one) => one.textContent);
  const choose = async (words) => {
    correction.choices.all("button").find((one) => one.textContent === words).click();
    await settle();
  };
  const type = (words) => {
    correction.search.value = words;
    correction.search.fire("input");
  };
  const open = async () => {
    correction.button.click();
    await settle();
  };
  return { browser, correction, posts, choices, choose, type, open };
}

test("the button is there where corrections are kept and there is a frame, and not before", async () => {
  assert.equal((await bench()).correction.button.hidden, false);
  assert.equal((await bench(null)).correction.button.hidden, true);
  for (const reply of [{ possible: false }, { status: 403, error: { code: "key_forbidden" } }, undefined]) {
    const { correction } = await bench(undefined, { "/corrections": reply });
    assert.equal(correction.button.hidden, true, JSON.stringify(reply));
  }
});

test("what the model thought of comes first, what it said last, in people's words", async () => {
  const { choices, open } = await bench();
  await open();
  assert.deepEqual(choices(), ["tulip", "Red rose", "Sun flower", "daisy"]);
});

test("typing finds a label by either name, and offers another one", async () => {
  const { choices, open, type } = await bench();
  await open();
  type("ROSE");
  assert.deepEqual(choices(), ["Red rose"]);
  type("red");
  assert.deepEqual(choices(), ["Red rose", "Use “red”"]);
  type("peony");
  assert.deepEqual(choices(), ["Use “peony”"]);
});

test("a thousand labels are not a thousand buttons", async () => {
  const labels = Array.from({ length: 1000 }, (_, index) => `label ${index}`);
  const { choices, open, type } = await bench(undefined, { "/models": { models: [{ name: "flowers", labels }] } });
  await open();
  assert.equal(choices().length, 24);
  type("label 999");
  assert.deepEqual(choices(), ["label 999"]);
});

test("a tap sends the label with the wall's picture, says so and closes; what it says goes after a while", async () => {
  const { browser, choose, correction, open, posts } = await bench();
  await open();
  assert.equal(correction.dialog.open, true);
  await choose("Red rose");
  assert.deepEqual(posts().map((one) => [one.pathname, one.query, one.body]), [["/corrections", { label: "rose", picture: "7" }, undefined]]);
  assert.equal(correction.dialog.open, false);
  assert.equal(correction.said.textContent, "Kept for training: Red rose");
  assert.equal(correction.said.getAttribute("role"), "status");
  await browser.clock.advance(6000);
  assert.equal(correction.said.textContent, "");
});

test("a kiosk sends the picture itself, with its model and camera", async () => {
  const image = { type: "image/jpeg" };
  const { correction, open, posts } = await bench({ answer: ANSWER, image, camera: "desk", src: "blob:1" });
  await open();
  correction.none.click();
  await settle();
  const [{ query, body }] = posts();
  assert.deepEqual(query, { none: "true", model: "flowers", camera: "desk" });
  assert.ok(body === image);
  assert.equal(correction.said.textContent, "Kept for training: None of these");
});

test("while a correction is under way nothing else can be tapped", async () => {
  let done;
  const pending = new Promise((resolve) => (done = resolve));
  const { correction, open } = await bench(undefined, {
    "/corrections": (options) => (options.method === "POST" ? pending : { possible: true, max_label: 128 }),
  });
  await open();
  const [first] = correction.choices.all("button");
  first.click();
  assert.ok([...correction.choices.all("button"), correction.none].every((one) => one.disabled));
  done({ key: "k" });
  await settle();
  assert.equal(correction.dialog.open, false);
});

const faults = [
  ["no_outbox", "Corrections are not kept here: the service has no outbox for pictures."],
  ["picture_gone", "This picture is no longer kept. Choose a newer one."],
  ["outbox_full", "The service could not keep it: its disk is full or cannot be written. Try again later."],
  ["outbox_failed", "The service could not keep it: its disk is full or cannot be written. Try again later."],
];
for (const [code, words] of faults) {
  test(`a correction that is not kept says so in words, and can be sent again: ${code}`, async () => {
    const { choose, correction, open } = await bench(undefined, {
      "/corrections": (options) => (options.method === "POST" ? { status: 503, error: { code } } : { possible: true, max_label: 128 }),
    });
    await open();
    await choose("tulip");
    assert.equal(correction.fault.textContent, words);
    assert.deepEqual([correction.dialog.open, correction.none.disabled, correction.said.textContent], [true, false, ""]);
  });
}

test("a service that is gone is said too, and a key that has expired leads to the sign-in", async () => {
  const gone = await bench(undefined, {
    "/corrections": (options) => {
      if (options.method === "POST") throw new Error("the network is gone");
      return { possible: true, max_label: 128 };
    },
  });
  await gone.open();
  await gone.choose("tulip");
  assert.equal(gone.correction.fault.textContent, "The service cannot be reached");
  const expired = await bench(undefined, {
    "/corrections": (options) => (options.method === "POST" ? { status: 401, error: { code: "key_expired" } } : { possible: true, max_label: 128 }),
  });
  await expired.open();
  await expired.choose("tulip");
  assert.match(expired.browser.visited[0], /^login/);
});

test("enter takes the one choice that is left, and nothing while there are more", async () => {
  const { correction, open, posts, type } = await bench();
  await open();
  correction.search.fire("keydown", { key: "Enter" });
  await settle();
  assert.equal(posts().length, 0);
  type("tul");
  correction.search.fire("keydown", { key: "Enter" });
  await settle();
  assert.equal(posts().length, 0, "“tul” itself could be meant");
  type("tulip");
  correction.search.fire("keydown", { key: "Enter" });
  await settle();
  assert.deepEqual(posts()[0].query, { label: "tulip", picture: "7" });
});

test("without the list of labels a label can be typed", async () => {
  const { choices, open, type } = await bench(undefined, { "/models": undefined, "/page/info": undefined });
  await open();
  assert.deepEqual(choices(), ["tulip", "daisy"]);
  type("rose");
  assert.deepEqual(choices(), ["Use “rose”"]);
});

// On the kiosk

const kioskPage = (search) => new Browser(readFileSync(join(STATIC, "kiosk.html"), "utf8"), { search });
const MESSAGE = { ...ANSWER, frame: 0, dropped: 0, image: { width: 640, height: 480 }, timing_ms: { infer: 3 } };

async function kiosk(search = "") {
  const browser = await openPage("kiosk", { search }, (one) => {
    one.replies["/models"] = { default: "flowers", models: [{ name: "flowers", labels: LABELS }] };
    one.replies["/corrections"] = (options) => (options.method === "POST" ? { key: "k" } : { possible: true, max_label: 128 });
  });
  Object.assign(browser.byId("video"), { videoWidth: 640, videoHeight: 480 });
  browser.socket.accept();
  await browser.clock.advance(300);
  return browser;
}

test("the kiosk corrects the frame whose answer is on the screen, not a later one", async () => {
  const browser = await kiosk();
  const [button] = browser.byId("actions").all("button");
  assert.equal(button.hidden, true, "nothing is answered yet");
  const [first] = browser.socket.sent;
  browser.socket.say(MESSAGE);
  assert.equal(button.hidden, false);
  button.click();
  await browser.clock.advance(300);
  browser.socket.say({ ...MESSAGE, frame: 1 });
  const dialog = browser.document.body.all("dialog").find((one) => one.className === "correction");
  dialog.all("li")[0].firstElementChild.click();
  await settle();
  const { query, body } = browser.fetched.find((one) => one.method === "POST");
  assert.deepEqual(query, { label: "tulip", model: "flowers", camera: "kiosk" });
  assert.ok(body === first);
  assert.equal(browser.urls.size, 0, "the picture's address is given back");
});

test("frames that were replaced get no answer, and are not the one that is corrected", async () => {
  const browser = await kiosk();
  await browser.clock.advance(500);
  const { sent } = browser.socket;
  assert.equal(sent.length, 2);
  browser.socket.say({ ...MESSAGE, frame: 1, dropped: 1 });
  browser.byId("actions").all("button")[0].click();
  await settle();
  browser.document.body.all("dialog").find((one) => one.className === "correction").all("li")[0].firstElementChild.click();
  await settle();
  assert.ok(browser.fetched.find((one) => one.method === "POST").body === sent[1]);
});

test("a locked kiosk leaves what its pictures show to its owner", async () => {
  const browser = await kiosk("?locked=1");
  browser.socket.say(MESSAGE);
  assert.deepEqual(browser.byId("actions").all("button"), []);
});

test("an idle kiosk closes the choice", async () => {
  const browser = await kiosk("?idle=5");
  browser.socket.say(MESSAGE);
  browser.byId("actions").all("button")[0].click();
  await settle();
  const dialog = browser.document.body.all("dialog").find((one) => one.className === "correction");
  assert.equal(dialog.open, true);
  await browser.clock.advance(8000);
  assert.equal(dialog.open, false);
});

test("what the kiosk asks of the button does nothing where it is locked", async () => {
  kioskPage("?locked=1");
  const { closeCorrection, learnCorrections, showCorrection } = await load("kiosk_correction.js");
  for (const ask of [learnCorrections, showCorrection, closeCorrection]) assert.equal(ask(), undefined);
});

test("the wall offers to correct the frame in its large view, and closes the choice with it", async () => {
  const browser = new Browser(readFileSync(join(STATIC, "wall.html"), "utf8"));
  browser.replies["/corrections"] = { possible: true, max_label: 128 };
  const { learnCorrections, offerCorrection } = await load("wall_correction.js");
  await learnCorrections();
  const [button] = browser.byId("large-actions").all("button");
  assert.equal(button.hidden, true);
  offerCorrection({ ...ANSWER, number: 9, picture: true });
  assert.equal(button.hidden, false);
  button.click();
  await settle();
  const [dialog] = browser.document.body.all("dialog").filter((one) => one.className === "correction");
  assert.equal(dialog.all("img")[0].src, "wall/pictures/9.jpg");
  offerCorrection(null);
  assert.deepEqual([dialog.open, button.hidden], [false, true]);
  offerCorrection({ ...ANSWER, number: 9, picture: false });
  assert.equal(button.hidden, true, "there is nothing to keep");
});
