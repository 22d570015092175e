// "Wrong": a person says what a frame shows, and the service keeps it for training. For the kiosk and the wall.

import { faultWords } from "./faults.js";
import { learnModels, worded } from "./model_info.js";
import { element, signIn, text } from "./page.js";

const MAX_CHOICES = 24; // a model may have thousands of labels; the rest is found by typing
const SAID_MS = 5000;
const OWN_FAULTS = { no_outbox: "correct.no_outbox", picture_gone: "correct.picture_gone" };

/**
 * A button that opens the choice of labels, in an element of the page.
 *
 * `frameOf()` gives the frame that is on the screen: its `answer`; where its picture is for the service, either
 * `picture`, a number on the wall, or the `image` itself with its `camera`; and for the eye, `src`. Nothing if there
 * is none.
 */
export class Correction {
  #frameOf;
  #possible = false;
  #maxLabel = 0;
  #frame = null;
  #labels = [];
  #saying = 0;
  dialog = null; // made when it is opened first

  constructor(place, frameOf) {
    this.#frameOf = frameOf;
    this.button = element("button", "text big");
    this.said = element("p", "said");
    this.said.setAttribute("role", "status");
    this.button.type = "button";
    this.button.hidden = true;
    this.button.addEventListener("click", () => this.#open());
    place.append(this.button, this.said);
  }

  /** Ask whether corrections are kept here, and whether this visitor may send them. */
  async learn() {
    try {
      const response = await fetch("corrections");
      const { possible = false, max_label: most = 0 } = response.ok ? await response.json() : {};
      this.#possible = possible;
      this.#maxLabel = most;
    } catch {
      return; // the page says itself that the service is gone
    }
    this.show();
  }

  /** Show the button if there is a frame to correct. */
  show() {
    this.button.hidden = !this.#possible || !this.#frameOf();
    if (this.button.textContent !== text("correct.wrong")) this.button.textContent = text("correct.wrong");
  }

  /** Close the choice without one. */
  close() {
    if (this.dialog?.open) this.dialog.close();
  }

  #build() {
    this.dialog = element("dialog", "correction");
    this.title = element("h2");
    this.title.id = "correction-title";
    this.dialog.setAttribute("autofocus", ""); // not the search, for which a keyboard would cover a touch screen
    this.dialog.setAttribute("aria-labelledby", this.title.id);
    this.preview = element("img");
    this.preview.alt = "";
    this.search = element("input");
    this.search.type = "search";
    this.search.autocomplete = "off";
    this.choices = element("ul", "choices");
    this.choices.tabIndex = -1;
    this.fault = element("p", "fault");
    this.fault.setAttribute("role", "alert");
    this.none = element("button", "text big");
    this.cancel = element("button", "text big");
    for (const button of [this.none, this.cancel]) button.type = "button";
    const row = element("div", "row");
    row.append(this.none, this.cancel);
    this.dialog.append(this.title, this.preview, this.search, this.choices, this.fault, row);
    this.search.addEventListener("input", () => this.#offer());
    this.search.addEventListener("keydown", (event) => event.key === "Enter" && this.#chooseOnly(event));
    this.none.addEventListener("click", () => this.#send(null));
    this.cancel.addEventListener("click", () => this.close());
    // On the kiosk, Escape would also close the picture behind.
    this.dialog.addEventListener("keydown", (event) => event.key === "Escape" && event.stopPropagation());
    this.dialog.addEventListener("close", () => this.#end());
    document.body.append(this.dialog);
  }

  async #open() {
    const frame = this.#frameOf();
    if (!frame) return;
    if (!this.dialog) this.#build();
    this.#frame = frame;
    this.#labels = [];
    this.title.textContent = text("correct.title");
    this.none.textContent = text("correct.none");
    this.cancel.textContent = text("correct.cancel");
    for (const name of ["aria-label", "placeholder"]) this.search.setAttribute(name, text("correct.search"));
    this.search.setAttribute("maxlength", String(this.#maxLabel));
    this.search.value = this.fault.textContent = "";
    this.preview.src = frame.src;
    this.#enable(true);
    this.#offer();
    this.dialog.showModal();
    this.#labels = await labelsOf(frame.answer.model.name);
    if (this.#frame === frame) this.#offer();
  }

  #end() {
    this.#frame?.release?.();
    this.#frame = null;
    this.preview.removeAttribute?.("src");
  }

  /** The labels to choose from: those that the model thought of first, and what is typed. */
  #offer() {
    const { answer } = this.#frame;
    const typed = this.search.value.trim();
    const wanted = typed.toLowerCase();
    const thought = answer.predictions.slice(1).map((one) => one.label);
    const best = answer.predictions[0]?.label;
    const others = [...thought, ...this.#labels].filter((one) => one !== best);
    const all = [...new Set(others), ...(best ? [best] : [])];
    const named = inWords(answer.model.name, all);
    const fitting = named.filter(([label, words]) => [label, words].some((one) => one.toLowerCase().includes(wanted)));
    const isKnown = fitting.some(([label, words]) => [label, words].some((one) => one.toLowerCase() === wanted));
    const shown = fitting.slice(0, MAX_CHOICES).map(([label, words]) => this.#choice(label, words));
    if (typed && !isKnown) shown.push(this.#choice(typed, text("correct.other", { label: typed })));
    this.choices.replaceChildren(...shown);
  }

  #choice(label, words) {
    const item = element("li");
    const button = element("button", "text big", words);
    button.type = "button";
    button.addEventListener("click", () => this.#send(label));
    item.append(button);
    return item;
  }

  /** Enter takes the one choice that is left. */
  #chooseOnly(event) {
    event.preventDefault();
    const [only, ...others] = this.choices.children;
    if (only && !others.length) only.firstElementChild.click();
  }

  #enable(on) {
    for (const button of [this.none, ...[...this.choices.children].map((one) => one.firstElementChild)]) button.disabled = !on;
  }

  async #send(label) {
    const frame = this.#frame;
    this.#enable(false); // a second tap would say the same again
    this.fault.textContent = "";
    const fault = await post(frame, label);
    if (this.#frame !== frame) return;
    if (fault) {
      this.fault.textContent = fault;
      this.#enable(true);
      return;
    }
    const words = label === null ? text("correct.none") : inWords(frame.answer.model.name, [label])[0][1];
    this.close();
    this.#say(text("correct.kept", { label: words }));
  }

  #say(words) {
    clearTimeout(this.#saying);
    this.said.textContent = words;
    this.#saying = setTimeout(() => (this.said.textContent = ""), SAID_MS);
  }
}

/** Pairs of a label and the words for it. */
function inWords(model, labels) {
  const predictions = labels.map((label) => ({ label }));
  const words = worded({ model: { name: model }, predictions }).predictions;
  return labels.map((label, index) => [label, words[index].label]);
}

/** All labels of a model; none if it names only what it sees. */
async function labelsOf(model) {
  try {
    const [response] = await Promise.all([fetch("models"), learnModels()]);
    const { models } = await response.json();
    return models.find((one) => one.name === model)?.labels ?? [];
  } catch {
    return []; // what the model thought of, and what is typed, can be chosen all the same
  }
}

/** Send a correction; what went wrong, in words, or nothing. */
async function post({ answer, picture, image, camera }, label) {
  const query = new URLSearchParams(label === null ? { none: "true" } : { label });
  if (image) {
    query.set("model", answer.model.name);
    query.set("camera", camera);
  } else query.set("picture", picture);
  try {
    const response = await fetch(`corrections?${query}`, { method: "POST", ...(image && { body: image }) });
    if (response.ok) return "";
    if (response.status === 401) return signIn();
    const { error } = await response.json();
    return faultOf(error.code);
  } catch {
    return faultWords("gone")[0];
  }
}

function faultOf(code) {
  if (Object.hasOwn(OWN_FAULTS, code)) return text(OWN_FAULTS[code]);
  if (code.startsWith("outbox_")) return text("correct.outbox");
  return faultWords(code).join(" ");
}
