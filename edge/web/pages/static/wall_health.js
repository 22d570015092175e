// The health of the service: models, workers, queue, link and outbox.

import { byId, element, text } from "./page.js";

const STATES = { AVAILABLE: "good", LOADING: "wait", START: "wait", END: "bad" };
const LINKS = { up: "good", half_open: "wait", down: "bad", absent: "wait" };

let health = null;

/** The health that the service told last. */
export function takeHealth(now) {
  health = now;
  showHealth();
}

/** Say it, in the current language. */
export function showHealth() {
  if (!health) return;
  const rows = [];
  const add = (term, value, kind = "") => rows.push(element("dt", "", term), element("dd", kind, value));
  for (const model of health.models) {
    const name = model.version === null ? model.name : text("wall.model", model);
    add(name, text(`wall.state.${model.state}`), STATES[model.state]);
    if (model.fault) rows.push(element("dd", "fault", model.fault));
  }
  add(text("wall.workers"), text("wall.workers.value", health.workers));
  add(text("wall.queue"), text("wall.queue.value", health.queue), health.queue.waiting ? "wait" : "");
  const { link, outbox } = health;
  if (link) add(text("wall.link"), text(`wall.link.${link.state}`), LINKS[link.state]);
  if (outbox) {
    const waiting = outbox.waiting ?? 0;
    add(text("wall.outbox"), text("wall.outbox.value", { waiting }), waiting ? "wait" : "good");
  }
  for (const fault of [link?.fault, outbox?.fault]) if (fault) rows.push(element("dd", "fault", fault));
  byId("health").replaceChildren(...rows);
}
