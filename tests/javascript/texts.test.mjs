import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { load, STATIC } from "./browser.mjs";

const { TEXTS } = await load("texts.js");
const languages = Object.keys(TEXTS);
const sources = readdirSync(STATIC).filter((name) => /\.(html|js)$/.test(name) && name !== "texts.js");
const source = sources.map((name) => readFileSync(join(STATIC, name), "utf8")).join("\n");

const holes = (words) => [...words.matchAll(/{(\w+)}/g)].map(([, name]) => name).sort();

test("there are texts in English and French", () => {
  assert.deepEqual(languages, ["en", "fr"]);
  assert.ok(Object.keys(TEXTS.en).length > 100);
});

for (const language of languages) {
  test(`every text is there in ${language}, and has words`, () => {
    assert.deepEqual(Object.keys(TEXTS[language]).sort(), Object.keys(TEXTS.en).sort());
    for (const [key, words] of Object.entries(TEXTS[language])) {
      assert.ok(words.trim().length > 0, key);
      assert.equal(words, words.trim(), key);
    }
  });

  test(`every text in ${language} has the values of the English one, each well written`, () => {
    for (const [key, words] of Object.entries(TEXTS[language])) {
      assert.deepEqual(holes(words), holes(TEXTS.en[key]), key);
      assert.doesNotMatch(words.replace(/{\w+}/g, ""), /[{}]/, key);
    }
  });

  test(`no key is written twice in ${language}: the second would win`, () => {
    const file = readFileSync(join(STATIC, "texts.js"), "utf8");
    const [from, to] = [file.indexOf(`  ${language}: {`), file.indexOf("\n  },", file.indexOf(`  ${language}: {`))];
    const keys = [...file.slice(from, to).matchAll(/^ {4}"([\w.]+)":/gm)].map(([, key]) => key);
    assert.equal(keys.length, Object.keys(TEXTS[language]).length);
  });
}

test("French is not left in English", () => {
  const same = Object.keys(TEXTS.en).filter((key) => TEXTS.en[key] === TEXTS.fr[key] && /[a-z]{4} [a-z]{3}/i.test(TEXTS.en[key]));
  assert.deepEqual(same, []);
});

test("every text that a page names is there, and every one that is there is named", () => {
  const named = new Set([...source.matchAll(/data-(?:text|label|title|alt)="([\w.]+)"/g)].map(([, key]) => key));
  for (const [, key] of source.matchAll(/"((?:front|alerts|answer|correct|privacy|fault|lost|kiosk|camera|server|settings|wall|phones?|login|pair)\.[\w.]+)"/g)) named.add(key);
  const families = [...source.matchAll(/`((?:camera|server|fault|login\.fault|pair|front\.task|wall\.(?:state|source|link))\.)\$/g)].map(([, start]) => start);
  assert.deepEqual([...named].filter((key) => !(key in TEXTS.en)), []);
  const unused = Object.keys(TEXTS.en).filter((key) => !named.has(key) && !families.some((start) => key.startsWith(start)));
  assert.deepEqual(unused, []);
});

const families = {
  "camera.": ["starting", "none", "denied", "lost", "insecure"].flatMap((state) => [state, `${state}.help`]),
  "server.": ["gone", "gone.help", "slow", "slow.help", "busy", "busy.help"],
  "wall.state.": ["START", "LOADING", "AVAILABLE", "END"],
  "wall.link.": ["up", "half_open", "down", "absent"],
  "wall.source.": ["edge", "cloud"],
  "login.fault.": ["key_missing", "key_expired", "key_forbidden"],
  "pair.": ["android", "ios", "windows"].flatMap((device) => [device, 1, 2, 3].map((step) => (step === device ? device : `${device}.${step}`))),
};
test("every state that the service or a browser can tell has its text", () => {
  for (const [start, states] of Object.entries(families)) {
    for (const state of states) assert.ok(`${start}${state}` in TEXTS.en, `${start}${state}`);
  }
});

test("no page writes HTML, runs text, or keeps a key where scripts can read it", () => {
  for (const words of ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "document.cookie", "sessionStorage"]) {
    assert.equal(source.includes(words), false, words);
  }
});
