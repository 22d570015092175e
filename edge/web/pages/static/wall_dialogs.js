// The wall's dialogs: the code for phones, and the clearing.

import { byId, text } from "./page.js";

/** Connect the buttons that open them. */
export function listenToDialogs() {
  byId("phones").addEventListener("click", showPhones);
  byId("clear").addEventListener("click", () => {
    byId("clear-fault").textContent = "";
    byId("clear-dialog").showModal();
  });
  byId("clear-yes").addEventListener("click", clear);
}

async function showPhones() {
  const response = await fetch("wall/phone");
  const { url } = response.ok ? await response.json() : {};
  byId("phones-code").hidden = byId("phones-link").hidden = !url;
  byId("phones-words").textContent = text(url ? "phones.scan" : "phones.none");
  if (url) {
    byId("phones-code").src = `wall/phone.svg?${Date.now()}`;
    byId("phones-code").alt = text("phones.code");
    Object.assign(byId("phones-link"), { href: url, textContent: url.replace(/\?.*/, "") });
  }
  byId("phones-dialog").showModal();
}

async function clear() {
  const response = await fetch("wall/clear", { method: "POST" });
  if (response.ok) byId("clear-dialog").close();
  else byId("clear-fault").textContent = text("wall.clear.forbidden");
}
