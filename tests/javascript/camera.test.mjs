import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { bareBrowser, load, settle } from "./browser.mjs";
import { make } from "./elements.mjs";

let browser, video, told;

beforeEach(() => {
  browser = bareBrowser();
  video = make("video");
  told = [];
});

async function camera() {
  const { Camera } = await load("camera.js");
  return new Camera(video, (state) => told.push(state));
}

/** A camera in use, whose picture moves. */
async function live() {
  const made = await camera();
  await made.use("");
  setInterval(() => (video.frames += video.srcObject && !video.paused ? 1 : 0), 100);
  return made;
}

test("a camera that is used plays, and is told", async () => {
  const made = await live();
  assert.deepEqual(told, ["live"]);
  assert.equal(made.state, "live");
  assert.equal(video.paused, false);
  assert.equal(browser.cameras.asked[0].audio, false);
  assert.deepEqual(browser.cameras.asked[0].video.facingMode, { ideal: "environment" });
});

test("a camera is used by a part of its name; any, where it is not there", async () => {
  const made = await camera();
  await made.use("Bac");
  assert.deepEqual(browser.cameras.asked[0].video.deviceId, { exact: "id of Back" });
  await made.use("Microphone");
  assert.equal(browser.cameras.asked[1].video.deviceId, undefined);
  assert.deepEqual(browser.cameras.asked[1].video.width, { ideal: 1280 });
});

test("of two cameras of the same name each can be chosen, and is found again by its name", async () => {
  browser.cameras.names = ["Webcam", "Webcam", "Back", "Webcam (2)", "Webcam"];
  const made = await camera();
  const names = await made.names();
  assert.deepEqual(names, ["Webcam", "Webcam (2)", "Back", "Webcam (2) (2)", "Webcam (3)"]);
  for (const name of names) await made.use(name);
  const used = browser.cameras.asked.map(({ video: { deviceId } }) => deviceId.exact);
  const first = "id of Webcam";
  assert.deepEqual(used, [first, `${first} again`, "id of Back", "id of Webcam (2)", `${first} again again`]);
  assert.equal(browser.cameras.live, 1);
});

test("a camera that is called like a part of another's name is used itself", async () => {
  browser.cameras.names = ["HD Webcam", "Webcam"];
  await (await camera()).use("Webcam");
  assert.deepEqual(browser.cameras.asked[0].video.deviceId, { exact: "id of Webcam" });
});

test("the camera is the chosen one where names are told only once a camera is allowed", async () => {
  browser.cameras.namesAreTold = false;
  const made = await camera();
  await made.use("Back");
  assert.deepEqual(browser.cameras.asked.at(-1).video.deviceId, { exact: "id of Back" });
  assert.equal(browser.cameras.live, 1);
  assert.deepEqual(told, ["live"]);
  await made.use("");
  assert.equal(browser.cameras.asked.length, 3);
});

test("it is not asked for again if it was the chosen one already", async () => {
  browser.cameras.namesAreTold = false;
  await (await camera()).use("Front");
  assert.equal(browser.cameras.asked.length, 1);
});

test("another camera is used in the place of the first, which is let go", async () => {
  const made = await live();
  for (const name of ["Front", "Back", ""]) await made.use(name);
  assert.equal(browser.cameras.live, 1);
  assert.equal(browser.cameras.tracks.length, 4);
});

test("names are those of cameras that tell one", async () => {
  browser.cameras.names = ["Front", "", "Back"];
  assert.deepEqual(await (await camera()).names(), ["Front", "Back"]);
});

const faults = { NotAllowedError: "denied", NotFoundError: "none", OverconstrainedError: "none", NotReadableError: "lost" };
for (const [fault, state] of Object.entries(faults)) {
  test(`${fault} is told as ${state}, and the camera is tried again every two seconds`, async () => {
    browser.cameras.fault = fault;
    const made = await camera();
    await made.use("");
    assert.deepEqual(told, [state]);
    await browser.clock.advance(6100);
    assert.equal(browser.cameras.asked.length, 4);
    browser.cameras.fault = null;
    await browser.clock.advance(2000);
    assert.equal(told.at(-1), "live");
    const { length } = browser.cameras.asked;
    await browser.clock.advance(1900);
    assert.equal(browser.cameras.asked.length, length);
  });
}

test("a camera that is plugged in is used at once; one more changes nothing", async () => {
  browser.cameras.fault = "NotFoundError";
  await (await camera()).use("");
  browser.cameras.fault = null;
  browser.cameras.fire("devicechange");
  await settle();
  assert.equal(told.at(-1), "live");
  browser.cameras.fire("devicechange");
  await settle();
  assert.equal(browser.cameras.asked.length, 2);
});

test("a page that may not have a camera is told so, and asks for none", async () => {
  browser = bareBrowser({ secure: false });
  const made = await camera();
  await made.use("");
  await browser.clock.advance(10_000);
  assert.deepEqual(told, ["insecure"]);
  assert.deepEqual(await made.names(), []);
});

test("a camera that is unplugged is lost at once, let go, and found again", async () => {
  await live();
  browser.cameras.tracks[0].fire("ended");
  assert.deepEqual(told, ["live", "lost"]);
  assert.equal(video.srcObject, null);
  assert.equal(browser.cameras.live, 0);
  await browser.clock.advance(2000);
  assert.deepEqual(told, ["live", "lost", "live"]);
  assert.equal(browser.cameras.live, 1);
});

test("a track that ended without a word is noticed within two seconds", async () => {
  await live();
  browser.cameras.tracks[0].stop();
  await browser.clock.advance(2000);
  assert.deepEqual(told.slice(0, 2), ["live", "lost"]);
});

test("a picture that stands still is lost after three to seven seconds, one that moves never", async () => {
  await live();
  await browser.clock.advance(60_000);
  assert.deepEqual(told, ["live"]);
  let moved = video.frames;
  Object.defineProperty(video, "frames", { get: () => moved, set: () => {} });
  const from = browser.clock.now;
  while (told.at(-1) === "live" && browser.clock.now < from + 20_000) await browser.clock.advance(100);
  const waited = browser.clock.now - from;
  assert.ok(waited > 3000 && waited <= 7000, `${waited} ms`);
});

test("a video that is paused has not lost its camera", async () => {
  await live();
  video.pause();
  await browser.clock.advance(30_000);
  assert.deepEqual(told, ["live"]);
});

test("a page that is not seen asks for no camera", async () => {
  browser.cameras.fault = "NotFoundError";
  await (await camera()).use("");
  browser.document.hidden = true;
  await browser.clock.advance(10_000);
  assert.equal(browser.cameras.asked.length, 1);
});

test("a camera is asked for once at a time, and again after the browser's question was answered", async () => {
  let answer;
  const { getUserMedia } = Object.getPrototypeOf(browser.cameras);
  browser.cameras.getUserMedia = (wanted) =>
    new Promise((done) => (answer = () => done(getUserMedia.call(browser.cameras, wanted))));
  const made = await camera();
  const used = made.use("");
  await browser.clock.advance(20_000);
  answer();
  await used;
  assert.deepEqual(told, ["live"]);
  assert.equal(browser.cameras.live, 1);
  browser.cameras.tracks[0].fire("ended");
  await browser.clock.advance(2000);
  answer();
  await settle();
  assert.deepEqual(told, ["live", "lost", "live"]);
});

test("a camera that is chosen while another opens is used in its place", async () => {
  let allow;
  const { getUserMedia } = Object.getPrototypeOf(browser.cameras);
  const asked = new Promise((done) => (allow = done));
  browser.cameras.getUserMedia = async (wanted) => {
    await asked;
    return getUserMedia.call(browser.cameras, wanted);
  };
  const made = await camera();
  const first = made.use("Front");
  await settle();
  await made.use("Back");
  allow();
  await first;
  assert.equal(told.at(-1), "live");
  assert.deepEqual(browser.cameras.asked.at(-1).video.deviceId, { exact: "id of Back" });
  assert.equal(browser.cameras.live, 1);
  assert.ok(video.srcObject.getTracks()[0] === browser.cameras.tracks.at(-1));
});
