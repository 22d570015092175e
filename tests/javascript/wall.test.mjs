import assert from "node:assert/strict";
import { test } from "node:test";

import { openPage, settle } from "./browser.mjs";

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

const cards = (browser) => browser.byId("cards").children;
const numbers = (browser) => cards(browser).map((card) => Number(card.dataset.number));
const say = (browser, ...answers) => browser.events.at(-1).say("answers", answers);
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

function choose(browser, values) {
  for (const [name, value] of Object.entries(values)) browser.byId(`filter-${name}`).value = value;
  browser.byId("filters").fire("input");
}

test("answers are cards, the latest first", async () => {
  const browser = await wall();
  assert.match(browser.byId("cards").textContent, /No answers yet.*http:\/\/edge\.test\/predict/);
  say(browser, answer(1), answer(2));
  say(browser, answer(3));
  assert.deepEqual(numbers(browser), [3, 2, 1]);
  assert.equal(browser.byId("cards").all(".blank").length, 0);
});

test("cards that stay are not made anew: their pictures would flicker", async () => {
  const browser = await wall();
  say(browser, answer(1), answer(2));
  const [second, first] = cards(browser);
  say(browser, answer(3));
  assert.ok(cards(browser)[1] === second && cards(browser)[2] === first);
});

test("a card tells what was seen, by which camera, model and source, and how long it took", async () => {
  const browser = await wall();
  const more = range(4, 9).map((index) => ({ label: `label ${index}`, index, score: index === 4 ? 0.5 : 0.1 }));
  say(browser, answer(7, { predictions: [CAT, { ...CAT, score: 0.7 }, CUP, ...more], source: "cloud" }));
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
  const browser = await wall();
  say(browser, answer(8, { predictions: [CAT, CUP], certain: false }));
  const [card] = cards(browser);
  assert.deepEqual(card.all(".best")[0].children.map((one) => one.textContent), ["Not sure"]);
  assert.ok(card.all(".best")[0].classList.contains("unsure"));
  assert.equal(card.all(".more")[0].textContent, "perhaps Cat 80% · Cup 60%");
});

test("a card's boxes are where the objects are in its picture", async () => {
  const browser = await wall();
  say(browser, answer(1));
  const [canvas] = cards(browser)[0].all("canvas");
  Object.assign(canvas, { clientWidth: 400, clientHeight: 300 });
  await browser.clock.advance(20);
  const [box] = canvas.pen.seen("box");
  assert.deepEqual([box.x, box.y, box.width, box.height], [200, 75, 75, 75]);
});

test("an answer without a picture has none, and one that is gone from the server is taken away", async () => {
  const browser = await wall();
  say(browser, answer(1, { picture: false }), answer(2));
  const [second, first] = cards(browser);
  assert.equal(first.all("img").length, 0);
  second.all("img")[0].fire("error");
  assert.equal(second.all("img").length, 0);
});

test("an answer that recognised nothing says so", async () => {
  const browser = await wall();
  say(browser, answer(1, { predictions: [], camera: "" }), answer(2, { camera: "phone" }));
  const [phone, none] = cards(browser);
  assert.equal(none.all(".best")[0].textContent, "Nothing recognised");
  assert.equal(none.all(".camera")[0].textContent, "Unnamed");
  assert.equal(phone.all(".camera")[0].textContent, "Phone");
});

test("names and labels are text, whatever they look like", async () => {
  const browser = await wall();
  const words = "<script>alert(1)</script>";
  say(browser, answer(1, { camera: words, predictions: [{ ...CAT, label: words }], model: { name: words, version: 1 } }));
  browser.events[0].say("counts", { labels: [{ label: words, sum: 1, minutes: [1] }], others: 0 });
  browser.events[0].say("health", { ...HEALTH, models: [{ name: words, version: 1, state: "END", fault: words }] });
  assert.equal(cards(browser)[0].all(".camera")[0].textContent, words);
  assert.equal(cards(browser)[0].all(".best")[0].children[0].textContent, words);
  assert.equal(browser.document.root.all("script").length, 1, "the page's own");
});

test("48 cards are shown and eight times as many answers held: the latest", async () => {
  const browser = await wall();
  for (const first of [1, 101, 201, 301, 401]) {
    say(browser, ...range(first, first + 99).map((number) => answer(number, { camera: `camera ${number}` })));
  }
  assert.deepEqual(numbers(browser), range(500 - MAX_CARDS + 1, 500).reverse());
  const cameras = browser.byId("filter-camera").options.map((one) => one.value);
  assert.equal(cameras.length, 1 + 8 * MAX_CARDS);
  assert.equal(cameras[1], `=camera ${500 - 8 * MAX_CARDS + 1}`);
});

test("48 cards that pass the filters are shown, though later ones do not", async () => {
  const browser = await wall();
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
    const browser = await wall();
    say(
      browser,
      answer(1),
      answer(2, { camera: "" }),
      answer(3, { source: "cloud", predictions: [CUP] }),
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
  const browser = await wall();
  say(browser, answer(1), answer(2, { predictions: [CUP] }));
  choose(browser, { camera: "=line-1", label: "Cup", source: "edge", score: "30" });
  const { search } = browser.location;
  assert.equal(search, "?camera=%3Dline-1&label=Cup&source=edge&score=30");
  assert.equal(browser.byId("score-shown").textContent, "30%");
  const again = await wall({ search });
  assert.deepEqual(["camera", "label", "source", "score"].map((one) => again.byId(`filter-${one}`).value), ["=line-1", "Cup", "edge", "30"]);
  assert.deepEqual(again.byId("filter-camera").options.map((one) => one.textContent), ["All", "line-1"]);
  say(again, answer(1), answer(2, { predictions: [CUP] }));
  assert.deepEqual(numbers(again), [2]);
  choose(again, { camera: "", label: "", source: "", score: "0" });
  assert.equal(again.location.search, "");
});

test("filters offer what was seen and what was counted, each once, sorted", async () => {
  const browser = await wall();
  say(browser, answer(1, { predictions: [CUP, CAT] }), answer(2), answer(3, { camera: "" }));
  browser.events[0].say("counts", { labels: [{ label: "Bus", sum: 1, minutes: [1] }, { label: "Cat", sum: 1, minutes: [1] }], others: 0 });
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
  const browser = await wall();
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

test("a cleared wall is empty", async () => {
  const browser = await wall();
  say(browser, answer(1));
  browser.events[0].say("clear", null);
  assert.match(browser.byId("cards").textContent, /No answers yet/);
  assert.deepEqual(numbers(browser).filter(Boolean), []);
});

test("a service that starts anew counts anew: what was held of the old one goes", async () => {
  const browser = await wall();
  say(browser, answer(1, { camera: "before" }), answer(2, { camera: "before" }));
  browser.events[0].fire("error");
  assert.equal(browser.byId("state").dataset.state, "bad");
  assert.match(browser.byId("state").textContent, /cannot be reached/);
  browser.events[0].fire("open");
  assert.deepEqual([browser.byId("state").dataset.state, browser.byId("state").textContent], ["live", "Live"]);
  say(browser, answer(1, { camera: "after" }));
  assert.deepEqual(cards(browser).map((card) => card.all(".camera")[0].textContent), ["after"]);
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
  say(browser, answer(1));
  assert.deepEqual(numbers(browser), [1]);
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

test("counts are bars of the last hour: as high as there were many, the highest the whole height", async () => {
  const browser = await wall();
  const minutes = Array(60).fill(0);
  Object.assign(minutes, { 0: 28, 30: 14, 58: 0, 59: 1 });
  browser.events[0].say("counts", { labels: [{ label: "Cat", sum: 1043, minutes }], others: 5 });
  const [row] = browser.byId("counts").children;
  assert.equal(row.all(".label")[0].textContent, "Cat");
  assert.equal(row.all(".sum")[0].textContent, "1,043");
  const [plot] = row.all("svg");
  assert.equal(plot.getAttribute("viewBox"), "0 0 240 30");
  assert.equal(plot.getAttribute("aria-label"), "Cat: 1043 in the last hour");
  const bars = plot.all("rect").map((one) => ["x", "y", "height"].map((name) => Number(one.getAttribute(name))));
  assert.deepEqual(bars, [[0.5, 1, 28], [120.5, 15, 14], [236.5, 27, 2]]);
  assert.equal(browser.byId("others").textContent, "5 of other labels");
});

test("counts replace those before, and none are told as none", async () => {
  const browser = await wall();
  const labels = [{ label: "Cat", sum: 1, minutes: [1] }, { label: "Cup", sum: 1, minutes: [1] }];
  for (const [now, others, words] of [[labels, 0, ""], [labels.slice(1), 0, ""], [[], 0, "Nothing was seen in the last hour."]]) {
    browser.events[0].say("counts", { labels: now, others });
    assert.deepEqual(browser.byId("counts").children.map((one) => one.all(".label")[0].textContent), now.map((one) => one.label));
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
  const browser = await wall();
  say(browser, answer(1, { camera: "" }));
  browser.events[0].say("health", HEALTH);
  browser.events[0].say("counts", { labels: [], others: 0 });
  assert.match(browser.byId("notice").textContent, /latest 20 of each camera/);
  browser.byId("set-language").value = "fr";
  browser.byId("set-language").fire("change");
  assert.equal(cards(browser)[0].all(".camera")[0].textContent, "Sans nom");
  assert.match(browser.byId("health").textContent, /se charge/);
  assert.match(browser.byId("others").textContent, /Rien n’a été vu/);
  assert.match(browser.byId("notice").textContent, /les 20 dernières/);
});

test("boxes are drawn anew when the window's size changes", async () => {
  const browser = await wall();
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
