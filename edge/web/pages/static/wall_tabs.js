// The two tabs of the wall: a tile per camera, and the feed.

import { byId, keep, setting } from "./page.js";

const TABS = ["tiles", "feed"];

/** Open the tab of last time, and call `changed` whenever another is opened. */
export function listenToTabs(changed) {
  for (const name of TABS) {
    byId(`tab-${name}`).addEventListener("click", () => choose(name, changed));
    byId(`tab-${name}`).addEventListener("keydown", (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      const other = TABS.find((one) => one !== name);
      choose(other, changed);
      byId(`tab-${other}`).focus();
    });
  }
  show(TABS.includes(setting("tab")) ? setting("tab") : TABS[0]);
}

function choose(name, changed) {
  keep("tab", name === TABS[0] ? "" : name);
  show(name);
  changed();
}

function show(name) {
  for (const one of TABS) {
    const open = one === name;
    byId(`tab-${one}`).setAttribute("aria-selected", String(open));
    byId(`tab-${one}`).setAttribute("tabindex", open ? "0" : "-1");
    byId(`${one}-panel`).hidden = !open;
  }
}
