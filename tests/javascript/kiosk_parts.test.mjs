import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { Browser, load, loadTogether, STATIC } from "./browser.mjs";

const kioskPage = (search = "") => new Browser(readFileSync(join(STATIC, "kiosk.html"), "utf8"), { search });

/** The screen and the state that it shows, from one copy of the modules. */
async function loadScreen() {
  const [screen, { state }] = await loadTogether("kiosk_screen.js", "kiosk_state.js");
  return { ...screen, state };
}

const mirrors = [
  // setting, camera faces the visitor, a picture is opened, mirrored
  ["", false, false, false],
  ["", true, false, true],
  ["", true, true, false],
  ["1", false, false, true],
  ["1", true, true, false],
  ["0", true, false, false],
  ["0", false, false, false],
];
for (const [set, facesVisitor, still, wanted] of mirrors) {
  test(`mirrored: ${wanted}, for mirror=${set}${facesVisitor ? ", a front camera" : ""}${still ? ", a picture" : ""}`, async () => {
    kioskPage(set && `?mirror=${set}`);
    const { mirrored, state } = await load("kiosk_state.js");
    Object.assign(state, { facesVisitor, still: still ? "blob:1" : null });
    assert.equal(mirrored(), wanted);
  });
}

test("the model that is asked for is the one set, where it serves or nothing is known, or else the default one", async () => {
  const models = { default: "a", models: [{ name: "a", display_name: "Model A" }, { name: "b" }] };
  for (const [set, known, wanted] of [["", models, ""], ["b", models, "b"], ["c", models, ""], ["default", models, "default"], ["c", undefined, "c"]]) {
    const browser = kioskPage(set && `?model=${set}`);
    browser.replies["/models"] = known;
    const { displayName, findModels, wantedModel } = await load("kiosk_models.js");
    assert.equal(await findModels(), Boolean(known));
    assert.equal(wantedModel(), wanted, set);
    if (known) assert.deepEqual(["", "a", "b", "c"].map(displayName), ["Model A", "Model A", "b", "c"]);
  }
});

test("the screen is asked for again when the system lets it go, but not for a hidden page", async () => {
  const browser = kioskPage();
  let release;
  globalThis.navigator.wakeLock.request = async (what) => {
    browser.awake.push(what);
    return { addEventListener: (_, action) => (release = action) };
  };
  const { stayAwake } = await load("kiosk_idle.js");
  await stayAwake();
  release();
  await browser.clock.advance(1500);
  assert.equal(browser.awake.length, 2);
  browser.document.hidden = true;
  release();
  await browser.clock.advance(1500);
  assert.equal(browser.awake.length, 2);
});

test("bars that have no room are left out, and one stays", async () => {
  const browser = kioskPage();
  const { show, state } = await loadScreen();
  const bars = browser.byId("bars");
  Object.defineProperty(bars, "scrollHeight", { get: () => bars.children.length * 50 });
  const predictions = [1, 2, 3, 4].map((index) => ({ label: `label ${index}`, index, score: 0.5 }));
  state.answer = { model: { name: "a", version: 1 }, image: { width: 1, height: 1 }, predictions };
  for (const [height, wanted] of [[220, 4], [120, 2], [20, 1]]) {
    bars.clientHeight = height;
    show();
    assert.equal(bars.children.length, wanted);
  }
});
