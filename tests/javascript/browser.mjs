// A browser for the pages' modules: its clock, network and camera are the test's, and every page begins anew.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { Document, Target } from "./elements.mjs";

export const STATIC = fileURLToPath(new URL("../../edge/web/pages/static/", import.meta.url));
const FRAME_MS = 16;
const settled = setImmediate; // the real one: a browser's own goes by the test's clock

/** Let all promises settle that do not wait for the clock. */
export const settle = () => new Promise((done) => settled(() => settled(done)));

/** Time as the test says; timers fire when it is advanced past them. */
export class Clock {
  now = 1000;
  #timers = new Map();
  #last = 0;

  add(action, ms, again = false) {
    this.#timers.set(++this.#last, { action, at: this.now + Math.max(0, ms || 0), every: again ? ms : null });
    return this.#last;
  }

  remove(number) {
    this.#timers.delete(number);
  }

  async advance(ms) {
    const until = this.now + ms;
    for (;;) {
      await settle();
      const [number, timer] = [...this.#timers].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (!timer || timer.at > until) break;
      this.now = Math.max(this.now, timer.at);
      if (timer.every === null) this.#timers.delete(number);
      else timer.at += timer.every;
      timer.action(this.now);
    }
    this.now = until;
  }
}

class Socket extends Target {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  readyState = Socket.CONNECTING;
  bufferedAmount = 0;
  sent = [];

  constructor(url, all) {
    super();
    this.url = new URL(url);
    all.push(this);
  }

  send(data) {
    if (this.readyState !== Socket.OPEN) throw new Error("sent to a socket that is not open");
    this.sent.push(data);
  }

  close() {
    if (this.readyState < Socket.CLOSING) this.readyState = Socket.CLOSING;
  }

  // What the other side does

  accept() {
    this.readyState = Socket.OPEN;
    this.fire("open");
  }

  say(message) {
    return this.fire("message", { data: JSON.stringify(message) });
  }

  end() {
    this.readyState = Socket.CLOSED;
    this.fire("close");
  }
}

class Events extends Target {
  static CLOSED = 2;
  readyState = 0;

  constructor(url, all) {
    super();
    this.url = url;
    all.push(this);
  }

  close() {
    this.readyState = Events.CLOSED;
  }

  say(name, data) {
    return this.fire(name, { data: JSON.stringify(data) });
  }
}

/** Cameras that are plugged in; `fault` is the name of the error that opening one gives. */
class Cameras extends Target {
  names = ["Front", "Back"];
  namesAreTold = true; // some browsers tell them only once a camera is allowed
  fault = null;
  asked = [];
  tracks = [];

  async enumerateDevices() {
    const told = this.namesAreTold || this.tracks.length > 0;
    const alike = (label, at) => this.names.slice(0, at).filter((one) => one === label).length;
    const cameras = this.names.map((label, at) => ({
      kind: "videoinput",
      label: told ? label : "",
      deviceId: `id of ${label}` + " again".repeat(alike(label, at)),
    }));
    return [...cameras, { kind: "audioinput", label: "Microphone", deviceId: "microphone" }];
  }

  async getUserMedia(wanted) {
    this.asked.push(wanted);
    if (this.fault) throw Object.assign(new Error("no camera"), { name: this.fault });
    const track = Object.assign(new Target(), { readyState: "live" });
    track.stop = () => (track.readyState = "ended");
    track.getSettings = () => ({ deviceId: wanted.video.deviceId?.exact ?? `id of ${this.names[0]}` });
    this.tracks.push(track);
    return { getTracks: () => [track], getVideoTracks: () => [track] };
  }

  /** How many are in use. */
  get live() {
    return this.tracks.filter((one) => one.readyState === "live").length;
  }
}

export class Browser {
  clock = new Clock();
  sockets = [];
  events = [];
  cameras = new Cameras();
  fetched = [];
  replies = {}; // by path: a body, or a function of the request's options that gives one, or throws
  visited = [];
  stored = new Map();
  urls = new Set(); // made for blobs and not given back
  bitmaps = [];
  awake = []; // what was asked to stay on
  ratio = 1;

  /** The stream's or the wall's latest connection. */
  get socket() {
    return this.sockets.at(-1);
  }

  constructor(html, { search = "", path = "/page", languages = ["en-GB"], storage = true, secure = true } = {}) {
    this.document = new Document(html);
    this.window = new Target();
    const { clock, stored } = this;
    const browser = this;
    Object.defineProperty(this.window, "devicePixelRatio", { get: () => browser.ratio });
    this.location = {
      href: `http://edge.test${path}${search}`,
      origin: "http://edge.test",
      pathname: path,
      search,
      assign: (url) => this.visited.push(url),
    };
    const globals = {
      document: this.document,
      window: this.window,
      location: this.location,
      history: {
        replaceState: (_, __, url) => {
          this.location.search = new URL(url, "http://edge.test").search;
          this.location.href = `http://edge.test${url}`;
        },
      },
      localStorage: {
        getItem: (name) => (storage ? (stored.get(name) ?? null) : forbidden()),
        setItem: (name, value) => (storage ? stored.set(name, String(value)) : forbidden()),
      },
      navigator: {
        languages,
        mediaDevices: secure ? this.cameras : undefined,
        wakeLock: { request: async (what) => this.awake.push(what) },
      },
      performance: { now: () => clock.now },
      setTimeout: (action, ms) => clock.add(action, ms),
      clearTimeout: (number) => clock.remove(number),
      setInterval: (action, ms) => clock.add(action, ms, true),
      clearInterval: (number) => clock.remove(number),
      requestAnimationFrame: (action) => clock.add(action, FRAME_MS),
      getComputedStyle: () => ({ fontSize: "100px" }),
      WebSocket: class extends Socket {
        constructor(url) {
          super(url, browser.sockets);
        }
      },
      EventSource: class extends Events {
        constructor(url) {
          super(url, browser.events);
        }
      },
      createImageBitmap: async (file) => {
        if (!file.size) throw new Error("not a picture");
        const [width, height] = file.size;
        const bitmap = { width, height, closed: false, close: () => (bitmap.closed = true) };
        this.bitmaps.push(bitmap);
        return bitmap;
      },
      fetch: (url, options = {}) => this.#fetch(url, options),
    };
    for (const [name, value] of Object.entries(globals)) {
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    }
    URL.createObjectURL = () => {
      const url = `blob:${this.urls.size}-${Math.random()}`;
      this.urls.add(url);
      return url;
    };
    URL.revokeObjectURL = (url) => this.urls.delete(url);
  }

  byId(id) {
    return this.document.getElementById(id);
  }

  async #fetch(url, options) {
    const { pathname, searchParams } = new URL(url, this.location.href);
    this.fetched.push({ url, pathname, query: Object.fromEntries(searchParams), ...options });
    const reply = this.replies[pathname];
    const body = typeof reply === "function" ? await reply(options) : reply;
    if (body === undefined) throw new Error("the network is gone");
    const status = body.status ?? 200;
    return { ok: status < 400, status, json: async () => body };
  }
}

function forbidden() {
  throw new Error("no storage");
}

/** A module of the pages, fresh, as are those it imports: none remembers an earlier test. */
export async function load(name) {
  const [module] = await loadTogether(name);
  return module;
}

/** Several of them, which share those that they import. */
export async function loadTogether(...names) {
  const folder = mkdtempSync(join(tmpdir(), "edge-pages-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  cpSync(STATIC, folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"type": "module"}'); // for node, which takes .js as CommonJS
  return Promise.all(names.map((name) => import(pathToFileURL(join(folder, name)))));
}

/** Open a page in a browser of its own; what `prepare` is given the browser for happens before its script runs. */
export async function openPage(name, options = {}, prepare = () => {}) {
  const browser = new Browser(readFileSync(join(STATIC, `${name}.html`), "utf8"), options);
  browser.replies["/session"] = { keys: false, scopes: [] };
  prepare(browser);
  await load(`${name}.js`);
  await settle();
  return browser;
}

/** A browser with a bare document, for a module on its own. */
export function bareBrowser(options = {}) {
  return new Browser('<html><body data-title="kiosk.title"></body></html>', options);
}
