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
  assert.equal(browser.location.search, "");
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
  assert.deepEqual(words(browser, "verdict", "headline", "advice"), ["", "The service refused the picture", "Too many."]);
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

test("a picture that is refused, or a service that is gone, is told in words", async () => {
  const browser = await running();
  await open(browser, { status: 400, error: { code: "bad_image", message: "This is not an image." } });
  assert.deepEqual(words(browser, "headline", "advice", "verdict"), ["The service refused the picture", "This is not an image.", ""]);
  await open(browser, answer());
  assert.deepEqual(words(browser, "headline", "verdict"), ["", "Cat"]);
  await open(browser, () => {
    throw new Error("gone");
  });
  assert.match(browser.byId("advice").textContent, /keeps trying/);
  assert.deepEqual(words(browser, "verdict"), [""]);
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

test("long words are made smaller, down to a limit, and short ones are not", async () => {
  const browser = await running();
  const verdict = browser.byId("verdict");
  const sizes = [[100, 50], [100, 200], [100, 1000]].map(([clientWidth, scrollWidth], at) => {
    Object.assign(verdict, { clientWidth, scrollWidth });
    browser.socket.say(answer([{ ...CAT, label: `Cat ${at}` }]));
    return verdict.style.fontSize;
  });
  assert.deepEqual(sizes, ["", "49px", "40px"]);
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
