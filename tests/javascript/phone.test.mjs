import assert from "node:assert/strict";
import { test } from "node:test";

import { openPage, settle } from "./browser.mjs";

const CAT = { label: "Cat", index: 15, score: 0.8, box: { x_min: 0.5, y_min: 0.25, x_max: 0.75, y_max: 0.5 } };
const ANSWER = { image: { width: 300, height: 400 }, predictions: [CAT, CAT] };

async function phone(search = "?pass=secret&model=objects") {
  const browser = await openPage("phone", { search });
  Object.assign(browser.byId("boxes"), { clientWidth: 300, clientHeight: 400 });
  return browser;
}

/** Choose that file; its upload, once it is answered. */
async function choose(browser, file, reply, input = "file") {
  browser.replies["/phone/picture"] = reply;
  const target = { files: file ? [file] : [], value: "C:\\fakepath\\photo.jpg" };
  await browser.byId(input).fire("change", { target }).done;
  assert.equal(target.value, "", "the same picture cannot be chosen again");
  return browser.fetched.findLast?.((one) => one.pathname === "/phone/picture");
}

const shown = (browser, ...ids) => ids.filter((id) => !browser.byId(id).hidden);

test("a picture is sent with the pass that was scanned, made smaller, and shown with what was found", async () => {
  const browser = await phone();
  const upload = await choose(browser, { size: [3000, 4000] }, ANSWER);
  assert.equal(upload.method, "POST");
  assert.deepEqual(upload.query, { pass: "secret", model: "objects" });
  assert.deepEqual(upload.body, { type: "image/jpeg", quality: 0.85, width: 960, height: 1280 });
  const canvas = browser.document.made.find((one) => one.tag === "canvas");
  const [drawn] = canvas.pen.seen("picture");
  assert.deepEqual([drawn.x, drawn.y, drawn.width, drawn.height], [0, 0, 960, 1280], "the whole of it");
  assert.deepEqual(shown(browser, "state", "fault", "preview", "answer"), ["state", "preview", "answer"]);
  assert.equal(browser.byId("state").textContent, "On the wall");
  assert.equal(browser.byId("state").dataset.state, "live");
  assert.equal(browser.byId("headline").textContent, "2 × Cat");
  assert.equal(browser.byId("take").textContent, "Take another one");
  assert.equal(browser.byId("preview").style.aspectRatio, "300 / 400");
  const [, box] = browser.byId("boxes").pen.seen("box");
  assert.deepEqual([box.x, box.y, box.width, box.height], [150, 100, 75, 100]);
});

test("a small picture is not enlarged, and one that this browser cannot read goes as it is", async () => {
  const browser = await phone("");
  const small = await choose(browser, { size: [640, 480] }, ANSWER, "camera");
  assert.deepEqual([small.body.width, small.body.height, small.query], [640, 480, {}]);
  const odd = { name: "photo.heic" };
  assert.equal((await choose(browser, odd, ANSWER)).body, odd);
});

test("ten pictures later only the last is held, and no bitmap", async () => {
  const browser = await phone();
  for (let turn = 0; turn < 10; turn += 1) await choose(browser, { size: [640, 480] }, ANSWER);
  assert.equal(browser.urls.size, 1);
  assert.equal(browser.bitmaps.length, 10);
  assert.ok(browser.bitmaps.every((one) => one.closed));
});

test("a picture that is refused, or a network that is gone, is told in the page's words; what was seen before stays", async () => {
  const browser = await phone();
  await choose(browser, { size: [640, 480] }, { status: 401, error: { code: "key_missing", message: "Scan ff d8 ff." } });
  assert.deepEqual(shown(browser, "state", "fault", "preview", "answer"), ["fault"]);
  assert.equal(browser.byId("fault-words").textContent, "The picture could not be sent. Scan the code on the wall again, or sign in.");
  await choose(browser, { size: [640, 480] }, ANSWER);
  const { src } = browser.byId("picture");
  await choose(browser, { size: [300, 300] }, { status: 400, error: { code: "corrupt_image", message: "" } });
  assert.deepEqual(shown(browser, "state", "fault", "preview", "answer"), ["fault", "preview", "answer"]);
  assert.match(browser.byId("fault-words").textContent, /damaged/);
  assert.equal(browser.byId("picture").src, src);
  assert.equal(browser.byId("headline").textContent, "2 × Cat");
  await choose(browser, { size: [300, 300] }, undefined);
  assert.match(browser.byId("fault-words").textContent, /keeps trying|cannot be reached|continues/);
  browser.replies["/phone/picture"] = ANSWER;
  await browser.byId("again").click().done;
  assert.deepEqual(shown(browser, "state", "fault", "answer"), ["state", "answer"]);
  assert.deepEqual(browser.fetched.at(-1).body, { type: "image/jpeg", quality: 0.85, width: 300, height: 300 });
});

test("a model that is not there is said so, and the default one answers", async () => {
  const browser = await phone("?model=gone");
  const upload = await choose(browser, { size: [640, 480] }, () => {
    const { model } = browser.fetched.at(-1).query;
    return model ? { status: 404, error: { code: "model_not_found", message: "" } } : ANSWER;
  });
  assert.deepEqual(upload.query, {});
  assert.equal(browser.byId("note").textContent, "There is no model “gone” here: the default one answers.");
  assert.deepEqual(shown(browser, "note", "fault", "answer"), ["note", "answer"]);
});

test("words stand for labels, and where pictures go elsewhere it does not promise that they stay in memory", async () => {
  const models = { objects: { display_names: { en: { Cat: "House cat" } }, sends: true, keeps: true } };
  const browser = await openPage("phone", { search: "?pass=secret&model=objects" }, (opened) => {
    opened.replies["/page/info"] = { default: "imagenet", models };
  });
  await settle();
  assert.deepEqual(browser.fetched.find((one) => one.pathname === "/page/info").query, { pass: "secret" });
  assert.doesNotMatch(browser.byId("notice").textContent, /never on disk/);
  assert.match(browser.byId("privacy").textContent, /kept on this machine's disk/);
  await choose(browser, { size: [640, 480] }, { ...ANSWER, model: { name: "objects", version: 1 } });
  assert.equal(browser.byId("headline").textContent, "2 × House cat");
  const other = await phone();
  assert.match(other.byId("notice").textContent, /never on disk/);
  assert.equal(other.byId("privacy").hidden, true);
});

test("an unsure answer looks unsure", async () => {
  const browser = await phone();
  await choose(browser, { size: [640, 480] }, { ...ANSWER, predictions: [CAT], certain: false });
  assert.equal(browser.byId("headline").textContent, "Not sure");
  assert.equal(browser.byId("perhaps").textContent, "perhaps Cat 80%");
  assert.ok(browser.byId("headline").classList.contains("unsure"));
});

test("nothing recognised is said so; nothing chosen sends nothing", async () => {
  const browser = await phone();
  assert.equal(await choose(browser, null, ANSWER), undefined);
  await choose(browser, { size: [640, 480] }, { ...ANSWER, predictions: [] });
  assert.equal(browser.byId("headline").textContent, "Nothing recognised");
});

test("each button opens its own chooser", async () => {
  const browser = await phone();
  for (const [button, input] of [["take", "camera"], ["choose", "file"]]) {
    let opened = 0;
    browser.byId(input).addEventListener("click", () => (opened += 1));
    browser.byId(button).click();
    assert.equal(opened, 1, button);
  }
});

test("boxes follow a phone that is turned", async () => {
  const browser = await phone();
  browser.window.fire("resize");
  await choose(browser, { size: [640, 480] }, ANSWER);
  Object.assign(browser.byId("boxes"), { clientWidth: 600, clientHeight: 800 });
  browser.window.fire("resize");
  assert.equal(browser.byId("boxes").pen.seen("box")[0].x, 300);
});
