import assert from "node:assert/strict";
import { test } from "node:test";

import { openPage, settle } from "./browser.mjs";

const CAT = { label: "Cat", index: 15, score: 0.8, box: { x_min: 0.5, y_min: 0.25, x_max: 0.75, y_max: 0.5 } };
const MODELS = {
  default: "imagenet",
  models: [{ name: "imagenet", display_name: "Things" }, { name: "objects" }],
};

function answer(predictions = [CAT], more = {}) {
  const timing_ms = { decode: 1.2, inference: 20.4 };
  return { frame: 0, dropped: 0, predictions, image: { width: 640, height: 480 }, model: { name: "imagenet", version: 3 }, timing_ms, ...more };
}

/** A kiosk with a camera and a service that answers when it is told to. */
async function kiosk(search = "", prepare = () => {}, options = {}) {
  const browser = await openPage("kiosk", { search, ...options }, (one) => {
    one.replies["/models"] = MODELS;
    prepare(one);
  });
  Object.assign(browser.byId("video"), { videoWidth: 1280, videoHeight: 960 });
  Object.assign(browser.byId("boxes"), { clientWidth: 800, clientHeight: 800 });
  setInterval(() => (browser.byId("video").frames += browser.byId("video").paused ? 0 : 1), 100);
  return browser;
}

/** The same with its connection open, and one frame sent. */
async function running(search = "", prepare, options) {
  const browser = await kiosk(search, prepare, options);
  browser.socket.accept();
  await browser.clock.advance(100);
  return browser;
}

const words = (browser, ...ids) => ids.map((id) => browser.byId(id).textContent);
const boxes = (browser) => browser.byId("boxes").pen.seen("box");

/** How the notice stands: over the picture, alone on the page, with the way to pair. */
function notice(browser) {
  const over = browser.byId("notice").classList.contains("over");
  return { over, alone: browser.byId("main").classList.contains("alone"), pair: !browser.byId("pair").hidden };
}

test("the notice fills a page without a picture, and lies over one that is there", async () => {
  const browser = await running();
  browser.socket.say(answer());
  assert.deepEqual(notice(browser), { over: true, alone: false, pair: false });
  browser.socket.say({ frame: 1, dropped: 0, error: { code: "overloaded", message: "Too many." } });
  assert.deepEqual(notice(browser), { over: true, alone: true, pair: false });
  browser.cameras.fault = "NotReadableError";
  browser.cameras.tracks[0].fire("ended");
  assert.deepEqual(notice(browser), { over: false, alone: true, pair: false });
  const insecure = await kiosk("", () => {}, { secure: false });
  insecure.socket.accept();
  await settle();
  assert.deepEqual(notice(insecure), { over: false, alone: true, pair: true });
  insecure.socket.end();
  assert.deepEqual(notice(insecure), { over: false, alone: true, pair: false }, "the service is gone: one thing at a time");
  insecure.socket.accept();
  await open(insecure, answer());
  assert.deepEqual(notice(insecure), { over: true, alone: false, pair: false });
});

test("the whole picture is sent, not a part of it", async () => {
  const browser = await running();
  const [shot] = browser.document.made.filter((one) => one.tag === "canvas");
  const [drawn] = shot.pen.seen("picture");
  assert.ok(drawn.of === browser.byId("video"));
  assert.deepEqual([drawn.x, drawn.y, drawn.width, drawn.height], [0, 0, 640, 480]);
});

test("frames go out at the size and quality that the models need, fifteen a second at most", async () => {
  const browser = await running();
  const { socket } = browser;
  const [frame] = socket.sent;
  assert.deepEqual(frame, { type: "image/jpeg", quality: 0.8, width: 640, height: 480 });
  const before = socket.sent.length;
  for (let tick = 0; tick < 200; tick += 1) {
    await browser.clock.advance(50);
    socket.say(answer());
  }
  const perSecond = (socket.sent.length - before) / 10;
  assert.ok(perSecond > 10 && perSecond <= 15.1, `${perSecond} a second`);
});

test("a small or an upright picture is sent whole, and never enlarged", async () => {
  const browser = await kiosk();
  for (const [width, height, sent] of [[320, 240, [320, 240]], [960, 1280, [480, 640]]]) {
    Object.assign(browser.byId("video"), { videoWidth: width, videoHeight: height });
    if (browser.socket.readyState !== 1) browser.socket.accept();
    await browser.clock.advance(200);
    const frame = browser.socket.sent.at(-1);
    assert.deepEqual([frame.width, frame.height], sent);
    browser.socket.say(answer());
    browser.socket.say(answer());
  }
});

test("two frames are under way and no more until an answer comes", async () => {
  const browser = await running();
  await browser.clock.advance(1000);
  assert.equal(browser.socket.sent.length, 2);
  browser.socket.say(answer());
  await browser.clock.advance(1000);
  assert.equal(browser.socket.sent.length, 3);
});

test("a frame that cannot be captured is left out, and the next is sent", async () => {
  const browser = await kiosk();
  const shot = browser.document.made.find((one) => one.tag === "canvas");
  const { drawImage } = shot.pen;
  let asked = 0;
  shot.pen.drawImage = function (...rest) {
    asked += 1;
    if (asked === 1) throw new Error("the picture is broken");
    if (asked > 2) return drawImage.apply(this, rest);
    shot.width = 0; // of which no image can be made
  };
  browser.socket.accept();
  await browser.clock.advance(500);
  assert.ok(asked > 2);
  assert.equal(browser.socket.sent.length, 2);
});

test("after each reconnect frames go out and answers are shown", async () => {
  const browser = await running();
  for (let turn = 0; turn < 4; turn += 1) {
    browser.socket.end();
    assert.deepEqual(words(browser, "state", "verdict"), ["The service cannot be reached", ""]);
    await browser.clock.advance(400);
    browser.socket.accept();
    await browser.clock.advance(500);
    assert.equal(browser.socket.sent.length, 2, `it froze at reconnect ${turn + 1}`);
    browser.socket.say(answer());
    assert.deepEqual(words(browser, "state", "verdict", "headline"), ["Live", "Cat", ""]);
    assert.equal(browser.byId("notice").hidden, true);
  }
});

test("an answer is shown: what, how sure, by which model, and where", async () => {
  const browser = await running();
  assert.deepEqual(words(browser, "state", "verdict"), ["Starting", "Looking"]);
  browser.socket.say(answer([CAT, { ...CAT, score: 0.7 }, { label: "Cup", index: 3, score: 0.6 }]));
  assert.deepEqual(words(browser, "state", "verdict", "score", "model"), ["Live", "2 × Cat", "", "Things v3"]); // a count has no score of its own
  assert.equal(browser.byId("bars").children.length, 2);
  const [box] = boxes(browser);
  assert.deepEqual([box.x, box.y, box.width, box.height], [400, 250, 200, 150]);
});

test("an unsure answer looks unsure, is said so, and is sure again with the next", async () => {
  const browser = await running();
  browser.socket.say({ ...answer([{ ...CAT, score: 0.14 }]), certain: false });
  assert.deepEqual(words(browser, "verdict", "score"), ["Not sure", "perhaps Cat 14%"]);
  assert.ok(browser.byId("verdict").classList.contains("unsure"));
  await browser.clock.advance(1500);
  assert.equal(browser.byId("spoken").textContent, "Not sure, perhaps Cat 14%");
  browser.socket.say(answer([CAT]));
  assert.deepEqual(words(browser, "verdict", "score"), ["Cat", "80%"]);
  assert.equal(browser.byId("score").classList.contains("perhaps"), false);
});

test("boxes are on the other side in a mirrored kiosk, as the picture is", async () => {
  const browser = await running("?mirror=1");
  browser.socket.say(answer());
  const [box] = boxes(browser);
  assert.deepEqual([box.x, box.y, box.width, box.height], [200, 250, 200, 150]);
  assert.equal(browser.byId("video").classList.contains("mirror"), true);
  browser.byId("set-mirror").checked = false;
  browser.byId("set-mirror").fire("change");
  assert.equal(boxes(browser)[0].x, 400);
  assert.equal(browser.byId("video").classList.contains("mirror"), false);
  assert.equal(browser.location.search, "?mirror=0");
});

test("an unsure verdict is faint, a sure one is not, and so is nothing", async () => {
  const browser = await running();
  const faint = ([predictions, certain]) => {
    browser.socket.say({ ...answer(predictions), certain });
    return browser.byId("verdict").classList.contains("unsure");
  };
  assert.deepEqual([[[CAT], false], [[CAT], true], [[], true]].map(faint), [true, false, true]);
  assert.deepEqual(words(browser, "verdict", "score"), ["Nothing recognised", ""]);
  assert.equal(boxes(browser).length, 0);
});

test("a verdict is read out once it has stood for 1.2 s", async () => {
  const browser = await running();
  browser.socket.say(answer());
  await browser.clock.advance(1000);
  browser.socket.say(answer([{ ...CAT, label: "Dog" }]));
  await browser.clock.advance(1150);
  assert.deepEqual(words(browser, "spoken"), [""]);
  browser.socket.say(answer([{ ...CAT, label: "Dog", score: 0.5 }]));
  await browser.clock.advance(100);
  assert.deepEqual(words(browser, "spoken"), ["Dog, 80%"]);
});

test("the rate is that of the last second, and gone when no answers come", async () => {
  const browser = await running();
  await browser.clock.advance(900);
  const rates = [];
  for (const perSecond of [4, 10, 10, 0]) {
    const from = browser.clock.now;
    for (let turn = 0; turn < perSecond; turn += 1) {
      await browser.clock.advance(1000 / perSecond - 1);
      browser.socket.say(answer());
    }
    await browser.clock.advance(1000 - (browser.clock.now - from));
    rates.push(words(browser, "rate")[0]);
  }
  assert.deepEqual(rates, ["4 per second, 22 ms", "10 per second, 22 ms", "10 per second, 22 ms", ""]);
});

test("a fault is told, nothing old is shown, and frames pause for a second", async () => {
  const browser = await running();
  browser.socket.say(answer());
  await browser.clock.advance(100);
  const error = { code: "overloaded", message: "Too many." };
  const sent = browser.socket.sent.length;
  browser.socket.say({ frame: 1, dropped: 0, error });
  browser.socket.say({ frame: 2, dropped: 0, error });
  assert.deepEqual(words(browser, "verdict", "headline", "advice"), ["", "The service is busy", "It can be reached, and takes no more pictures at the moment. This page keeps trying."]);
  assert.equal(browser.byId("notice").hidden, false);
  assert.equal(boxes(browser).length, 0);
  await browser.clock.advance(950);
  assert.equal(browser.socket.sent.length, sent);
  await browser.clock.advance(200);
  assert.ok(browser.socket.sent.length > sent);
  browser.socket.say({ frame: 3, dropped: 0, error: { code: "model_unavailable", message: "Soon." } });
  assert.deepEqual(words(browser, "headline"), ["The model is loading"]);
  browser.socket.say(answer());
  assert.deepEqual(words(browser, "verdict", "headline"), ["Cat", ""]);
  assert.equal(browser.byId("notice").hidden, true);
});

test("a camera that is lost takes its answers along; late ones are not shown", async () => {
  const browser = await running();
  browser.socket.say(answer());
  browser.cameras.fault = "NotReadableError";
  browser.cameras.tracks[0].fire("ended");
  assert.deepEqual(words(browser, "state", "verdict"), ["The camera gives no picture", ""]);
  browser.socket.say(answer());
  assert.deepEqual(words(browser, "verdict"), [""]);
  assert.equal(boxes(browser).length, 0);
  const sent = browser.socket.sent.length;
  await browser.clock.advance(1500);
  assert.equal(browser.socket.sent.length, sent, "a frame went out without a camera");
  browser.cameras.fault = null;
  await browser.clock.advance(2500);
  browser.socket.say(answer());
  assert.deepEqual(words(browser, "state", "verdict"), ["Live", "Cat"]);
});

test("a silent service is told as such, and what it said before is taken away", async () => {
  const browser = await running();
  browser.socket.say(answer());
  await browser.clock.advance(5000);
  assert.deepEqual(words(browser, "state", "verdict", "headline"), ["No answer", "", "No answer"]);
  assert.match(browser.byId("advice").textContent, /Reconnecting/);
});

test("without HTTPS the way to pair is shown", async () => {
  const browser = await kiosk("", () => {}, { secure: false });
  browser.socket.accept();
  await settle();
  assert.deepEqual(words(browser, "headline"), ["The camera needs HTTPS"]);
  assert.equal(browser.byId("pair").hidden, false);
  const other = await running();
  assert.equal(other.byId("pair").hidden, true);
});

test("a paused kiosk sends nothing, and goes on", async () => {
  const browser = await running();
  browser.socket.say(answer());
  const key = { key: " ", target: { closest: () => null } };
  const event = browser.document.fire("keydown", key);
  assert.equal(event.prevented, true);
  assert.deepEqual(words(browser, "state"), ["Paused"]);
  assert.equal(browser.byId("video").paused, true);
  const sent = browser.socket.sent.length;
  browser.socket.say(answer());
  await browser.clock.advance(2000);
  assert.equal(browser.socket.sent.length, sent);
  browser.document.fire("keydown", key);
  await browser.clock.advance(100);
  assert.ok(browser.socket.sent.length > sent);
  assert.equal(browser.byId("video").paused, false);
});

test("a page that is not seen sends nothing", async () => {
  const browser = await running();
  browser.socket.say(answer());
  const sent = browser.socket.sent.length;
  browser.document.hidden = true;
  await browser.clock.advance(2000);
  assert.equal(browser.socket.sent.length, sent);
});

/** Open a file on the page, whose answer is that. */
async function open(browser, reply, file = { name: "photo" }) {
  browser.replies["/predict"] = reply;
  const event = browser.byId("file").fire("change", { target: { files: [file] } });
  await event.done;
  await settle();
}

test("a picture that is opened is asked about, with model and name, and shown instead of the camera", async () => {
  const browser = await running("?model=objects&mirror=1");
  const sent = browser.socket.sent.length;
  const file = { name: "cat.jpg" };
  await open(browser, answer(), file);
  const { method, body, query } = browser.fetched.find((one) => one.pathname === "/predict");
  assert.deepEqual([method, query], ["POST", { camera: "kiosk", model: "objects" }]);
  assert.equal(body, file);
  assert.deepEqual(words(browser, "state", "verdict"), ["Picture", "Cat"]);
  assert.deepEqual([browser.byId("video").hidden, browser.byId("still").hidden, browser.byId("back").hidden], [true, false, false]);
  assert.ok(browser.urls.has(browser.byId("still").src));
  assert.equal(boxes(browser)[0].x, 400, "a picture that is opened is not mirrored");
  browser.socket.say(answer([{ ...CAT, label: "Late" }]));
  await browser.clock.advance(1000);
  assert.deepEqual(words(browser, "verdict"), ["Cat"], "the camera's answer came over the picture's");
  assert.equal(browser.socket.sent.length, sent);
});

test("a frame that is captured while a picture is opened is not sent beside it", async () => {
  const browser = await kiosk();
  const [shot] = browser.document.made.filter((one) => one.tag === "canvas");
  let captured;
  shot.toBlob = (done) => (captured = done);
  browser.socket.accept();
  await browser.clock.advance(100);
  await open(browser, answer());
  captured({ type: "image/jpeg" });
  await settle();
  assert.deepEqual(browser.socket.sent, []);
});

test("back at the camera the picture is forgotten", async () => {
  const browser = await running();
  await open(browser, answer());
  browser.byId("file").value = "C:\\fakepath\\photo.jpg";
  browser.byId("back").click();
  assert.deepEqual(words(browser, "verdict", "state"), ["Looking", "Starting"]);
  assert.deepEqual([browser.byId("video").hidden, browser.byId("still").hidden, browser.byId("back").hidden], [false, true, true]);
  assert.equal(browser.byId("file").value, "");
  assert.equal(browser.urls.size, 0);
  browser.socket.say(answer());
  assert.deepEqual(words(browser, "verdict"), ["Cat"]);
});

test("ten pictures later only the last is held", async () => {
  const browser = await running();
  for (let turn = 0; turn < 10; turn += 1) await open(browser, answer());
  assert.equal(browser.urls.size, 1);
});

test("a picture that is refused is told in the page's words, with ways on; what was seen before stays", async () => {
  const browser = await running();
  browser.socket.say(answer());
  const refusal = { status: 415, error: { code: "unsupported_image", message: "They start with 50 4b 03 04." } };
  await open(browser, refusal);
  assert.deepEqual(words(browser, "headline", "verdict", "state"), ["The service refused the picture", "Cat", "Live"]);
  assert.match(browser.byId("advice").textContent, /not an image/);
  assert.doesNotMatch(browser.byId("notice").textContent, /50 4b/);
  assert.equal(browser.byId("video").hidden, false);
  assert.deepEqual(notice(browser), { over: true, alone: false, pair: false });
  await open(browser, answer([{ ...CAT, label: "Dog" }]));
  assert.deepEqual(words(browser, "headline", "verdict", "state"), ["", "Dog", "Picture"]);
  const { src } = browser.byId("still");
  await open(browser, () => {
    throw new Error("gone");
  });
  assert.deepEqual(words(browser, "headline", "verdict", "state"), ["The service cannot be reached", "Dog", "Picture"]);
  assert.equal(browser.byId("still").src, src);
  assert.ok(browser.urls.has(src));
});

test("a notice offers to try again, to open a picture, and to close it", async () => {
  const browser = await running();
  browser.socket.say(answer());
  const file = { name: "one.jpg" };
  await open(browser, { status: 400, error: { code: "corrupt_image", message: "" } }, file);
  const ways = () => ["again", "other", "dismiss"].filter((id) => !browser.byId(id).hidden);
  assert.equal(browser.byId("ways").hidden, false);
  assert.deepEqual(ways(), ["again", "other", "dismiss"]);
  let opened = 0;
  browser.byId("file").addEventListener("click", () => (opened += 1));
  browser.byId("other").click();
  assert.equal(opened, 1);
  await browser.byId("again").click().done;
  assert.ok(browser.fetched.filter((one) => one.pathname === "/predict").every((one) => one.body === file));
  assert.equal(browser.fetched.filter((one) => one.pathname === "/predict").length, 2);
  browser.byId("dismiss").click();
  assert.equal(browser.byId("notice").hidden, true);
  browser.cameras.fault = "NotReadableError";
  browser.cameras.tracks[0].fire("ended");
  assert.deepEqual(ways(), ["again", "other"]);
  browser.cameras.fault = null;
  await browser.byId("again").click().done;
  await settle();
  assert.equal(browser.cameras.live, 1, "the camera was not opened again");
});

test("only the answer to the last picture is shown, whichever comes first, and none after a return to the camera", async () => {
  const browser = await running();
  let first;
  browser.replies["/predict"] = () => new Promise((done) => (first = done));
  browser.byId("file").fire("change", { target: { files: [{ name: "slow" }] } });
  await settle();
  assert.deepEqual(words(browser, "state"), ["Reading the picture"]);
  await open(browser, answer());
  first(answer([{ ...CAT, label: "Late" }]));
  await settle();
  assert.deepEqual(words(browser, "verdict"), ["Cat"]);
  browser.replies["/predict"] = () => new Promise((done) => (first = done));
  browser.byId("file").fire("change", { target: { files: [{ name: "slow" }] } });
  await settle();
  browser.byId("back").click();
  first(answer());
  await settle();
  assert.equal(browser.byId("still").hidden, true);
});

test("a model that is not there is said so, and the default one is asked", async () => {
  const remembered = (one) => one.stored.set("edge.model", "gone");
  for (const [search, prepare] of [["?model=gone", () => {}], ["", remembered]]) {
    const browser = await kiosk(search, prepare);
    assert.equal(browser.socket.url.search, "?camera=kiosk");
    assert.deepEqual(words(browser, "note"), ["There is no model “gone” here: Things answers."]);
    assert.equal(browser.byId("note").hidden, false);
    await open(browser, answer());
    assert.deepEqual(browser.fetched.find((one) => one.pathname === "/predict").query, { camera: "kiosk" });
  }
});

test("a model that goes while the kiosk runs gives way to the default one", async () => {
  const browser = await running("?model=objects");
  browser.replies["/models"] = { default: "imagenet", models: [{ name: "imagenet" }] };
  browser.socket.end();
  await browser.clock.advance(400);
  browser.socket.end(); // the handshake was refused
  await settle();
  assert.equal(browser.socket.url.search, "?camera=kiosk");
  assert.match(browser.byId("note").textContent, /“objects”/);
});

test("a service that takes no stream is busy if it can be reached, and gone if not", async () => {
  const browser = await kiosk();
  browser.socket.end();
  await settle();
  assert.deepEqual(words(browser, "headline"), ["The service is busy"]);
  browser.replies["/models"] = undefined;
  await browser.clock.advance(1000);
  browser.socket.end();
  await settle();
  assert.deepEqual(words(browser, "headline"), ["The service cannot be reached"]);
  const before = browser.sockets.length;
  browser.byId("again").click();
  assert.equal(browser.sockets.length, before + 1);
});

test("who answered is said, with that side's time, and what the edge said where the cloud did", async () => {
  const browser = await running();
  assert.equal(browser.byId("maker").hidden, true);
  browser.socket.say(answer([CAT], { source: "edge" }));
  assert.deepEqual(words(browser, "chip"), ["Edge, 22 ms"]);
  assert.equal(browser.byId("edge-said").hidden, true);
  const edge = { predictions: [{ ...CAT, label: "Dog", score: 0.4 }], latency_ms: 22 };
  browser.socket.say(answer([CAT], { source: "cloud", edge, cloud: { latency_ms: 210.4, predictions: [CAT] } }));
  assert.deepEqual(words(browser, "chip", "edge-said"), ["Cloud, 210 ms", "edge said: Dog 40%"]);
  assert.equal(browser.byId("chip").dataset.source, "cloud");
  assert.deepEqual([browser.byId("maker").hidden, browser.byId("edge-said").hidden], [false, false]);
});

const INFO = {
  default: "imagenet",
  models: {
    imagenet: { display_names: { en: { Cat: "House cat" }, fr: { Cat: "Chat" } }, sends: true, keeps: true },
    objects: { display_names: {}, sends: false, keeps: false },
  },
};

test("people's words stand for labels, in their language, and nothing of it is sent", async () => {
  const browser = await running("", (one) => (one.replies["/page/info"] = INFO));
  browser.socket.say(answer());
  assert.deepEqual(words(browser, "verdict"), ["House cat"]);
  assert.equal(browser.byId("boxes").pen.seen("words")[0].of, "House cat 80%");
  browser.byId("set-language").value = "fr";
  browser.byId("set-language").fire("change");
  assert.deepEqual(words(browser, "verdict"), ["Chat"]);
  browser.socket.say(answer([{ ...CAT, label: "constructor" }]));
  assert.deepEqual(words(browser, "verdict"), ["constructor"]);
});

test("it says what becomes of pictures, by the model that answers them", async () => {
  const both = await running("", (one) => (one.replies["/page/info"] = INFO));
  assert.equal(both.byId("privacy").hidden, false);
  assert.match(both.byId("privacy").textContent, /sent to an online model, and kept/);
  const none = await running("?model=objects", (one) => (one.replies["/page/info"] = INFO));
  assert.equal(none.byId("privacy").hidden, true);
});

test("a locked kiosk has no settings, no links, no files and no keys; another visit is not locked", async () => {
  const browser = await running("?locked=1", () => {}, { secure: false });
  for (const id of ["configure", "open", "fullscreen", "other", "pair"]) assert.equal(browser.byId(id).hidden, true, id);
  for (const key of ["s", "o", "f", " "]) {
    assert.equal(browser.document.fire("keydown", { key, target: { closest: () => null } }).prevented, false, key);
  }
  assert.equal(browser.byId("settings").open, false);
  browser.document.fire("drop", { dataTransfer: { files: [{ name: "dropped" }] } });
  await settle();
  assert.equal(browser.fetched.some((one) => one.pathname === "/predict"), false);
  assert.equal(browser.document.fire("contextmenu").prevented, true);
  assert.equal(browser.stored.has("edge.locked"), false);
});

test("a camera that looks at the visitor is a mirror, unless the settings say otherwise; frames are not", async () => {
  const facing = (mode) => (one) => {
    const open = one.cameras.getUserMedia.bind(one.cameras);
    one.cameras.getUserMedia = async (wanted) => {
      const stream = await open(wanted);
      stream.getVideoTracks()[0].getSettings = () => ({ facingMode: mode });
      return stream;
    };
  };
  const isMirror = (browser) => browser.byId("video").classList.contains("mirror");
  const front = await running("", facing("user"));
  front.socket.say(answer());
  assert.equal(isMirror(front), true);
  assert.equal(boxes(front)[0].x, 200);
  const [shot] = front.document.made.filter((one) => one.tag === "canvas");
  assert.deepEqual([shot.pen.seen("picture")[0].x, shot.pen.seen("picture")[0].width], [0, 640]);
  assert.equal(front.byId("set-mirror").checked, true);
  assert.equal(isMirror(await running("", facing("environment"))), false);
  assert.equal(isMirror(await running("?mirror=0", facing("user"))), false);
  assert.equal(isMirror(await running("?mirror=1", facing("environment"))), true);
});

/** Let that many seconds pass, in which the service answers with the same. */
async function pass(browser, seconds, reply = answer()) {
  for (let second = 0; second < seconds; second += 1) {
    browser.socket.say(reply);
    await browser.clock.advance(1000);
  }
}

test("an idle kiosk invites, and begins anew for who touches it", async () => {
  const browser = await running("?idle=30");
  const invites = () => !browser.byId("attract").hidden;
  await pass(browser, 10);
  await open(browser, answer());
  browser.document.fire("pointerdown");
  await pass(browser, 28);
  assert.equal(invites(), false, "somebody had touched it");
  await pass(browser, 4);
  assert.equal(invites(), true);
  assert.equal(browser.byId("still").hidden, true, "the picture of the one before is still there");
  const sent = browser.socket.sent.length;
  await pass(browser, 10);
  assert.ok(browser.socket.sent.length - sent <= 20, "it looks as often as when somebody is there");
  const space = browser.document.fire("keydown", { key: " ", target: { closest: () => null } });
  assert.equal(invites(), false);
  assert.equal(space.prevented, false, "the key that wakes it does nothing else");
});

test("an inviting kiosk wakes when the camera is sure of something else, not of the same, and not when unsure", async () => {
  const browser = await running("?idle=30");
  browser.socket.say(answer());
  const say = async (more) => {
    browser.socket.say(more);
    await browser.clock.advance(100);
  };
  await pass(browser, 40);
  const invites = () => !browser.byId("attract").hidden;
  assert.equal(invites(), true);
  await say({ ...answer([{ ...CAT, label: "Dog" }]), certain: false });
  await say(answer([]));
  await say(answer([CAT, CAT]));
  assert.equal(invites(), true);
  await say(answer([{ ...CAT, label: "Dog" }]));
  assert.equal(invites(), false);
});

test("what is wrong is not hidden by an invitation, and an unlocked kiosk does not invite by itself", async () => {
  const browser = await running("?idle=30");
  browser.socket.say(answer());
  await browser.clock.advance(3000);
  browser.cameras.fault = "NotReadableError";
  browser.cameras.tracks[0].fire("ended");
  await browser.clock.advance(60000);
  assert.equal(browser.byId("attract").hidden, true);
  for (const [search, wanted] of [["", true], ["?locked=1", false], ["?locked=1&idle=0", true]]) {
    const other = await running(search);
    await pass(other, 70);
    assert.equal(other.byId("attract").hidden, wanted, search);
  }
});

test("a key that ran out leads to the sign-in", async () => {
  const browser = await running();
  await open(browser, { status: 401, error: { code: "key_expired", message: "" } });
  assert.equal(browser.visited.length, 1);
  assert.match(browser.visited[0], /^login\?next=%2Fpage/);
});

const sessions = [
  [{ keys: true, scopes: [] }, 1],
  [{ keys: true, scopes: ["view"] }, 1],
  [{ keys: true, scopes: ["predict"] }, 0],
  [{ keys: false, scopes: [] }, 0],
  [undefined, 0],
];
for (const [session, visits] of sessions) {
  test(`a connection that ends leads ${visits ? "" : "not "}to the sign-in with ${JSON.stringify(session)}`, async () => {
    const browser = await running("", (one) => (one.replies["/session"] = session));
    browser.socket.end();
    await settle();
    assert.equal(browser.visited.length, visits);
    assert.equal(browser.byId("signout-button").hidden, !session?.keys);
  });
}

test("models and cameras are offered by name, and one that is not here now stays chosen", async () => {
  const browser = await running("?model=gone&camera=Back");
  const offered = (id) => browser.byId(id).options.map((one) => [one.value, one.textContent]);
  assert.deepEqual(offered("set-model"), [["", "Default (Things)"], ["imagenet", "Things"], ["objects", "objects"], ["gone", "gone"]]);
  assert.equal(browser.byId("set-model").value, "gone");
  assert.deepEqual(offered("set-camera"), [["", "Any"], ["Front", "Front"], ["Back", "Back"]]);
  assert.equal(browser.byId("set-camera").value, "Back");
  assert.deepEqual(browser.cameras.asked.at(-1).video.deviceId, { exact: "id of Back" });
});

test("a model or a name that is chosen is kept and connected with; the old answer is forgotten", async () => {
  const browser = await running();
  assert.equal(browser.socket.url.search, "?camera=kiosk");
  browser.socket.say(answer());
  browser.byId("set-model").value = "objects";
  browser.byId("set-model").fire("change");
  assert.equal(browser.socket.url.search, "?model=objects&camera=kiosk");
  browser.socket.accept();
  await browser.clock.advance(10);
  browser.byId("set-theme").value = "dark";
  browser.byId("set-theme").fire("change"); // which shows all anew
  assert.deepEqual(words(browser, "verdict"), ["Looking"]);
  browser.byId("set-name").value = "  door ";
  browser.byId("set-name").fire("change");
  assert.equal(browser.socket.url.search, "?model=objects&camera=door");
  assert.equal(browser.location.search, "?model=objects&theme=dark&name=door");
  assert.equal(browser.sockets.filter((one) => one.readyState < 2).length, 1);
});

test("settings of the address are kept for a visit without them", async () => {
  const browser = await running("?model=objects&name=door&lang=fr");
  const kept = Object.fromEntries(browser.stored);
  assert.deepEqual(kept, { "edge.model": "objects", "edge.name": "door", "edge.lang": "fr" });
});

test("keys do what they say, but not while somebody types or holds another key", async () => {
  const browser = await running();
  const press = (key, more = {}) => browser.document.fire("keydown", { key, target: { closest: () => null }, ...more });
  for (const more of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }, { target: { closest: () => true } }]) {
    assert.equal(press("s", more).prevented, false);
    assert.equal(browser.byId("settings").open, false);
  }
  assert.equal(press("x").prevented, false);
  assert.equal(press("S").prevented, true);
  assert.equal(browser.byId("settings").open, true);
  await open(browser, answer());
  assert.equal(press("Escape", { target: { closest: () => true } }).prevented, false);
  assert.equal(browser.byId("still").hidden, true);
});

test("a picture can be dropped or pasted", async () => {
  const browser = await running();
  browser.replies["/predict"] = answer();
  const dropped = browser.document.fire("drop", { dataTransfer: { files: [{ name: "dropped" }] } });
  await settle();
  assert.equal(dropped.prevented, true);
  assert.deepEqual(words(browser, "state", "verdict"), ["Picture", "Cat"]);
  browser.byId("back").click();
  browser.document.fire("paste", { clipboardData: { files: [{ name: "pasted" }] } });
  await settle();
  assert.deepEqual(words(browser, "state", "verdict"), ["Picture", "Cat"]);
  browser.document.fire("paste", { clipboardData: { files: [] } });
  await settle();
  assert.equal(browser.fetched.filter((one) => one.pathname === "/predict").length, 2);
});

test("long words are made smaller, down to half, where they stand on two lines, and short ones are not", async () => {
  const browser = await running();
  const verdict = browser.byId("verdict");
  const sizes = [[100, 50], [100, 200], [100, 210]].map(([clientWidth, scrollWidth], at) => {
    Object.assign(verdict, { clientWidth, scrollWidth });
    browser.socket.say(answer([{ ...CAT, label: `Cat ${at}` }]));
    return [verdict.style.fontSize, verdict.classList.contains("two-lines")];
  });
  assert.deepEqual(sizes, [["", false], ["49px", false], ["", true]]);
});

test("the screen is kept on when the page opens and each time it is seen again", async () => {
  const browser = await kiosk();
  assert.deepEqual(browser.awake, ["screen"]);
  browser.document.hidden = true;
  browser.document.fire("visibilitychange");
  assert.equal(browser.awake.length, 1);
  browser.document.hidden = false;
  browser.document.fire("visibilitychange");
  assert.equal(browser.awake.length, 2);
});

test("full screen is entered and left by the same button", async () => {
  const browser = await kiosk();
  browser.byId("fullscreen").click();
  assert.ok(browser.document.fullscreenElement === browser.document.documentElement);
  browser.byId("fullscreen").click();
  assert.ok(browser.document.fullscreenElement === null);
});

test("a picture that is dragged over the page is invited, until it is dropped or taken away", async () => {
  const browser = await kiosk();
  const { document } = browser;
  const invited = () => document.body.classList.contains("dragging");
  assert.equal(document.fire("dragover").prevented, true);
  assert.equal(invited(), true);
  document.fire("dragleave", { relatedTarget: {} });
  assert.equal(invited(), true, "it only went over another part of the page");
  document.fire("dragleave", { relatedTarget: null });
  assert.equal(invited(), false);
  document.fire("dragover");
  document.fire("drop", { dataTransfer: { files: [] } });
  assert.equal(invited(), false);
});

test("another language changes what is shown and offered", async () => {
  const browser = await running();
  browser.socket.say(answer());
  browser.byId("set-language").value = "fr";
  browser.byId("set-language").fire("change");
  await settle();
  assert.deepEqual(words(browser, "state"), ["En direct"]);
  assert.equal(browser.byId("set-model").options[0].textContent, "Par défaut (Things)");
  assert.equal(browser.byId("set-camera").options[0].textContent, "N’importe laquelle");
});

test("a camera that is chosen is used and kept", async () => {
  const browser = await running();
  browser.byId("set-camera").value = "Back";
  await browser.byId("set-camera").fire("change").done;
  await settle();
  assert.deepEqual(browser.cameras.asked.at(-1).video.deviceId, { exact: "id of Back" });
  assert.equal(browser.stored.get("edge.camera"), "Back");
  assert.equal(browser.cameras.live, 1);
});

test("boxes and words fit a window whose size changes", async () => {
  const browser = await running();
  browser.socket.say(answer());
  Object.assign(browser.byId("boxes"), { clientWidth: 400, clientHeight: 400 });
  Object.assign(browser.byId("verdict"), { clientWidth: 100, scrollWidth: 200 });
  browser.window.fire("resize");
  assert.equal(boxes(browser)[0].x, 200);
  assert.equal(browser.byId("verdict").style.fontSize, "49px");
});

test("models that a reconnect finds anew are offered; a service without an answer leaves those known", async () => {
  const browser = await running();
  browser.replies["/models"] = { default: "objects", models: [{ name: "objects" }] };
  browser.socket.end();
  await browser.clock.advance(400);
  browser.socket.accept();
  await settle();
  assert.deepEqual(browser.byId("set-model").options.map((one) => one.value), ["", "objects"]);
  browser.replies["/models"] = { status: 503 };
  browser.socket.end();
  await browser.clock.advance(400);
  browser.socket.accept();
  await settle();
  assert.deepEqual(browser.byId("set-model").options.map((one) => one.value), ["", "objects"]);
});
