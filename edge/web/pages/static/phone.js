// The phone page: takes a picture, sends it to the wall, and shows what the model found on it.

import { drawBars, drawBoxes } from "./drawing.js";
import { byId, dress, setting, text } from "./page.js";
import { inWords } from "./verdict.js";

const MAX_SIDE = 1280; // enough for a large wall, and fast over a poor link
const JPEG_QUALITY = 0.85;

let last = null;

async function send(file) {
  if (!file) return;
  tell("starting", text("phone.sending"));
  byId("answer").hidden = true;
  try {
    const picture = await smaller(file);
    if (byId("picture").src) URL.revokeObjectURL(byId("picture").src);
    byId("picture").src = URL.createObjectURL(picture);
    byId("picture").alt = text("phone.preview");
    byId("preview").hidden = false;
    drawBoxes(byId("boxes"), null);
    const query = new URLSearchParams();
    for (const name of ["pass", "model"]) if (setting(name)) query.set(name, setting(name));
    const response = await fetch(`phone/picture?${query}`, { method: "POST", body: picture });
    const answer = await response.json();
    if (answer.error) return fail(answer.error.message);
    show(answer);
  } catch {
    fail("");
  }
}

/** The picture upright and scaled down; unchanged if this browser cannot decode it. */
async function smaller(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) });
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    return (await new Promise((done) => canvas.toBlob(done, "image/jpeg", JPEG_QUALITY))) ?? file;
  } catch {
    return file;
  }
}

function show(answer) {
  last = answer;
  tell("live", text("phone.sent"));
  byId("fault").hidden = true;
  byId("preview").style.aspectRatio = `${answer.image.width} / ${answer.image.height}`;
  drawBoxes(byId("boxes"), answer);
  const { words, perhaps, unsure } = inWords(answer);
  byId("headline").textContent = words;
  byId("headline").classList.toggle("unsure", unsure);
  byId("perhaps").textContent = perhaps;
  drawBars(byId("bars"), answer.predictions);
  byId("answer").hidden = false;
  byId("take").textContent = text("phone.again");
}

function fail(message) {
  byId("state").hidden = true;
  byId("fault").hidden = false;
  byId("fault").textContent = `${text("phone.failed")} ${message}`.trim();
}

function tell(state, words) {
  byId("fault").hidden = true;
  Object.assign(byId("state"), { hidden: false, textContent: words }).dataset.state = state;
}

dress();
for (const [button, input] of [["take", "camera"], ["choose", "file"]]) {
  byId(button).addEventListener("click", () => byId(input).click());
  byId(input).addEventListener("change", async (event) => {
    await send(event.target.files[0]);
    event.target.value = ""; // the same picture may be chosen again
  });
}
window.addEventListener("resize", () => last && drawBoxes(byId("boxes"), last));
