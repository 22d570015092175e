// Shared by all pages: settings, language, theme and texts.

import { TEXTS } from "./texts.js";

const STORED = "edge.";
const MIN_SHOWN = 0.005; // smaller scores would read 0 %
const query = new URLSearchParams(location.search);

/** A setting of this page: from its URL, else as last used in this browser, else the default. */
export function setting(name, otherwise = "") {
  return query.get(name) ?? recall(name) ?? otherwise;
}

/** What the page's address says, and nothing that an earlier visit left behind. */
export const inAddress = (name) => query.get(name) ?? "";

/** Store a setting in the URL and in this browser, so that it survives a reload, a restart and a bookmark. */
export function keep(name, value) {
  if (value) query.set(name, value);
  else query.delete(name);
  const search = query.toString();
  history.replaceState(null, "", location.pathname + (search ? `?${search}` : ""));
  try {
    localStorage.setItem(STORED + name, value);
  } catch {
    // private windows may have no storage; the URL has the setting
  }
}

function recall(name) {
  try {
    return localStorage.getItem(STORED + name);
  } catch {
    return null;
  }
}

/** The current language: the setting, else the browser's, else English. */
export function language() {
  const wanted = [setting("lang"), ...navigator.languages].map((one) => one.slice(0, 2).toLowerCase());
  return wanted.find((one) => one in TEXTS) ?? "en";
}

/** A text in the current language. */
export function text(key, values = {}) {
  const words = TEXTS[language()][key] ?? TEXTS.en[key] ?? key;
  return words.replace(/{(\w+)}/g, (_, name) => values[name] ?? "");
}

/** 0.953 as 95 %, in the format of the current language. */
export function percent(score) {
  const write = new Intl.NumberFormat(language(), { style: "percent" }).format;
  return score > 0 && score < MIN_SHOWN ? `< ${write(0.01)}` : write(score);
}

/** Fill in all texts and set the theme; called again when either changes. */
export function dress() {
  const root = document.documentElement;
  root.lang = language();
  const theme = setting("theme");
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  else delete root.dataset.theme;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label));
    if (element.tagName === "BUTTON" || element.tagName === "A") element.title = text(element.dataset.label);
  }
  for (const element of document.querySelectorAll("[data-alt]")) element.alt = text(element.dataset.alt);
  const { brand, title } = document.body.dataset;
  document.title = brand || `${text(title)} · edge`;
}

/** Connect the selects for language and theme. */
export function offerLooks(languageSelect, themeSelect, changed) {
  languageSelect.value = setting("lang");
  themeSelect.value = setting("theme");
  for (const [select, name] of [[languageSelect, "lang"], [themeSelect, "theme"]]) {
    select.addEventListener("change", () => {
      keep(name, select.value);
      dress();
      changed?.();
    });
  }
}

/** Calls `look` with each file that is pasted, or dropped onto the page. */
export function takePictures(look) {
  document.addEventListener("paste", (event) => look(event.clipboardData.files[0]));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    return look(event.dataTransfer.files[0]);
  });
}

/** What the visitor's key permits: `{keys, name, scopes}`. */
export async function session() {
  const response = await fetch("session");
  return response.json();
}

/** Go to the sign-in, and come back here after it. */
export function signIn(fault = "") {
  const to = new URLSearchParams({ next: location.pathname + location.search, ...(fault && { fault }) });
  location.assign(`login?${to}`);
}

/** The answer to a picture, or the error in its place; nothing if the sign-in comes first. */
export async function predict(file, query) {
  try {
    const response = await fetch(`predict?${query}`, { method: "POST", body: file });
    if (response.status === 401) return signIn();
    return await response.json();
  } catch {
    return { error: { code: "gone" } };
  }
}

/** An element with classes and text. */
export function element(tag, className = "", words = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (words) made.textContent = words;
  return made;
}

export const byId = (id) => document.getElementById(id);
