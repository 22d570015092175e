// The phone page: takes a picture, sends it to the wall, and shows what the model found on it.

import { drawBars, drawAnswer } from "./drawing.js";
import { faultWords } from "./faults.js";
import { learnModels, privacyWords, showPrivacy, worded } from "./model_info.js";
import { byId, dress, setting, text } from "./page.js";
import { inWords, maker, makerWords } from "./verdict.js";

const MAX_SIDE = 1280; // enough for a large wall, and fast over a poor link
const JPEG_QUALITY = 0.85;

let last = null; // the answer that is shown
let refused = null; // the picture that was not answered

/** Send a picture, and show it once it is answered: what is refused leaves the view as it is. */
async function send(file) {
  if (!file) return;
  tell("starting", text("phone.sending"));
  const picture = await smaller(file);
  const answer = await ask(picture, setting("model"));
  if (answer.error) return fail(answer.error.code, file);
  if (byId("picture").src) URL.revokeObjectURL(byId("picture").src);
  byId("picture").src = URL.createObjectURL(picture);
  byId("picture").alt = text("phone.preview");
  byId("preview").hidden = false;
  last = answer;
  tell("live", text("phone.sent"));
  show();
}

/** The answer to a picture, or the error in its place. A model that does not serve gives way to the default one. */
async function ask(picture, model) {
  const query = new URLSearchParams();
  if (setting("pass")) query.set("pass", setting("pass"));
  if (model) query.set("model", model);
  try {
    const response = await fetch(`phone/picture?${query}`, { method: "POST", body: picture });
    const answer = await response.json();
    if (!model) return answer;
    const isAbsent = answer.error?.code === "model_not_found";
    byId("note").hidden = !isAbsent;
    if (!isAbsent) return answer;
    byId("note").textContent = text("phone.absent", { name: model });
    return await ask(picture, "");
  } catch {
    return { error: { code: "gone" } };
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

function show() {
  if (!last) return;
  const answer = worded(last);
  byId("preview").style.aspectRatio = `${answer.image.width} / ${answer.image.height}`;
  const { words, perhaps, unsure } = inWords(answer);
  byId("headline").textContent = words;
  byId("headline").classList.toggle("unsure", unsure);
  byId("perhaps").textContent = perhaps;
  drawBars(byId("bars"), answer.predictions);
  const made = maker(answer);
  byId("facts").textContent = [makerWords(made), made.edge].filter(Boolean).join(" · ");
  byId("answer").hidden = false;
  byId("take").textContent = text("phone.again");
  drawAnswer(byId("boxes"), answer);
}

function fail(code, file) {
  refused = file;
  byId("state").hidden = true;
  byId("fault").hidden = false;
  byId("fault-words").textContent = `${text("phone.failed")} ${faultWords(code)[1]}`;
}

/** What becomes of the picture: on the wall for all, and perhaps elsewhere too. */
async function showWhatBecomes() {
  await learnModels();
  const words = privacyWords(setting("model"));
  if (words) byId("notice").textContent = text("phone.notice.cloud");
  showPrivacy(byId("privacy"), words);
  show();
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
byId("again").addEventListener("click", () => send(refused));
window.addEventListener("resize", show);
showWhatBecomes();
