// The wall: a tile per camera, the feed of changes, the appearances of the last hour, and the health.

import { followAlerts } from "./alerts.js";
import { learnModels, privacyOfAll, showPrivacy } from "./model_info.js";
import { byId, dress, offerLooks, session, setting, signIn, text } from "./page.js";
import { cardAnswers, clearCards, listenToCards, remakeCards, showCards, takeEntries } from "./wall_cards.js";
import { countedLabels, showCounts, takeCounts } from "./wall_counts.js";
import { listenToFilters, offerFilters } from "./wall_filters.js";
import { showHealth, takeHealth } from "./wall_health.js";
import { listenToLarge, openLarge, redrawLarge } from "./wall_large.js";
import { listenToDialogs } from "./wall_dialogs.js";
import { listenToTabs } from "./wall_tabs.js";
import { clearTiles, listenToTiles, showTiles, takeCameras, takeFrames, tileAnswers, tileCameras } from "./wall_tiles.js";

const SILENCE_MS = 6000; // the service says its health each second
const AGAIN_MS = 1000;

const tv = setting("tv") === "1";
let keeps = "";
let live = null; // not known before the first event
let deadline = 0;

// Events

function follow() {
  const events = new EventSource("wall/events");
  followAlerts(events);
  const on = (name, take) => {
    events.addEventListener(name, (event) => {
      setLive(true);
      take(JSON.parse(event.data));
    });
  };
  events.addEventListener("open", () => {
    clearCards(); // a restarted service counts from the beginning
    setLive(true);
  });
  events.addEventListener("error", () => {
    setLive(false);
    checkKey();
    if (events.readyState === EventSource.CLOSED) {
      events.close();
      setTimeout(follow, AGAIN_MS);
    }
  });
  on("frames", (frames) => {
    takeFrames(frames);
    offer();
  });
  on("cameras", takeCameras);
  on("answers", (answers) => {
    takeEntries(answers);
    offer();
  });
  on("clear", () => {
    clearTiles();
    clearCards();
  });
  on("counts", (counts) => {
    takeCounts(counts);
    offer();
  });
  on("health", takeHealth);
}

async function checkKey() {
  try {
    const { keys, scopes } = await session();
    if (keys && !scopes.includes("view")) signIn();
  } catch {
    // the service is gone
  }
}

/** Say whether the service is there; what the tiles show of one that is gone is old. */
function setLive(now) {
  clearTimeout(deadline);
  if (now) deadline = setTimeout(() => setLive(false), SILENCE_MS);
  if (live === now) return;
  live = now;
  showState();
}

function showState() {
  if (live === null) return;
  const state = byId("state");
  const words = text(live ? "wall.live" : "wall.gone");
  state.dataset.state = live ? "live" : "bad";
  state.textContent = words;
  byId("gone").textContent = live ? "" : words;
  byId("gone").hidden = live;
  document.body.classList.toggle("stale", !live);
}

// What is shown

function offer() {
  offerFilters(tileCameras(), [...tileAnswers(), ...cardAnswers()], countedLabels());
}

function filter() {
  showTiles();
  showCards();
  showCounts();
}

function showAll() {
  showState();
  offer();
  showTiles();
  remakeCards();
  showCounts();
  showHealth();
  byId("notice").textContent = keeps && text("wall.notice", { keeps });
  showPrivacy(byId("privacy"), privacyOfAll());
}

function listen() {
  listenToTabs(showAll);
  listenToFilters(filter);
  listenToDialogs();
  listenToLarge();
  listenToTiles(openLarge);
  listenToCards(openLarge);
  byId("configure").addEventListener("click", () => byId("settings").showModal());
  offerLooks(byId("set-language"), byId("set-theme"), showAll);
  window.addEventListener("resize", () => {
    showTiles();
    remakeCards();
    redrawLarge();
  });
}

document.body.classList.toggle("tv", tv);
dress();
listen();
showAll();
follow();
learnModels().then(showAll);
session().then(({ keys }) => (byId("signout-button").hidden = !keys)).catch(() => {});
fetch("wall/phone").then((response) => response.json()).then((known) => {
  keeps = known.keeps ?? "";
  showAll();
}).catch(() => {});
