// The large view of one frame: its picture, every score, the JSON, and the downloads.

import { drawAnswer } from "./drawing.js";
import { labelWords, worded } from "./model_info.js";
import { byId, element, language, text } from "./page.js";
import { alsoSeen, boxesOver, cameraName, edgeSaid, fillBest, milliseconds, pictureOf, timeOf } from "./wall_answer.js";
import { learnCorrections, offerCorrection } from "./wall_correction.js";

let shown = null;
let boxes = null;

/**
 * Open the view of an answer; the service keeps its frame from then on. If it let go of it just before, the view is of
 * what `latest` returns: a newer answer of that camera.
 */
export async function openLarge(answer, latest = () => answer) {
  shown = answer;
  show(answer);
  if (!byId("large").open) byId("large").showModal();
  const response = await fetch(`wall/answers/${answer.number}`).catch(() => null);
  if (shown !== answer) return;
  if (response?.status === 404 && latest() !== answer) {
    openLarge(latest());
    return;
  }
  if (!response?.ok) {
    byId("large-fault").textContent = text(response ? "wall.lost" : "wall.gone");
    return;
  }
  const { scores, ...whole } = await response.json();
  if (shown !== answer) return;
  byId("large-scores").replaceChildren(...scores.map((one) => row(one, labelWords(one.label, answer.model.name))));
  byId("large-json").textContent = JSON.stringify({ ...whole, scores }, null, 2);
}

/** Connect the view's own buttons. */
export function listenToLarge() {
  byId("large-close").addEventListener("click", () => byId("large").close());
  byId("large").addEventListener("close", () => {
    shown = null;
    offerCorrection(null);
  });
  learnCorrections();
  byId("large").addEventListener("click", (event) => {
    if (event.target === byId("large")) byId("large").close(); // beside its content
  });
}

/** Draw the boxes again, in another size. */
export function redrawLarge() {
  if (shown) drawAnswer(boxes, worded(shown));
}

function show(answer) {
  byId("large-title").textContent = cameraName(answer.camera);
  byId("large-when").textContent = [timeOf(answer), text("wall.model", answer.model), text(`wall.source.${answer.source}`), milliseconds(answer)].join(" · ");
  fillBest(byId("large-best"), answer);
  byId("large-more").textContent = [alsoSeen(answer), edgeSaid(answer)].filter(Boolean).join(" · ");
  byId("large-fault").textContent = "";
  byId("large-frame").href = `wall/frames/${answer.number}`;
  byId("large-annotated").href = `wall/annotated/${answer.number}.jpg`;
  byId("large-frame").hidden = byId("large-annotated").hidden = !answer.picture;
  offerCorrection(answer);
  byId("large-scores").replaceChildren();
  byId("large-json").textContent = "";
  boxes = boxesOver();
  byId("large-picture").replaceChildren(...(answer.picture ? [pictureOf(answer)] : []), boxes);
  requestAnimationFrame(redrawLarge);
}

function row(one, words) {
  const item = element("li", "result");
  const track = element("span", "track");
  const fill = element("span", "fill");
  fill.style.width = `${(one.score * 100).toFixed(1)}%`;
  track.append(fill);
  const score = one.score.toLocaleString(language(), { style: "percent", maximumFractionDigits: 2 });
  item.append(element("span", "label", words), element("span", "score", score), track);
  return item;
}
