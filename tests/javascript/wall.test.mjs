import assert from "node:assert/strict";
import { test } from "node:test";

import { load, openPage, settle } from "./browser.mjs";

const CAT = { label: "Cat", index: 15, score: 0.8, box: { x_min: 0.5, y_min: 0.25, x_max: 0.75, y_max: 0.5 } };
const CUP = { label: "Cup", index: 3, score: 0.6 };
const MAX_CARDS = 48;

function answer(number, more = {}) {
  return {
    number, camera: "line-1", source: "edge", at: 1_700_000_000, picture: true, predictions: [CAT],
    image: { width: 200, height: 200 }, model: { name: "objects", version: 1 }, timing_ms: { decode: 1.25, inference: 20 }, ...more,
  }; // prettier-ignore
}

async function wall(options = {}, prepare = () => {}) {
  const browser = await openPage("wall", options, (one) => {
    one.replies["/wall/phone"] = { url: null, keeps: 20 };
    prepare(one);
  });
  browser.events[0].fire("open");
  return browser;
}

/** A wall whose feed is open. */
async function feed(options = {}, prepare = () => {}) {
  const browser = await wall(options, prepare);
  browser.byId("tab-feed").click();
  return browser;
}

const cards = (browser) => browser.byId("cards").children;
const numbers = (browser) => cards(browser).map((card) => Number(card.dataset.number));
const say = (browser, ...answers) => browser.events.at(-1).say("answers", answers);
const show = (browser, ...answers) => browser.events.at(-1).say("frames", answers);
const tiles = (browser) => browser.byId("tiles").children.filter((one) => !one.classList.contains("blank"));
const names = (browser) => tiles(browser).map((tile) => tile.all(".camera")[0].textContent);
const tile = (browser, name) => tiles(browser).find((one) => one.all(".camera")[0].textContent === name);
const said = (one, part) => one.all(`.${part}`)[0].textContent;
const state = (camera, more = {}) => ({ camera, silent_s: 0.2, rate: 2, errors: 0, failing: false, failure: null, frame: true, ...more });
const states = (browser, ...cameras) => browser.events.at(-1).say("cameras", cameras);
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

function choose(browser, values) {
  for (const [name, value] of Object.entries(values)) browser.byId(`filter-${name}`).value = value;
  browser.byId("filters").fire("input");
}

// Tiles

test("each camera has one tile, in the order of names, whoever sends when", async () => {
  const browser = await wall();
  assert.match(browser.byId("tiles").textContent, /No answers yet.*http:\/\/edge\.test\/predict/);
  show(browser, answer(1, { camera: "line-10" }), answer(2, { camera: "door" }));
  show(browser, answer(3, { camera: "line-2" }), answer(4, { camera: "" }));
  assert.deepEqual(names(browser), ["door", "line-2", "line-10", "Unnamed"]);
  const before = tiles(browser);
  for (let number = 5; number < 100; number += 1) {
    show(browser, answer(number, { camera: ["line-10", "door", "line-2"][number % 3] }));
    states(browser, state("line-10"), state(""), state("door"), state("line-2"));
  }
  const after = tiles(browser);
  assert.ok(before.every((one, place) => after[place] === one), "they stay, and where they are");
});

test("a tile tells its camera's newest answer, when it was seen, its rate and its errors", async () => {
  const browser = await wall();
  show(browser, answer(7, { predictions: [CAT, CUP], source: "cloud", cloud: { latency_ms: 21.25 } }));
  states(browser, state("line-1", { silent_s: 12.4, rate: 13.04, errors: 1043, failure: { code: "overloaded", message: "Too many." } }));
  const [one] = tiles(browser);
  const parts = ["camera", "silence", "best", "more", "rate", "maker", "errors"].map((part) => said(one, part));
  assert.deepEqual(parts, ["line-1", "12 s ago", "Cat80%", "Cup 60%", "13 per second", "Cloud 21.3 ms", "1,043 errors"]);
  assert.equal(one.all(".errors")[0].title, "The service is busy");
  show(browser, answer(8, { predictions: [CUP], certain: false }));
  assert.deepEqual([said(one, "best"), said(one, "more")], ["Not sure", "perhaps Cup 60%"]);
});

const moods = [
  [{}, "live", "now", ""],
  [{ silent_s: 29.9 }, "live", "29 s ago", ""],
  [{ silent_s: 30 }, "silent", "Silent for 30 s", ""],
  [{ silent_s: 7300 }, "silent", "Silent for 2 h", ""],
  [{ errors: 1 }, "live", "now", "1 error"],
  [{ errors: 9, failing: true }, "failing", "now", "Only errors: 9"],
  [{ errors: 9, failing: true, silent_s: 100 }, "failing", "Silent for 1 min", "Only errors: 9"],
];
for (const [more, mood, silence, errors] of moods) {
  test(`a camera of ${JSON.stringify(more)} is ${mood}`, async () => {
    const browser = await wall();
    show(browser, answer(1));
    states(browser, state("line-1", more));
    const [one] = tiles(browser);
    assert.deepEqual([one.dataset.state, said(one, "silence"), said(one, "errors")], [mood, silence, errors]);
  });
}

test("a camera that was never answered has a tile with the reason", async () => {
  const browser = await wall();
  const failure = { code: "corrupt_image", message: "It starts with ff d8." };
  states(browser, state("broken", { failing: true, errors: 3, failure, frame: false }), state("cleared", { frame: false }));
  assert.deepEqual(names(browser), ["broken"]);
  assert.deepEqual([said(tiles(browser)[0], "best"), said(tiles(browser)[0], "more")], ["No answer yet", "The picture is damaged, or its end is missing."]);
});

test("a camera that the service has forgotten loses its tile", async () => {
  const browser = await wall();
  show(browser, answer(1), answer(2, { camera: "other" }));
  states(browser, state("other"));
  assert.deepEqual(names(browser), ["other"]);
});

test("a picture is put up once it is loaded, with its own boxes; the last one stays until then", async () => {
  const browser = await wall();
  show(browser, answer(1));
  const [one] = tiles(browser);
  const shown = () => one.all("img").map((image) => image.src);
  const made = () => browser.document.made.filter((each) => each.tag === "img");
  const [canvas] = one.all("canvas");
  Object.assign(canvas, { clientWidth: 400, clientHeight: 300 });
  assert.deepEqual(shown(), []);
  made()[0].fire("load");
  assert.deepEqual(shown(), ["wall/pictures/1.jpg"]);
  assert.match(one.all("img")[0].alt, /^Picture of line-1: Cat/);
  await browser.clock.advance(20);
  const [box] = canvas.pen.seen("box");
  assert.deepEqual([box.x, box.y, box.width, box.height], [200, 75, 75, 75]);
  show(browser, answer(2, { predictions: [] }));
  await browser.clock.advance(20);
  assert.deepEqual([shown(), canvas.pen.seen("box").length], [["wall/pictures/1.jpg"], 1]);
  show(browser, answer(3));
  made()[1].fire("load"); // late: a newer one is asked for
  assert.deepEqual(shown(), ["wall/pictures/1.jpg"]);
  made()[2].fire("load");
  assert.deepEqual(shown(), ["wall/pictures/3.jpg"]);
  show(browser, answer(4, { picture: false }));
  assert.deepEqual(shown(), []);
});

test("a page that nobody sees asks for no pictures, and for the newest when it is seen", async () => {
  const browser = await wall();
  const asked = () => browser.document.made.filter((each) => each.tag === "img").map((image) => image.src);
  browser.document.hidden = true;
  for (const number of [1, 2, 3]) show(browser, answer(number));
  assert.deepEqual(asked(), []);
  browser.document.hidden = false;
  browser.document.fire("visibilitychange");
  assert.deepEqual(asked(), ["wall/pictures/3.jpg"]);
});

test("filters hide other cameras, and only dim what does not match: tiles keep their places", async () => {
  const browser = await wall();
  show(browser, answer(1, { camera: "a" }), answer(2, { camera: "b", predictions: [CUP] }), answer(3, { camera: "c" }));
  const looks = () => tiles(browser).map((one) => (one.hidden ? "hidden" : one.classList.contains("faded") ? "faded" : "shown"));
  choose(browser, { camera: "", label: "Cup", source: "", score: "0" });
  assert.deepEqual(looks(), ["faded", "shown", "faded"]);
  choose(browser, { camera: "=a", label: "", source: "", score: "0" });
  assert.deepEqual(looks(), ["shown", "hidden", "hidden"]);
  choose(browser, { camera: "=gone", label: "", source: "", score: "0" });
  choose(browser, { camera: "", label: "", source: "", score: "0" });
  assert.deepEqual(looks(), ["shown", "shown", "shown"]);
});

test("the filters unfold by a button, which says how many are on", async () => {
  const browser = await wall();
  const open = () => [browser.byId("filters").classList.contains("open"), browser.byId("fold").getAttribute("aria-expanded")];
  assert.deepEqual([browser.byId("fold").textContent, open()], ["Filters", [false, "false"]]);
  browser.byId("fold").click();
  assert.deepEqual(open(), [true, "true"]);
  choose(browser, { camera: "", label: "", source: "edge", score: "30" });
  assert.equal(browser.byId("fold").textContent, "Filters (2)");
  browser.byId("fold").click();
  assert.deepEqual(open(), [false, "false"]);
});

test("on a television tiles fill the screen, and no filter of another time hides any", async () => {
  const browser = await wall({ search: "?tv=1&camera=%3Done&score=95" });
  const laid = () => ["gridTemplateColumns", "gridTemplateRows"].map((name) => Number(browser.byId("tiles").style[name].match(/repeat\((\d+)/)[1]));
  assert.ok(browser.document.body.classList.contains("tv"));
  const wanted = [[1, 1], [2, 1], [2, 2], [2, 2], [3, 2], [3, 2], [3, 3]];
  wanted.forEach((layout, before) => {
    show(browser, answer(before + 1, { camera: `camera ${before}` }));
    assert.deepEqual(laid(), layout);
  });
  assert.ok(tiles(browser).every((one) => !one.hidden && !one.classList.contains("faded")));
  browser.window.innerWidth = 1080;
  browser.window.innerHeight = 1920;
  show(browser, answer(9, { camera: "another" }));
  show(browser, answer(10, { camera: "and another" }), answer(11, { camera: "the last" }));
  assert.deepEqual(laid(), [3, 4], "an upright one has more rows");
});

test("a page that is no television has no layout of its own", async () => {
  const browser = await wall();
  show(browser, answer(1));
  assert.equal(browser.byId("tiles").style.gridTemplateColumns, undefined);
});

// The large view

const WHOLE = { ...answer(7), scores: [{ label: "Cat", index: 15, score: 0.8 }, { label: "Cup", index: 3, score: 0.00031 }] };

async function large(reply) {
  const browser = await wall({}, (one) => (one.replies["/wall/answers/7"] = reply));
  show(browser, answer(7));
  tiles(browser)[0].all("button")[0].click();
  await settle();
  return browser;
}

test("a click opens the large view: every score, the JSON, and the downloads", async () => {
  const browser = await large(WHOLE);
  assert.equal(browser.byId("large").open, true);
  assert.equal(browser.byId("large-title").textContent, "line-1");
  assert.match(browser.byId("large-when").textContent, / · objects v1 · Edge · 21.3 ms$/);
  assert.equal(browser.byId("large-best").textContent, "Cat80%");
  const rows = browser.byId("large-scores").children.map((one) => [said(one, "label"), said(one, "score"), one.all(".fill")[0].style.width]);
  assert.deepEqual(rows, [["Cat", "80%", "80.0%"], ["Cup", "0.03%", "0.0%"]]);
  assert.deepEqual(JSON.parse(browser.byId("large-json").textContent).scores, WHOLE.scores);
  assert.deepEqual(["large-frame", "large-annotated"].map((id) => [browser.byId(id).href, browser.byId(id).hidden]), [
    ["wall/frames/7", false], ["wall/annotated/7.jpg", false],
  ]); // prettier-ignore
  assert.equal(browser.byId("large-picture").all("img")[0].src, "wall/pictures/7.jpg");
  const [canvas] = browser.byId("large-picture").all("canvas");
  Object.assign(canvas, { clientWidth: 400, clientHeight: 300 });
  browser.window.fire("resize");
  assert.equal(canvas.pen.seen("box").length, 1);
  browser.byId("large-close").click();
  assert.equal(browser.byId("large").open, false);
});

test("the large view stays at its frame while newer ones come", async () => {
  const browser = await large(WHOLE);
  show(browser, answer(8, { predictions: [CUP] }));
  assert.equal(browser.byId("large-best").textContent, "Cat80%");
  assert.equal(browser.byId("large-frame").href, "wall/frames/7");
});

test("a frame that is gone says so, and so does a service that is", async () => {
  const gone = await large({ status: 404 });
  assert.match(gone.byId("large-fault").textContent, /no longer kept/);
  const away = await large(undefined);
  assert.match(away.byId("large-fault").textContent, /cannot be reached/);
});

test("a frame that the service let go of just before the click gives way to the newer one", async () => {
  const browser = await wall({}, (one) => {
    one.replies["/wall/answers/7"] = () => {
      show(browser, answer(8, { predictions: [CUP] }));
      return { status: 404 };
    };
    one.replies["/wall/answers/8"] = { ...answer(8), scores: [] };
  });
  show(browser, answer(7));
  tiles(browser)[0].all("button")[0].click();
  await settle();
  await settle();
  assert.deepEqual([browser.byId("large-best").textContent, browser.byId("large-fault").textContent], ["Cup60%", ""]);
  assert.equal(browser.byId("large-frame").href, "wall/frames/8");
});

test("a card opens the same view, without downloads where no picture is kept", async () => {
  const browser = await feed({}, (one) => (one.replies["/wall/answers/7"] = WHOLE));
  say(browser, answer(7, { picture: false }));
  cards(browser)[0].click();
  await settle();
  assert.equal(browser.byId("large").open, true);
  assert.deepEqual(["large-frame", "large-annotated"].map((id) => browser.byId(id).hidden), [true, true]);
  assert.equal(browser.byId("large-picture").all("img").length, 0);
});

// The feed

test("the feed is the second tab, which is kept in the address", async () => {
  const browser = await wall();
  const open = () => ["tiles-panel", "feed-panel"].map((id) => !browser.byId(id).hidden);
  const selected = () => ["tab-tiles", "tab-feed"].map((id) => browser.byId(id).getAttribute("aria-selected"));
  assert.deepEqual([open(), selected()], [[true, false], ["true", "false"]]);
  browser.byId("tab-feed").click();
  assert.deepEqual([open(), selected(), browser.location.search], [[false, true], ["false", "true"], "?tab=feed"]);
  browser.byId("tab-tiles").click();
  assert.deepEqual([open(), browser.location.search], [[true, false], ""]);
  const again = await wall({ search: "?tab=feed" });
  assert.equal(again.byId("feed-panel").hidden, false);
});

test("arrow keys move between the tabs", async () => {
  const browser = await wall();
  browser.byId("tab-tiles").fire("keydown", { key: "ArrowRight" });
  assert.equal(browser.byId("feed-panel").hidden, false);
  assert.equal(browser.document.activeElement, browser.byId("tab-feed"));
  browser.byId("tab-feed").fire("keydown", { key: "ArrowLeft" });
  assert.equal(browser.byId("tiles-panel").hidden, false);
  browser.byId("tab-tiles").fire("keydown", { key: "x" });
  assert.equal(browser.byId("tiles-panel").hidden, false);
});

test("answers are cards, the latest first", async () => {
  const browser = await feed();
  assert.match(browser.byId("cards").textContent, /No changes yet/);
  say(browser, answer(1), answer(2));
  say(browser, answer(3));
  assert.deepEqual(numbers(browser), [3, 2, 1]);
  assert.equal(browser.byId("cards").all(".blank").length, 0);
});

test("cards that stay are not made anew: their pictures would flicker", async () => {
  const browser = await feed();
  say(browser, answer(1), answer(2));
  const [second, first] = cards(browser);
  say(browser, answer(3));
  assert.ok(cards(browser)[1] === second && cards(browser)[2] === first);
});

test("a card tells what was seen, by which camera, model and source, and how long it took", async () => {
  const browser = await feed();
  const more = range(4, 9).map((index) => ({ label: `label ${index}`, index, score: index === 4 ? 0.5 : 0.1 }));
  say(browser, answer(7, { predictions: [CAT, { ...CAT, score: 0.7 }, CUP, ...more], source: "cloud", cloud: { latency_ms: 21.25 } }));
  const [card] = cards(browser);
  const [image] = card.all("img");
  assert.equal(image.src, "wall/pictures/7.jpg");
  assert.match(image.alt, /^Picture of line-1: 2 × Cat, Cup/);
  assert.deepEqual(card.all(".best")[0].children.map((one) => one.textContent), ["2 × Cat"]); // a count has no score of its own
  assert.equal(card.all(".more")[0].textContent, "Cup 60% · label 4 50% · label 5 10%");
  const [origin, maker] = card.all(".origin").map((one) => one.children.map((part) => part.textContent));
  assert.equal(origin[0], "line-1");
  assert.equal(origin[1], new Date(1_700_000_000_000).toLocaleTimeString("en"));
  assert.deepEqual(maker, ["objects v1", "Cloud", "21.3 ms"]);
});

test("an unsure answer looks unsure on its card", async () => {
  const browser = await feed();
  say(browser, answer(8, { predictions: [CAT, CUP], certain: false }));
  const [card] = cards(browser);
  assert.deepEqual(card.all(".best")[0].children.map((one) => one.textContent), ["Not sure"]);
  assert.ok(card.all(".best")[0].classList.contains("unsure"));
  assert.equal(card.all(".more")[0].textContent, "perhaps Cat 80% · Cup 60%");
});

test("a card's boxes are where the objects are in its picture", async () => {
  const browser = await feed();
  say(browser, answer(1));
  const [canvas] = cards(browser)[0].all("canvas");
  Object.assign(canvas, { clientWidth: 400, clientHeight: 300 });
  await browser.clock.advance(20);
  const [box] = canvas.pen.seen("box");
  assert.deepEqual([box.x, box.y, box.width, box.height], [200, 75, 75, 75]);
});

test("an answer without a picture has none, and one that is gone from the server is taken away", async () => {
  const browser = await feed();
  say(browser, answer(1, { picture: false }), answer(2));
  const [second, first] = cards(browser);
  assert.equal(first.all("img").length, 0);
  second.all("img")[0].fire("error");
  assert.equal(second.all("img").length, 0);
});

test("an answer that recognised nothing says so", async () => {
  const browser = await feed();
  say(browser, answer(1, { predictions: [], camera: "" }), answer(2, { camera: "phone" }));
  const [phone, none] = cards(browser);
  assert.equal(none.all(".best")[0].textContent, "Nothing recognised");
  assert.equal(none.all(".camera")[0].textContent, "Unnamed");
  assert.equal(phone.all(".camera")[0].textContent, "Phone");
});

test("names and labels are text, whatever they look like", async () => {
  const browser = await feed();
  const words = "<script>alert(1)</script>";
  say(browser, answer(1, { camera: words, predictions: [{ ...CAT, label: words }], model: { name: words, version: 1 } }));
  browser.events[0].say("counts", counts([count(words, [1])]));
  show(browser, answer(2, { camera: words, predictions: [{ ...CAT, label: words }] }));
  browser.events[0].say("health", { ...HEALTH, models: [{ name: words, version: 1, state: "END", fault: words }] });
  assert.equal(cards(browser)[0].all(".camera")[0].textContent, words);
  assert.equal(cards(browser)[0].all(".best")[0].children[0].textContent, words);
  assert.equal(browser.document.root.all("script").length, 1, "the page's own");
});

test("48 cards are shown and eight times as many answers held: the latest", async () => {
  const browser = await feed();
  for (const first of [1, 101, 201, 301, 401]) {
    say(browser, ...range(first, first + 99).map((number) => answer(number, { camera: `camera ${number}` })));
  }
  assert.deepEqual(numbers(browser), range(500 - MAX_CARDS + 1, 500).reverse());
  const cameras = browser.byId("filter-camera").options.map((one) => one.value);
  assert.equal(cameras.length, 1 + 8 * MAX_CARDS);
  assert.equal(cameras[1], `=camera ${500 - 8 * MAX_CARDS + 1}`);
});

test("48 cards that pass the filters are shown, though later ones do not", async () => {
  const browser = await feed();
  say(browser, ...range(1, 100).map((number) => answer(number)), ...range(101, 200).map((number) => answer(number, { camera: "other" })));
  choose(browser, { camera: "=line-1" });
  assert.deepEqual(numbers(browser), range(100 - MAX_CARDS + 1, 100).reverse());
});

const filters = [
  [{ camera: "=" }, [2]],
  [{ camera: "=line-1" }, [4, 3, 1]],
  [{ source: "cloud" }, [3]],
  [{ label: "Cup" }, [4, 3]],
  [{ score: "80" }, [4, 2, 1]],
  [{ score: "85" }, [4]],
  [{ score: "20" }, [4, 3, 2, 1]],
  [{ label: "Cup", score: "60" }, [3]],
  [{ label: "Cup", score: "65" }, []],
  [{ label: "Cat", camera: "=line-1", source: "edge" }, [4, 1]],
  [{}, [4, 3, 2, 1]],
];
for (const [chosen, passing] of filters) {
  test(`the filters ${JSON.stringify(chosen)} let ${passing.length} of four answers through`, async () => {
    const browser = await feed();
    say(
      browser,
      answer(1),
      answer(2, { camera: "" }),
      answer(3, { source: "cloud", cloud: { latency_ms: 21.25 }, predictions: [CUP] }),
      answer(4, { predictions: [{ ...CAT, score: 0.9 }, { ...CUP, score: 0.2 }] }),
    );
    choose(browser, { camera: "", label: "", source: "", score: "0", ...chosen });
    if (passing.length) assert.deepEqual(numbers(browser), passing);
    else assert.equal(browser.byId("cards").textContent, "No answer matches the filters");
    choose(browser, { camera: "", label: "", source: "", score: "0" });
    assert.deepEqual(numbers(browser), [4, 3, 2, 1]);
  });
}

test("filters are kept in the address and put on again, also where nothing of the kind was seen yet", async () => {
  const browser = await feed();
  say(browser, answer(1), answer(2, { predictions: [CUP] }));
  choose(browser, { camera: "=line-1", label: "Cup", source: "edge", score: "30" });
  const { search } = browser.location;
  assert.equal(search, "?tab=feed&camera=%3Dline-1&label=Cup&source=edge&score=30");
  assert.equal(browser.byId("score-shown").textContent, "30%");
  const again = await feed({ search });
  assert.deepEqual(["camera", "label", "source", "score"].map((one) => again.byId(`filter-${one}`).value), ["=line-1", "Cup", "edge", "30"]);
  assert.deepEqual(again.byId("filter-camera").options.map((one) => one.textContent), ["All", "line-1"]);
  say(again, answer(1), answer(2, { predictions: [CUP] }));
  assert.deepEqual(numbers(again), [2]);
  choose(again, { camera: "", label: "", source: "", score: "0" });
  assert.equal(again.location.search, "?tab=feed");
});

test("filters offer what was seen and what was counted, each once, sorted", async () => {
  const browser = await wall();
  say(browser, answer(1, { predictions: [CUP, CAT] }), answer(2), answer(3, { camera: "" }));
  browser.events[0].say("counts", counts([count("Bus", [1]), count("Cat", [1])]));
  const offered = (id) => browser.byId(id).options.map((one) => [one.value, one.textContent]);
  assert.deepEqual(offered("filter-label"), [["", "Any"], ["Bus", "Bus"], ["Cat", "Cat"], ["Cup", "Cup"]]);
  assert.deepEqual(offered("filter-camera"), [["", "All"], ["=line-1", "line-1"], ["=", "Unnamed"]]);
});

test("a list that somebody has open is not replaced by the same", async () => {
  const browser = await wall();
  say(browser, answer(1));
  const [first] = browser.byId("filter-camera").options;
  say(browser, answer(2));
  assert.ok(browser.byId("filter-camera").options[0] === first);
});

test("a score filter lets through what has that score, and nothing that has less", async () => {
  const browser = await feed();
  say(browser, answer(1, { predictions: [{ ...CAT, score: 0.8 }] }), answer(2, { predictions: [{ ...CAT, score: 0.799 }] }));
  choose(browser, { score: "80" });
  assert.deepEqual(numbers(browser), [1]);
});

test("settings open", async () => {
  const browser = await wall();
  browser.byId("configure").click();
  assert.equal(browser.byId("settings").open, true);
});

test("the sign-out is offered to who has signed in", async () => {
  const [open, locked] = [await wall(), await wall({}, (one) => (one.replies["/session"] = { keys: true, scopes: ["view"] }))];
  assert.deepEqual([open, locked].map((one) => one.byId("signout-button").hidden), [true, false]);
});

test("a cleared wall is empty: its tiles and its feed", async () => {
  const browser = await feed();
  show(browser, answer(1));
  say(browser, answer(1));
  browser.events[0].say("clear", null);
  assert.match(browser.byId("cards").textContent, /No changes yet/);
  assert.match(browser.byId("tiles").textContent, /No answers yet/);
  assert.deepEqual([...numbers(browser), ...names(browser)].filter(Boolean), []);
});

test("a service that starts anew counts anew: what was held of the old one goes", async () => {
  const browser = await feed();
  show(browser, answer(1, { camera: "before" }));
  say(browser, answer(1, { camera: "before" }), answer(2, { camera: "before" }));
  browser.events[0].fire("error");
  assert.equal(browser.byId("state").dataset.state, "bad");
  assert.match(browser.byId("state").textContent, /cannot be reached/);
  browser.events[0].fire("open");
  assert.deepEqual([browser.byId("state").dataset.state, browser.byId("state").textContent], ["live", "Live"]);
  states(browser);
  show(browser, answer(1, { camera: "after" }));
  say(browser, answer(1, { camera: "after" }));
  assert.deepEqual(cards(browser).map((card) => said(card, "camera")), ["after"]);
  assert.deepEqual(names(browser), ["after"]);
});

test("a service that is gone dims what it said last, under a banner, and both go when it is back", async () => {
  const browser = await wall();
  const dim = () => [browser.byId("gone").hidden, browser.byId("gone").textContent, browser.document.body.classList.contains("stale")];
  show(browser, answer(1));
  assert.deepEqual(dim(), [true, "", false]);
  browser.events[0].fire("error");
  assert.deepEqual(dim(), [false, "The service cannot be reached; trying again", true]);
  assert.deepEqual(names(browser), ["line-1"]);
  browser.events[0].fire("open");
  assert.deepEqual(dim(), [true, "", false]);
});

test("a service that says nothing for seconds is gone too: a cable that was pulled ends no connection", async () => {
  const browser = await wall();
  for (let second = 0; second < 20; second += 1) {
    browser.events[0].say("health", HEALTH);
    await browser.clock.advance(1000);
  }
  assert.equal(browser.byId("state").dataset.state, "live");
  await browser.clock.advance(6000);
  assert.equal(browser.byId("state").dataset.state, "bad");
  browser.events[0].say("health", HEALTH);
  assert.equal(browser.byId("state").dataset.state, "live");
});

test("a connection that the browser gave up is made anew after a second, one that it still tries is not", async () => {
  const browser = await wall();
  browser.events[0].fire("error");
  await browser.clock.advance(10_000);
  assert.equal(browser.events.length, 1);
  for (let turn = 1; turn <= 3; turn += 1) {
    browser.events.at(-1).readyState = EventSource.CLOSED;
    browser.events.at(-1).fire("error");
    await browser.clock.advance(990);
    assert.equal(browser.events.length, turn);
    await browser.clock.advance(20);
    assert.equal(browser.events.length, turn + 1);
  }
  browser.events.at(-1).fire("open");
  show(browser, answer(1));
  assert.deepEqual(names(browser), ["line-1"]);
});

const sessions = [[["view"], 0], [["predict"], 1], [[], 1]];
for (const [scopes, visits] of sessions) {
  test(`a wall whose events end leads ${visits ? "" : "not "}to the sign-in with the scopes [${scopes}]`, async () => {
    const browser = await wall({}, (one) => (one.replies["/session"] = { keys: true, scopes }));
    assert.equal(browser.visited.length, 0);
    browser.events[0].fire("error");
    await settle();
    assert.equal(browser.visited.length, visits);
  });
}

const NONE = Array(60).fill(0);
const count = (label, minutes) => ({ label, minutes, sum: minutes.reduce((sum, one) => sum + one, 0) });
const counts = (labels, more = {}) => ({ up_min: 60, absent_s: 5, labels, others: 0, cameras: [], ...more });
const labelRows = (browser) => browser.byId("counts").children.filter((one) => !one.classList.contains("axis"));
const bars = (row) => row.all(".minute").map((one) => ["x", "y", "height"].map((name) => Number(one.getAttribute(name))));

test("counts are bars of the last hour, all on one scale, over an axis of time", async () => {
  const browser = await wall();
  const cat = count("Cat", Object.assign([...NONE], { 0: 4, 30: 2, 59: 1 }));
  const cup = count("Cup", Object.assign([...NONE], { 10: 1 }));
  browser.events[0].say("counts", counts([cat, cup], { others: 1500 }));
  const [first, second] = labelRows(browser);
  assert.deepEqual([said(first, "label"), said(first, "sum")], ["Cat", "7"]);
  const [plot] = first.all("svg");
  assert.equal(plot.getAttribute("viewBox"), "0 0 240 40");
  assert.equal(plot.getAttribute("aria-label"), "Cat: 7 appearances in the last hour, at most 4 in a minute");
  assert.deepEqual(bars(first), [[0.5, 1, 38], [120.5, 20, 19], [236.5, 29.5, 9.5]]);
  assert.deepEqual(bars(second), [[40.5, 29.5, 9.5]], "of the other label's scale");
  const [axis] = browser.byId("counts").all(".axis");
  assert.deepEqual(axis.children.map((one) => one.textContent), ["-60 min", "-45", "-30", "-15", "now"]);
  assert.equal(browser.byId("others").textContent, "1,500 of other labels");
  assert.match(browser.byId("counted").textContent, /after 5 s without it. Highest bar: 4 in a minute/);
});

test("the time before the service started is not shown as one without appearances", async () => {
  const browser = await wall();
  const before = () => labelRows(browser)[0].all(".before").map((one) => Number(one.getAttribute("width")));
  browser.events[0].say("counts", counts([count("Cat", [...NONE, 1].slice(1))], { up_min: 12 }));
  assert.deepEqual(before(), [48 * 4]);
  browser.events[0].say("counts", counts([count("Cat", [...NONE, 1].slice(1))]));
  assert.deepEqual(before(), []);
});

test("a minute under the pointer says what it counts, also after newer counts have come", async () => {
  const browser = await wall();
  const cat = count("Cat", Object.assign([...NONE], { 47: 3 }));
  const point = (offsetX, type = "pointermove") => {
    const [plot] = labelRows(browser)[0].all("svg");
    plot.clientWidth = 600;
    plot.fire(type, { offsetX });
    return labelRows(browser)[0].all(".tip")[0].textContent;
  };
  browser.events[0].say("counts", counts([cat], { up_min: 20 }));
  assert.equal(point(475), "12 min ago: 3");
  assert.equal(point(599), "now: 0");
  assert.equal(point(700), "now: 0");
  assert.equal(point(0), "59 min ago: not running");
  point(475);
  browser.events[0].say("counts", counts([count("Cat", Object.assign([...NONE], { 47: 4 }))], { up_min: 20 }));
  assert.equal(labelRows(browser)[0].all(".tip")[0].textContent, "12 min ago: 4");
  assert.equal(point(475, "pointerleave"), "");
});

test("the counts are those of the camera that is chosen", async () => {
  const browser = await wall();
  const told = [{ camera: "a", labels: [count("Cat", [...NONE, 1].slice(1))], others: 0 }, { camera: "b", labels: [], others: 0 }];
  browser.events[0].say("counts", counts([count("Cat", [...NONE, 2].slice(1))], { cameras: told }));
  show(browser, answer(1, { camera: "a" }), answer(2, { camera: "b" }));
  const sums = () => labelRows(browser).map((row) => said(row, "sum"));
  assert.deepEqual(sums(), ["2"]);
  choose(browser, { camera: "=a" });
  assert.deepEqual(sums(), ["1"]);
  choose(browser, { camera: "=b" });
  assert.deepEqual([sums(), browser.byId("others").textContent], [[], "Nothing appeared in the last hour."]);
});

test("counts replace those before, and none are told as none", async () => {
  const browser = await wall();
  const labels = [count("Cat", [...NONE]), count("Cup", [...NONE])];
  for (const [now, words] of [[labels, ""], [labels.slice(1), ""], [[], "Nothing appeared in the last hour."]]) {
    browser.events[0].say("counts", counts(now));
    assert.deepEqual(labelRows(browser).map((one) => said(one, "label")), now.map((one) => one.label));
    assert.equal(browser.byId("others").textContent, words);
  }
});

const HEALTH = {
  models: [{ name: "parts", version: null, state: "LOADING", fault: null }, { name: "objects", version: 2, state: "END", fault: "3 labels for 4 classes." }],
  workers: { all: 2, busy: 1 },
  queue: { size: 64, waiting: 0 },
};
const health = (browser) => browser.byId("health").children.map((one) => [one.textContent, one.className]);

test("health is told of each model, of the workers and of the queue", async () => {
  const browser = await wall();
  browser.events[0].say("health", HEALTH);
  assert.deepEqual(health(browser), [
    ["parts", ""], ["loading", "wait"],
    ["objects v2", ""], ["refused", "bad"], ["3 labels for 4 classes.", "fault"],
    ["Workers", ""], ["1 of 2 busy", ""],
    ["Queue", ""], ["0 of 64", ""],
  ]); // prettier-ignore
  browser.events[0].say("health", { ...HEALTH, models: [], queue: { size: 64, waiting: 3 } });
  assert.deepEqual(health(browser), [["Workers", ""], ["1 of 2 busy", ""], ["Queue", ""], ["3 of 64", "wait"]]);
});

test("link and outbox are told where there are any, and what is wrong with them", async () => {
  const browser = await wall();
  const after = (more) => {
    browser.events[0].say("health", { ...HEALTH, models: [], ...more });
    return health(browser).slice(4);
  };
  assert.deepEqual(after({ link: { state: "up", fault: null }, outbox: { waiting: 0, fault: null } }), [
    ["Link", ""], ["up", "good"], ["Outbox", ""], ["0 waiting", "good"],
  ]); // prettier-ignore
  assert.deepEqual(after({ link: { state: "down", fault: "No route." }, outbox: { waiting: 12, fault: "Disk full." } }), [
    ["Link", ""], ["down", "bad"], ["Outbox", ""], ["12 waiting", "wait"], ["No route.", "fault"], ["Disk full.", "fault"],
  ]); // prettier-ignore
});

test("another language changes all that is shown", async () => {
  const browser = await feed();
  say(browser, answer(1, { camera: "" }));
  browser.events[0].say("health", HEALTH);
  browser.events[0].say("counts", { up_min: 1, absent_s: 5, labels: [], others: 0, cameras: [] });
  assert.match(browser.byId("notice").textContent, /up to 20 changes of each camera/);
  browser.byId("set-language").value = "fr";
  browser.byId("set-language").fire("change");
  assert.equal(cards(browser)[0].all(".camera")[0].textContent, "Sans nom");
  assert.match(browser.byId("health").textContent, /se charge/);
  assert.match(browser.byId("others").textContent, /Rien n’est apparu/);
  assert.match(browser.byId("notice").textContent, /jusqu’à 20 changements/);
});

test("boxes are drawn anew when the window's size changes", async () => {
  const browser = await feed();
  say(browser, answer(1));
  const [before] = cards(browser);
  browser.window.fire("resize");
  assert.deepEqual(numbers(browser), [1]);
  assert.ok(cards(browser)[0] !== before);
});

test("the code for phones is shown with its address, or why there is none", async () => {
  const browser = await wall();
  await browser.byId("phones").click().done;
  assert.equal(browser.byId("phones-dialog").open, true);
  assert.equal(browser.byId("phones-code").hidden, true);
  assert.match(browser.byId("phones-words").textContent, /--host 0\.0\.0\.0/);
  browser.replies["/wall/phone"] = { url: "http://10.0.0.7:8501/phone?pass=secret", keeps: 20 };
  await browser.byId("phones").click().done;
  assert.equal(browser.byId("phones-code").hidden, false);
  assert.match(browser.byId("phones-code").alt, /QR code/);
  assert.match(browser.byId("phones-words").textContent, /^Scan/);
  assert.match(browser.byId("phones-code").src, /^wall\/phone\.svg/);
  assert.equal(browser.byId("phones-link").href, "http://10.0.0.7:8501/phone?pass=secret");
  assert.equal(browser.byId("phones-link").textContent, "http://10.0.0.7:8501/phone", "the pass is not for onlookers");
});

test("clearing asks first, and says when the key does not suffice", async () => {
  const browser = await wall();
  browser.replies["/wall/clear"] = { status: 403 };
  browser.byId("clear").click();
  assert.equal(browser.byId("clear-dialog").open, true);
  assert.equal(browser.fetched.some((one) => one.pathname === "/wall/clear"), false);
  await browser.byId("clear-yes").click().done;
  assert.equal(browser.byId("clear-dialog").open, true);
  assert.match(browser.byId("clear-fault").textContent, /admin/);
  browser.byId("clear").click();
  assert.equal(browser.byId("clear-fault").textContent, "");
  browser.replies["/wall/clear"] = {};
  await browser.byId("clear-yes").click().done;
  assert.equal(browser.byId("clear-dialog").open, false);
  assert.equal(browser.fetched.at(-1).method, "POST");
});

const layouts = [
  [0, [1, 1]], [1, [1, 1]], [2, [2, 1]], [3, [2, 2]], [4, [2, 2]], [5, [3, 2]], [6, [3, 2]], [7, [3, 3]], [9, [3, 3]],
  [10, [4, 3]], [12, [4, 3]], [13, [4, 4]], [17, [5, 4]], [32, [6, 6]],
]; // prettier-ignore
test("tiles that fill a screen: columns and rows", async () => {
  const { grid } = await load("wall_tiles.js");
  for (const [count, layout] of layouts) {
    assert.deepEqual(grid(count), layout);
    assert.deepEqual(grid(count, true), [...layout].reverse());
  }
});

test("times and rates in words", async () => {
  await wall();
  const { duration, rateInWords } = await load("wall_tiles.js");
  assert.deepEqual([0, 59.9, 60, 3599, 3600, 90_000].map(duration), ["0 s", "59 s", "1 min", "59 min", "1 h", "25 h"]);
  const rates = [0, 1 / 30, 0.999, 1, 2.25, 13.2].map(rateInWords);
  assert.deepEqual(rates, ["", "2 per minute", "60 per minute", "1 per second", "2.3 per second", "13 per second"]);
});

test("people's words stand for labels on tiles, cards, counts and filters; filters go by the labels", async () => {
  const models = { objects: { display_names: { en: { Cat: "House cat" } }, sends: true, keeps: false } };
  const info = { default: "objects", models };
  const browser = await feed({}, (one) => (one.replies["/page/info"] = info));
  await settle();
  show(browser, answer(1));
  say(browser, answer(2, { predictions: [CAT, CUP] }));
  assert.equal(tiles(browser)[0].all(".words")[0].textContent, "House cat");
  assert.equal(cards(browser)[0].all(".words")[0].textContent, "House cat");
  const minutes = Array(60).fill(0);
  browser.events.at(-1).say("counts", { labels: [{ label: "Cat", sum: 3, minutes }], others: 0, cameras: [], absent_s: 5, up_min: 60 });
  assert.equal(browser.byId("counts").children[0].all(".label")[0].textContent, "House cat");
  const offered = browser.byId("filter-label").options.map((one) => [one.value, one.textContent]);
  assert.deepEqual(offered, [["", "Any"], ["Cat", "House cat"], ["Cup", "Cup"]]);
  choose(browser, { label: "Cat" });
  assert.deepEqual(numbers(browser), [2]);
});

test("the wall says what becomes of pictures, if any model's may go elsewhere", async () => {
  const models = { a: { display_names: {}, sends: false, keeps: false }, b: { display_names: {}, sends: false, keeps: true } };
  const browser = await wall({}, (one) => (one.replies["/page/info"] = { default: "a", models }));
  await settle();
  assert.match(browser.byId("privacy").textContent, /kept on this machine's disk/);
  assert.equal((await wall()).byId("privacy").hidden, true);
});
