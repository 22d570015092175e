import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { bareBrowser, load } from "./browser.mjs";

const UNDER_WAY = 2; // as many as the server takes of a stream: one computed, one waiting
const ANSWER = { frame: 0, dropped: 0, predictions: [] };
let browser, stream, answers, told;

beforeEach(async () => {
  browser = bareBrowser();
  [answers, told] = [[], []];
  const { Stream } = await load("stream.js");
  stream = new Stream((message) => answers.push(message), (state) => told.push(state));
});

/** Open a stream that the server accepts. */
function connected(parameters = {}) {
  stream.open(parameters);
  browser.socket.accept();
  return browser.socket;
}

/** Send as many frames as the stream takes; how many that are. */
function fill(socket = browser.socket) {
  const before = socket.sent.length;
  for (let turn = 0; stream.free && turn < 10; turn += 1) stream.send(`frame ${turn}`);
  return socket.sent.length - before;
}

test("a stream goes to the page's own service, with a model and a name where there are any", () => {
  stream.open({ model: "", camera: "line 1" });
  assert.equal(browser.socket.url.href, "ws://edge.test/stream?camera=line+1");
  browser.location.href = "https://edge.test:8443/kiosk?x=1";
  stream.open({ model: "objects", camera: "door" });
  assert.equal(browser.socket.url.href, "wss://edge.test:8443/stream?model=objects&camera=door");
});

test("nothing is sent before the connection is open", () => {
  stream.open({});
  assert.equal(stream.free, false);
  stream.send("frame");
  assert.deepEqual(browser.socket.sent, []);
  assert.deepEqual(told, []);
  browser.socket.accept();
  assert.deepEqual(told, ["open"]);
  assert.equal(stream.free, true);
});

test("a stream that was never opened takes no frame", () => {
  assert.ok(!stream.free);
  stream.send("frame");
  assert.equal(browser.sockets.length, 0);
});

test("two frames are under way, no more", () => {
  connected();
  assert.equal(fill(), UNDER_WAY);
  stream.send("one too many");
  assert.deepEqual(browser.socket.sent, ["frame 0", "frame 1"]);
});

test("an answer makes room for one frame, and is handed on", () => {
  const socket = connected();
  fill();
  socket.say({ ...ANSWER, frame: 7 });
  assert.deepEqual(answers, [{ ...ANSWER, frame: 7 }]);
  assert.equal(fill(), 1);
  socket.say(ANSWER);
  socket.say(ANSWER);
  assert.equal(fill(), UNDER_WAY);
});

test("an answer that tells an error makes room too", () => {
  const socket = connected();
  fill();
  socket.say({ frame: 0, dropped: 0, error: { code: "overloaded", message: "no" } });
  assert.equal(answers.length, 1);
  assert.equal(fill(), 1);
});

test("frames that the server dropped are no longer under way", () => {
  const socket = connected();
  fill();
  socket.say({ ...ANSWER, frame: 1, dropped: 1 });
  assert.equal(fill(), UNDER_WAY);
});

test("answers that nobody waits for make no more room than there is", () => {
  const socket = connected();
  for (let turn = 0; turn < 5; turn += 1) socket.say({ ...ANSWER, dropped: 3 });
  assert.equal(fill(), UNDER_WAY);
});

test("a thousand frames later there is room for two", () => {
  const socket = connected();
  for (let turn = 0; turn < 1000; turn += 1) {
    assert.ok(fill() > 0, `it takes none after ${turn}`);
    socket.say({ ...ANSWER, dropped: turn % 3 === 0 ? 1 : 0 });
  }
  socket.say(ANSWER);
  assert.equal(fill(), UNDER_WAY);
});

test("a frame that has not left this machine holds back the next", () => {
  const socket = connected();
  socket.bufferedAmount = 1;
  assert.equal(stream.free, false);
  stream.send("frame");
  assert.deepEqual(socket.sent, []);
  socket.bufferedAmount = 0;
  assert.equal(stream.free, true);
});

for (const underWay of [1, UNDER_WAY]) {
  test(`after a reconnect no frame of the old connection is under way (${underWay} were)`, async () => {
    for (let turn = 0; turn < 5; turn += 1) {
      const socket = turn ? browser.socket : connected();
      for (let sent = 0; sent < underWay; sent += 1) stream.send("frame");
      socket.end();
      assert.ok(!stream.free);
      await browser.clock.advance(1000);
      assert.ok(browser.socket !== socket);
      browser.socket.accept();
      assert.equal(fill(), UNDER_WAY, `reconnect ${turn + 1}`);
      browser.socket.say(ANSWER);
      browser.socket.say(ANSWER);
    }
  });
}

test("another model begins with nothing under way, and the old connection is closed", () => {
  const old = connected({ model: "imagenet" });
  fill();
  const now = connected({ model: "objects" });
  assert.equal(old.readyState, WebSocket.CLOSING);
  assert.equal(fill(now), UNDER_WAY);
});

test("what an old connection still says is not heard", async () => {
  const old = connected({ model: "imagenet" });
  fill();
  const now = connected({ model: "objects" });
  fill(now);
  told.length = 0;
  old.say(ANSWER);
  assert.deepEqual(answers, []);
  assert.equal(fill(now), 0, "it made room on the new one");
  old.fire("open");
  old.end();
  assert.deepEqual(told, []);
  await browser.clock.advance(3000);
  assert.ok(browser.socket === now, "its end ended the new one");
});

test("frames go to the new connection only", async () => {
  const old = connected();
  old.end();
  await browser.clock.advance(1000);
  browser.socket.accept();
  fill();
  assert.equal(old.sent.length, 0);
});

/** When the next connection begins after this one's end, in ms; looked at every 10. */
async function untilNext(socket, most = 5000) {
  socket.end();
  const [count, from] = [browser.sockets.length, browser.clock.now];
  while (browser.sockets.length === count && browser.clock.now < from + most) await browser.clock.advance(10);
  return browser.clock.now - from;
}

test("a connection that fails is tried again after 0.3, 0.7, 1.5 and then every 2 s", async () => {
  stream.open({ camera: "door" });
  const waits = [];
  for (let turn = 0; turn < 6; turn += 1) waits.push(await untilNext(browser.socket));
  assert.deepEqual(waits, [300, 700, 1500, 2000, 2000, 2000]);
  assert.equal(told.join(), Array(6).fill("gone").join());
  assert.equal(browser.socket.url.searchParams.get("camera"), "door");
});

test("once a connection was open, the next failure is tried again soon", async () => {
  stream.open({});
  for (let turn = 0; turn < 4; turn += 1) await untilNext(browser.socket);
  browser.socket.accept();
  assert.equal(await untilNext(browser.socket), 300);
});

test("one end leads to one connection, however often it is told", async () => {
  const socket = connected();
  socket.end();
  socket.fire("close");
  await browser.clock.advance(2500);
  browser.socket.accept();
  await browser.clock.advance(10_000);
  assert.equal(browser.sockets.length, 2);
});

test("a model chosen while the service is gone is connected to at once, and once", async () => {
  connected().end();
  stream.open({ model: "objects" });
  assert.equal(browser.sockets.length, 2);
  browser.socket.accept();
  await browser.clock.advance(3000);
  assert.equal(browser.sockets.length, 2);
  assert.equal(browser.socket.readyState, WebSocket.OPEN);
});

test("when the network comes back it is tried at once, unless the connection stands", async () => {
  const socket = connected();
  browser.window.fire("online");
  await browser.clock.advance(100);
  assert.equal(browser.sockets.length, 1);
  socket.end();
  for (let turn = 0; turn < 3; turn += 1) await untilNext(browser.socket);
  browser.socket.end();
  const before = browser.sockets.length;
  browser.window.fire("online");
  await browser.clock.advance(0);
  assert.equal(browser.sockets.length, before + 1);
});

/** When that is told, in ms from now; looked at every 10. */
async function untilTold(state, most = 20_000) {
  const from = browser.clock.now;
  while (told.at(-1) !== state && browser.clock.now < from + most) await browser.clock.advance(10);
  return browser.clock.now - from;
}

test("an answer that does not come ends the connection after 4 s", async () => {
  const socket = connected();
  await browser.clock.advance(60_000); // nothing under way, nothing to wait for
  assert.deepEqual(told, ["open"]);
  stream.send("frame");
  const waited = await untilTold("slow");
  assert.ok(waited >= 4000 && waited <= 4600, `${waited} ms`);
  assert.equal(socket.readyState, WebSocket.CLOSING);
  assert.equal(browser.sockets.length, 2);
});

test("a handshake that does not end is given up after 4 s", async () => {
  stream.open({});
  const waited = await untilTold("slow");
  assert.ok(waited >= 4000 && waited <= 4600, `${waited} ms`);
  assert.equal(browser.sockets.length, 2);
});

test("a link that answers slowly is kept as long as each answer comes within 4 s", async () => {
  const socket = connected();
  for (let turn = 0; turn < 5; turn += 1) {
    fill();
    await browser.clock.advance(3400);
    socket.say(ANSWER);
  }
  assert.deepEqual(told, ["open"]);
  assert.equal(browser.sockets.length, 1);
});

test("a second frame does not put off the end of a link on which the first got no answer", async () => {
  connected();
  stream.send("frame");
  await browser.clock.advance(3000);
  stream.send("frame");
  const waited = await untilTold("slow");
  assert.ok(waited >= 1000 && waited <= 1600, `${waited} ms`);
});

test("a silent link is no longer called slow once an answer comes, not when a connection merely opens", async () => {
  connected();
  fill();
  await untilTold("slow");
  browser.socket.accept();
  assert.equal(told.at(-1), "slow");
  assert.equal(fill(), UNDER_WAY);
  browser.socket.say(ANSWER);
  assert.deepEqual(told, ["open", "slow", "open"]);
  browser.socket.say(ANSWER);
  assert.deepEqual(told, ["open", "slow", "open"]);
});

test("a silent link that ends is gone, and the next connection is told when it opens", async () => {
  connected();
  fill();
  await untilTold("slow");
  browser.socket.end();
  await browser.clock.advance(1000);
  browser.socket.accept();
  assert.deepEqual(told, ["open", "slow", "gone", "open"]);
});

test("a silent link is tried anew every 4 s until an answer comes, each time with room for frames", async () => {
  connected();
  for (let turn = 1; turn <= 4; turn += 1) {
    fill();
    told.length = 0;
    const waited = await untilTold("slow");
    assert.ok(waited >= 4000 && waited <= 4600, `turn ${turn}: ${waited} ms`);
    assert.equal(browser.sockets.length, turn + 1);
    browser.socket.accept();
  }
});
