import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { bareBrowser, load, openPage, STATIC } from "./browser.mjs";
import { make } from "./elements.mjs";

async function page(options) {
  const browser = bareBrowser(options);
  return { browser, ...(await load("page.js")) };
}

test("a setting is the address's, else the one kept in this browser, else the default", async () => {
  const { browser, setting } = await page({ search: "?model=a&name=" });
  browser.stored.set("edge.model", "b").set("edge.camera", "c").set("edge.name", "d");
  assert.equal(setting("model"), "a");
  assert.equal(setting("camera"), "c");
  assert.equal(setting("name", "kiosk"), "", "an empty one in the address is one too");
  assert.equal(setting("theme", "dark"), "dark");
  assert.equal(setting("theme"), "");
});

test("a setting that is kept is in the address and in this browser, beside the others", async () => {
  const { browser, keep, setting } = await page({ search: "?model=a" });
  keep("name", "line 1");
  assert.equal(browser.location.search, "?model=a&name=line+1");
  assert.equal(browser.stored.get("edge.name"), "line 1");
  keep("name", "");
  assert.equal(browser.location.search, "?model=a");
  assert.equal(setting("name", "kiosk"), "");
  keep("model", "");
  assert.equal(browser.location.href, "http://edge.test/page");
});

test("a browser without storage keeps settings in the address", async () => {
  const { keep, setting } = await page({ storage: false });
  assert.equal(setting("model", "none"), "none");
  keep("model", "objects");
  assert.equal(setting("model"), "objects");
});

const languages = [
  [["fr-CA", "en"], "", "fr"],
  [["en-GB"], "", "en"],
  [["de", "FR"], "", "fr"],
  [["de", "es"], "", "en"],
  [[], "", "en"],
  [["fr"], "?lang=en", "en"],
  [["en"], "?lang=fr", "fr"],
  [["fr"], "?lang=de", "fr"],
];
for (const [wanted, search, used] of languages) {
  test(`the language is ${used} where the browser wants [${wanted}] and the page is asked for ${search || "none"}`, async () => {
    const { language } = await page({ languages: wanted, search });
    assert.equal(language(), used);
  });
}

test("a text has its values in place, each one as often as it is named", async () => {
  const { text } = await page();
  assert.equal(text("wall.queue.value", { waiting: 3, size: 64 }), "3 of 64");
  assert.equal(text("wall.queue.value", { waiting: 0, size: 64 }), "0 of 64");
  assert.equal(text("wall.queue.value", { size: 64 }), " of 64");
  assert.equal(text("no.such.text"), "no.such.text");
});

test("a value is put in as it is, whatever stands in it", async () => {
  const { text } = await page();
  for (const label of ["$&", "{score}", "<b>", "a.b*c"]) {
    assert.equal(text("kiosk.spoken", { label, score: "5%" }), `${label}, 5%`);
  }
});

test("a score is a whole percentage, in the language's way", async () => {
  const english = (await page()).percent;
  assert.deepEqual([0.953, 1, 0, 0.005, 0.0049, 0.0001].map(english), ["95%", "100%", "0%", "1%", "< 1%", "< 1%"]);
  const french = (await page({ languages: ["fr"] })).percent;
  assert.match(french(0.953), /^95\s%$/);
  assert.match(french(0.001), /^< 1\s%$/);
});

test("all texts and names of a page are filled in, in its language", async () => {
  const { document } = await openPage("login", { languages: ["fr"] });
  assert.equal(document.documentElement.lang, "fr");
  assert.equal(document.title, "Connexion · edge");
  const wanting = document.querySelectorAll("[data-text]").filter((one) => !one.textContent);
  assert.equal(wanting.length, 0);
  const kiosk = (await openPage("kiosk")).document;
  for (const one of kiosk.querySelectorAll("[data-label]")) assert.ok(one.getAttribute("aria-label"));
  assert.equal(kiosk.getElementById("open").title, "Open a picture");
  assert.equal(kiosk.getElementById("stage").title, undefined, "only what is pressed has a title");
});

test("the page for an unknown address is worded in the browser's language", async () => {
  const { document } = await openPage("lost", { languages: ["fr"] });
  assert.equal(document.title, "Il n’y a rien ici · edge");
  const wanting = document.querySelectorAll("[data-text]").filter((one) => !one.textContent);
  assert.equal(wanting.length, 0);
});

test("a theme is set, and taken away again", async () => {
  const { browser, dress, keep } = await page({ search: "?theme=dark" });
  const { dataset } = browser.document.documentElement;
  for (const [theme, set] of [["dark", "dark"], ["light", "light"], ["pink", undefined], ["", undefined]]) {
    keep("theme", theme);
    dress();
    assert.equal(dataset.theme, set);
  }
});

test("a language and a theme that are chosen are kept, put on, and told", async () => {
  const { browser, element, offerLooks } = await page({ search: "?theme=light&lang=en" });
  const [language, theme] = [make("select"), make("select")];
  for (const one of ["", "en", "fr"]) language.append(Object.assign(element("option"), { value: one }));
  for (const one of ["", "dark", "light"]) theme.append(Object.assign(element("option"), { value: one }));
  let told = 0;
  offerLooks(language, theme, () => (told += 1));
  assert.deepEqual([language.value, theme.value], ["en", "light"]);
  language.value = "fr";
  language.fire("change");
  assert.equal(browser.document.documentElement.lang, "fr");
  assert.equal(browser.stored.get("edge.lang"), "fr");
  theme.value = "dark";
  theme.fire("change");
  assert.equal(browser.document.documentElement.dataset.theme, "dark");
  assert.equal(told, 2);
});

test("the sign-in is told where to come back to, and what was wrong", async () => {
  const { browser, signIn } = await page({ search: "?model=a&camera=b" });
  signIn();
  signIn("key_expired");
  const [plain, expired] = browser.visited.map((url) => new URL(url, "http://edge.test"));
  assert.equal(plain.pathname, "/login");
  assert.deepEqual(Object.fromEntries(plain.searchParams), { next: "/page?model=a&camera=b" });
  assert.deepEqual(Object.fromEntries(expired.searchParams), {
    next: "/page?model=a&camera=b",
    fault: "key_expired",
  });
});

test("an element has its classes and its text, which is never HTML", async () => {
  const { element } = await page();
  const made = element("p", "big fault", "<b>1</b>");
  assert.deepEqual([made.tagName, made.className, made.textContent], ["P", "big fault", "<b>1</b>"]);
  assert.equal(made.children.length, 0);
});

test("the sign-in shows faults it knows, and hands on where to go next", async () => {
  const byId = (search) => openPage("login", { search }).then((browser) => (id) => browser.byId(id));
  const plain = await byId("");
  assert.equal(plain("fault").hidden, true);
  assert.equal(plain("next").value, "/");
  const faulty = await byId("?fault=key_missing&next=/wall%3Fa=1");
  assert.equal(faulty("fault").hidden, false);
  assert.equal(faulty("fault").textContent, "This key is unknown.");
  assert.equal(faulty("next").value, "/wall?a=1");
  for (const fault of ["key_expired", "key_forbidden"]) {
    assert.equal((await byId(`?fault=${fault}`))("fault").hidden, false, fault);
  }
  assert.equal((await byId("?fault=%3Cb%3Eowned"))("fault").hidden, true);
});

async function pairing(info, languages) {
  return openPage("pair", { languages }, (browser) => (browser.replies["/pair/info"] = info));
}

test("the pairing page shows the authority, the service's address and the steps of each device", async () => {
  const url = "https://10.0.0.7:8443/";
  const browser = await pairing({ authority: "AA:BB", tls: true, url });
  const { byId } = { byId: (id) => browser.byId(id) };
  assert.equal(byId("authority").hidden, false);
  assert.equal(byId("none").hidden, true);
  assert.equal(byId("print").textContent, "AA:BB");
  assert.deepEqual([byId("service").href, byId("service").textContent], [url, url]);
  assert.equal(byId("qr").src, "pair/qr.svg");
  assert.ok(byId("qr").alt);
  const sections = byId("steps").children;
  assert.deepEqual(sections.map((one) => one.children[0].textContent), ["Android", "iPhone and iPad", "Windows"]);
  for (const section of sections) {
    const words = section.all("li").map((one) => one.textContent);
    assert.equal(new Set(words).size, 3);
    for (const one of words) assert.doesNotMatch(one, /^pair\./);
  }
});

test("where there is no authority to trust, the pairing page says why", async () => {
  const owner = await pairing({ authority: null, tls: true });
  const none = await pairing({ authority: null, tls: false });
  for (const browser of [owner, none]) {
    assert.equal(browser.byId("authority").hidden, true);
    assert.equal(browser.byId("none").hidden, false);
  }
  assert.match(owner.byId("none").textContent, /its owner's certificate/);
  assert.match(none.byId("none").textContent, /--tls/);
});

for (const name of ["kiosk", "wall", "phone", "login", "pair"]) {
  test(`the ${name} page asks for nothing outside of the path under which a proxy offers it`, async () => {
    const under = (url) => new URL(url, "http://edge.test/behind/a-proxy/page");
    const html = readFileSync(join(STATIC, `${name}.html`), "utf8");
    const links = [...html.matchAll(/ (?:href|src|action)="([^"]*)"/g)].map(([, link]) => link);
    assert.ok(links.length > 2);
    const { fetched, sockets, events } = await openPage(name, { path: `/behind/a-proxy/${name}` }, (browser) => {
      browser.replies["/behind/a-proxy/pair/info"] = { authority: null, tls: false };
    });
    const asked = [...fetched.map((one) => one.pathname), ...[...links, ...events.map((one) => one.url)].map((url) => under(url).pathname)];
    for (const path of [...asked, ...sockets.map((one) => one.url.pathname)]) {
      assert.match(path, /^\/behind\/a-proxy\/\w/);
    }
  });
}
