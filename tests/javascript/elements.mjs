// A document as far as the pages use one: elements without layout, canvases that remember what was drawn.

const VOID = new Set(["br", "img", "input", "link", "meta"]);

/** What takes listeners, and lets a test fire at them. */
export class Target {
  #listeners = new Map();

  addEventListener(type, listener) {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  /** Call the listeners; the event, and what they returned in `done`. */
  fire(type, fields = {}) {
    const event = { type, target: this, prevented: false, ...fields };
    event.preventDefault = () => (event.prevented = true);
    event.done = Promise.all((this.#listeners.get(type) ?? []).map((listener) => listener(event)));
    return event;
  }
}

export class Element extends Target {
  constructor(tag) {
    super();
    this.tag = tag;
    this.children = [];
    this.parent = null;
    this.attributes = new Map();
    this.dataset = new Proxy({}, { set: (on, name, value) => Reflect.set(on, name, String(value)) });
    this.style = {};
    this.hidden = false;
    this.className = "";
    if (!("value" in this)) this.value = "";
    this.checked = false;
    this.open = false;
    [this.clientWidth, this.clientHeight, this.scrollWidth] = [0, 0, 0];
    this.words = "";
  }

  get tagName() {
    return this.tag.toUpperCase();
  }

  get classList() {
    const classes = () => this.className.split(" ").filter(Boolean);
    const contains = (name) => classes().includes(name);
    const remove = (name) => (this.className = classes().filter((one) => one !== name).join(" "));
    const add = (name) => contains(name) || (this.className = [...classes(), name].join(" "));
    const toggle = (name, on = !contains(name)) => (on ? add(name) : remove(name));
    return { add, contains, remove, toggle };
  }

  get textContent() {
    return this.words + this.children.map((one) => one.textContent).join("");
  }

  set textContent(words) {
    this.replaceChildren();
    this.words = String(words ?? "");
  }

  // What is not ours is shown as text, never read as HTML.
  set innerHTML(_) {
    throw new Error("innerHTML is written");
  }

  set outerHTML(_) {
    throw new Error("outerHTML is written");
  }

  insertAdjacentHTML() {
    throw new Error("HTML is inserted");
  }

  get firstElementChild() {
    return this.children[0] ?? null;
  }

  get lastElementChild() {
    return this.children.at(-1) ?? null;
  }

  append(...nodes) {
    for (const node of nodes) this.insertBefore(node, null);
  }

  insertBefore(node, before) {
    node.remove();
    node.parent = this;
    this.children.splice(before ? this.children.indexOf(before) : this.children.length, 0, node);
  }

  replaceChildren(...nodes) {
    for (const child of this.children) child.parent = null;
    this.children = [];
    this.words = "";
    this.append(...nodes);
  }

  remove() {
    if (this.parent) this.parent.children = this.parent.children.filter((one) => one !== this);
    this.parent = null;
  }

  setAttribute(name, value) {
    if (name === "class") this.className = value;
    this.attributes.set(name, String(value));
  }

  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }

  closest(tags) {
    if (tags.split(", ").includes(this.tag)) return this;
    return this.parent?.closest(tags) ?? null;
  }

  /** The elements below: all, those of a tag, those of a `.class`, or those that have `[data-...]`. */
  all(wanted = "") {
    const below = this.children.flatMap((one) => [one, ...one.all()]);
    if (wanted.startsWith(".")) return below.filter((one) => one.classList.contains(wanted.slice(1)));
    if (wanted.startsWith("[data-")) return below.filter((one) => wanted.slice(6, -1) in one.dataset);
    return below.filter((one) => !wanted || one.tag === wanted);
  }

  focus() {
    document.activeElement = this;
  }

  click() {
    return this.fire("click");
  }

  showModal() {
    this.open = true;
  }

  close() {
    this.open = false;
    this.fire("close");
  }

  async requestFullscreen() {
    document.fullscreenElement = this;
  }
}

class Select extends Element {
  #chosen = null; // the first, until one is chosen

  get options() {
    return this.children;
  }

  get length() {
    return this.children.length;
  }

  get value() {
    if (this.#chosen === "none") return "";
    return (this.children.includes(this.#chosen) ? this.#chosen : this.children[0])?.value ?? "";
  }

  set value(value) {
    this.#chosen = this.children.find((one) => one.value === value) ?? "none";
  }

  insertBefore(node, before) {
    super.insertBefore(node, before);
    if (this.#chosen === "none") this.#chosen = null;
  }
}

/** A pen that keeps every stroke with the colours and the scale it was made in; letters are half as wide as high. */
export class Pen {
  strokes = [];
  font = "10px sans-serif";

  measureText(words) {
    return { width: (words.length * parseFloat(this.font.match(/([\d.]+)px/)[1])) / 2 };
  }

  setTransform(...scale) {
    this.scale = scale;
  }

  clearRect(...rest) {
    this.#keep("clear", ...rest);
  }

  strokeRect(...rest) {
    this.#keep("box", ...rest);
  }

  fillRect(...rest) {
    this.#keep("caption", ...rest);
  }

  fillText(words, x, y) {
    this.#keep("words", x, y, 0, 0, words);
  }

  drawImage(source, x, y, width, height) {
    this.#keep("picture", x, y, width, height, source);
  }

  createImageData(width, height) {
    return { width, height, data: new Uint8ClampedArray(width * height * 4) };
  }

  putImageData(pixels, x, y) {
    this.#keep("pixels", x, y, pixels.width, pixels.height, pixels.data);
  }

  #keep(what, x, y, width, height, of = null) {
    const { scale, font, strokeStyle: stroke, fillStyle: fill, lineWidth: line } = this;
    this.strokes.push({ what, x, y, width, height, of, scale, font, stroke, fill, line });
  }

  /** What is seen of that kind: since the whole was cleared last. */
  seen(what) {
    const cleared = this.strokes.findLastIndex?.((one) => one.what === "clear") ?? -1;
    return this.strokes.slice(cleared + 1).filter((one) => one.what === what);
  }
}

class Canvas extends Element {
  pen = new Pen();
  width = 300;
  height = 150;

  getContext() {
    return this.pen;
  }

  toBlob(done, type, quality) {
    const { width, height } = this;
    queueMicrotask(() => done(width && height ? { type, quality, width, height } : null));
  }
}

class Video extends Element {
  paused = true;
  srcObject = null;
  videoWidth = 0;
  videoHeight = 0;
  frames = 0;

  play() {
    this.paused = false;
    return Promise.resolve();
  }

  pause() {
    this.paused = true;
  }

  getVideoPlaybackQuality() {
    return { totalVideoFrames: this.frames };
  }
}

const KINDS = { select: Select, canvas: Canvas, video: Video };

export function make(tag) {
  return new (KINDS[tag] ?? Element)(tag);
}

/** Read a page's HTML; its root element. */
export function parse(html) {
  const root = new Element("root");
  let at = root;
  for (const [, end, tag, attributes, closed, words] of html.matchAll(
    /<(\/?)([a-z][\w-]*)((?:\s+[\w:-]+(?:="[^"]*")?)*)\s*(\/?)>|([^<]+)/gi,
  )) {
    if (words !== undefined) at.words += words.trim();
    else if (end) at = at.parent;
    else {
      const made = make(tag);
      for (const [, name, value = ""] of attributes.matchAll(/([\w:-]+)(?:="([^"]*)")?/g)) set(made, name, value);
      at.append(made);
      if (!closed && !VOID.has(tag)) at = made;
    }
  }
  if (at !== root) throw new Error(`<${at.tag}> is not closed`);
  return root;
}

function set(element, name, value) {
  element.setAttribute(name, value);
  if (name === "class") element.className = value;
  else if (name.startsWith("data-")) element.dataset[name.slice(5)] = value;
  else if (["id", "value", "href", "src"].includes(name)) element[name] = value;
  else if (["hidden", "checked"].includes(name)) element[name] = true;
}

/** The document around a page's elements. */
export class Document extends Target {
  hidden = false;
  fullscreenElement = null;
  title = "";
  made = []; // by scripts

  constructor(html) {
    super();
    this.root = parse(html);
    [this.documentElement] = this.root.all("html");
    [this.body] = this.root.all("body");
    this.ids = new Map(this.root.all().map((one) => [one.id, one])); // no script makes another
  }

  getElementById(id) {
    return this.ids.get(id) ?? null;
  }

  querySelectorAll(wanted) {
    return this.root.all(wanted);
  }

  createElement(tag) {
    this.made.push(make(tag));
    return this.made.at(-1);
  }

  createElementNS(_, tag) {
    return make(tag);
  }

  exitFullscreen() {
    this.fullscreenElement = null;
  }
}
