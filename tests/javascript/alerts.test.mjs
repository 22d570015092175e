import assert from "node:assert/strict";
import { test } from "node:test";

import { bareBrowser, load, openPage } from "./browser.mjs";
import { Target } from "./elements.mjs";

const ALERT = {
  id: "alert_1", rule: "at the gate", camera: "gate", label: "Person", count: 3, score: 0.914, held_s: 5, sound: true,
  at: "2026-05-04T10:03:44.105Z", age_s: 0,
}; // prettier-ignore
const ON = [{ rule: "at the gate", cameras: ["gate"] }];
const told = (recent, on = ON) => ({ on, recent });

/** A player that runs, or waits for a touch; remembers its tones. */
function speaker(state) {
  const made = [];
  globalThis.AudioContext = class extends Target {
    state = state;
    currentTime = 0;
    tones = [];
    constructor() {
      super();
      made.push(this);
    }
    async resume() {
      this.state = "running";
      this.fire("statechange");
    }
    createOscillator() {
      const tone = { frequency: {}, connect: () => {}, start: () => this.tones.push(tone), stop: () => {} };
      return tone;
    }
    createGain() {
      return { gain: { setValueAtTime: () => {}, linearRampToValueAtTime: () => {} }, connect: () => {} };
    }
  };
  return { get tones() { return made.reduce((sum, one) => sum + one.tones.length, 0); } }; // prettier-ignore
}

async function wall(state = "running", options = {}) {
  const browser = bareBrowser(options);
  const sounds = speaker(state);
  const { dress } = await load("page.js");
  dress();
  const { followAlerts } = await load("alerts.js");
  const events = new Target();
  followAlerts(events);
  const say = (...what) => events.fire("alerts", { data: JSON.stringify(told(...what)) });
  const banner = () => browser.document.body.all(".alerts")[0];
  const rows = () => banner()?.all(".alert-row") ?? [];
  const toggle = () => banner().all("button").at(-1);
  return { browser, say, banner, rows, toggle, sounds, events, followAlerts };
}

test("without rules there are no events, no banner and no player", async () => {
  const { banner, browser } = await wall();
  assert.equal(banner(), undefined);
  assert.equal(browser.document.made.length, 0);
});

test("an alert is a row with its rule, what was seen, where and when, and two tones", async () => {
  const { say, rows, banner, sounds } = await wall();
  say([ALERT]);
  assert.equal(banner().hidden, false);
  assert.equal(rows().length, 1);
  const words = rows()[0].textContent;
  for (const part of ["at the gate", "3 × Person", "91", "gate"]) assert.ok(words.includes(part), `${part} in ${words}`);
  assert.equal(sounds.tones, 2);
});

test("an alert is heard once, and neither after a reload nor when its rule is silent", async () => {
  const { say, sounds } = await wall();
  say([ALERT]);
  say([ALERT]);
  assert.equal(sounds.tones, 2);
  say([{ ...ALERT, id: "alert_2", age_s: 6 }, ALERT]);
  say([{ ...ALERT, id: "alert_3", sound: false }, ALERT]);
  assert.equal(sounds.tones, 2);
});

test("an alert stays while it goes on, and half a minute after", async () => {
  const { say, rows, banner, browser } = await wall();
  say([ALERT]);
  await browser.clock.advance(60_000);
  assert.equal(rows().length, 1);
  say([{ ...ALERT, age_s: 60 }], []);
  assert.equal(rows().length, 0);
  assert.equal(banner().hidden, true);
  say([{ ...ALERT, id: "alert_2" }], []);
  assert.ok(rows()[0].classList.contains("over"));
  await browser.clock.advance(28_000);
  assert.equal(rows().length, 1);
  await browser.clock.advance(3_000);
  assert.equal(rows().length, 0);
});

test("another camera of the same rule keeps no alert", async () => {
  const { say, rows } = await wall();
  say([{ ...ALERT, camera: "yard", age_s: 60 }]);
  assert.equal(rows().length, 0);
});

test("a dismissed alert stays away, the others stay", async () => {
  const { say, rows } = await wall();
  const second = { ...ALERT, id: "alert_2", rule: "in the yard" };
  say([second, ALERT]);
  rows()[0].all("button")[0].click();
  assert.deepEqual(rows().map((row) => row.dataset.alert), ["alert_1"]);
  say([second, ALERT]);
  assert.deepEqual(rows().map((row) => row.dataset.alert), ["alert_1"]);
});

test("three are shown and the rest is counted", async () => {
  const { say, rows, banner } = await wall();
  say([1, 2, 3, 4, 5].map((number) => ({ ...ALERT, id: `alert_${number}` })));
  assert.equal(rows().length, 3);
  assert.match(banner().textContent, /and 2 more/);
});

test("a row that stays is not made anew: it would be read out again", async () => {
  const { say, rows } = await wall();
  say([ALERT]);
  const [first] = rows();
  say([{ ...ALERT, id: "alert_2" }, ALERT]);
  assert.ok(rows()[1] === first);
});

test("a browser that waits for a touch says so, and one touch turns the sound on", async () => {
  const { say, toggle, banner, sounds } = await wall("suspended");
  say([]);
  assert.equal(banner().hidden, false);
  assert.equal(toggle().textContent, "Turn the sound on");
  say([ALERT]);
  assert.equal(sounds.tones, 0);
  await toggle().click().done;
  assert.equal(sounds.tones, 2);
  assert.equal(toggle().textContent, "Mute");
});

test("muting lasts over a reload", async () => {
  const { say, toggle, sounds, browser } = await wall();
  say([ALERT]);
  await toggle().click().done;
  assert.equal(browser.stored.get("edge.alert-sound"), "off");
  say([{ ...ALERT, id: "alert_2" }]);
  assert.equal(sounds.tones, 2);
  assert.equal(toggle().textContent, "Turn the sound on");
});

test("a screen without anybody shows no button while there is no alert", async () => {
  const { say, banner, rows } = await wall("suspended", { search: "?tv=1" });
  say([]);
  assert.equal(banner().hidden, true);
  say([ALERT]);
  assert.equal(rows().length, 1);
  assert.equal(banner().hidden, false);
});

test("where alerts do not get through is said, also while there is none", async () => {
  const { say, banner, events } = await wall();
  const health = (sinks) => events.fire("health", { data: JSON.stringify(sinks ? { sinks } : {}) });
  health({ mqtt: { fault: "timed out", queued: 3 } });
  assert.equal(banner(), undefined);
  say([]);
  assert.equal(banner().hidden, false);
  assert.match(banner().textContent, /Alerts do not reach mqtt \(3 waiting\): timed out\./);
  health({ mqtt: { fault: null, queued: 0 }, webhook: { fault: null, queued: 0 } });
  assert.equal(banner().hidden, true);
  health();
  assert.equal(banner().hidden, true);
});

test("names are text, whatever a client calls its camera", async () => {
  const { say, rows } = await wall();
  say([{ ...ALERT, camera: "<img src=x onerror=alert(1)>" }]);
  assert.ok(rows()[0].textContent.includes("<img src=x onerror=alert(1)>"));
  assert.equal(rows()[0].all("img").length, 0);
});

test("it speaks French", async () => {
  const { say, rows, toggle } = await wall("running", { languages: ["fr"] });
  say([{ ...ALERT, camera: "" }]);
  assert.equal(rows()[0].all("button")[0].textContent, "Fermer");
  assert.equal(toggle().textContent, "Couper le son");
});

test("the wall passes its events on", async () => {
  speaker("running");
  const browser = await openPage("wall", {}, (one) => (one.replies["/wall/phone"] = { url: null, keeps: 20 }));
  browser.events[0].fire("open");
  browser.events[0].say("alerts", told([ALERT]));
  assert.equal(browser.document.body.all(".alert-row").length, 1);
});
