// Errors of the service in the page's own words, by their code: its messages may quote what a file holds.

import { text } from "./page.js";

const BUSY = ["overloaded", "out_of_memory", "deadline_exceeded", "shutting_down", "too_many_connections", "unavailable"];
const PICTURE = ["unsupported_image", "corrupt_image", "image_too_large", "image_too_complex", "body_too_large", "body_timeout"];
const MODEL = ["model_not_found", "inference_failed"];
const KEY = ["key_missing", "key_expired", "key_forbidden"];

/** What an error is, and what to do about it: `[headline, advice]`. */
export function faultWords(code) {
  if (code === "gone") return [text("server.gone"), text("server.gone.help")];
  if (code === "model_unavailable") return [text("server.loading"), text("fault.model_unavailable")];
  if (BUSY.includes(code)) return [text("server.busy"), text("server.busy.help")];
  if (KEY.includes(code)) return [text("server.key"), text(`fault.${code}`)];
  const isKnown = isOfPicture(code);
  return [text("server.refused"), text(isKnown ? `fault.${code}` : "fault.other")];
}

/** The same on one line, for those who did not send the picture. */
export function faultInShort(code) {
  const [headline, advice] = faultWords(code);
  return isOfPicture(code) ? advice : headline;
}

const isOfPicture = (code) => [...PICTURE, ...MODEL].includes(code);
