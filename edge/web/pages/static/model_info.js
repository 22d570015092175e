// What the pages know of the models besides their answers: words for labels, and what becomes of pictures.

import { language, setting, text } from "./page.js";

let known = { default: null, models: {} };

/** Ask the service; without an answer, labels stand for themselves. */
export async function learnModels() {
  const pass = setting("pass"); // of a phone, which has no key
  try {
    const response = await fetch(`page/info${pass ? `?${new URLSearchParams({ pass })}` : ""}`);
    if (response.ok) known = await response.json();
  } catch {
    // the page says so itself
  }
}

/** The labels that all models of a task have: the pages themselves have words for them. */
const TASK_LABELS = { anomaly: { good: "answer.good", anomaly: "answer.anomaly" } };

/** An answer with people's words in the place of labels, its own and those of the edge behind a cloud. */
export function worded(answer) {
  const model = known.models[answer.model?.name];
  const hasWords = model && (model.task in TASK_LABELS || Object.keys(model.display_names).length > 0);
  if (!hasWords) return answer;
  const say = (one) => ({ ...one, label: wordsFor(model, one.label) });
  const changed = { ...answer, predictions: answer.predictions.map(say) };
  if (answer.edge) changed.edge = { ...answer.edge, predictions: answer.edge.predictions.map(say) };
  return changed;
}

/** People's words for a label of a model, or of whichever has words for it. */
export function labelWords(label, model = null) {
  const all = Object.entries(known.models).filter(([name]) => model === null || name === model);
  const found = all.map(([, one]) => wordsFor(one, label)).find((words) => words !== label);
  return found ?? label;
}

/** The owner's words for a label in the page's language, or in English, or the page's own, or else the label. */
function wordsFor({ task, display_names: names }, label) {
  const tables = [names[language()], names.en].filter(Boolean);
  const owners = tables.find((one) => Object.hasOwn(one, label))?.[label];
  if (owners !== undefined) return owners;
  const own = TASK_LABELS[task] ?? {};
  return Object.hasOwn(own, label) ? text(own[label]) : label;
}

/**
 * What becomes of pictures besides being answered, in words; empty if nothing does. The default model answers in the
 * place of one that does not serve.
 */
export function privacyWords(model) {
  return becomes(known.models[model] ?? known.models[known.default] ?? {});
}

/** The same where pictures of all models are shown. */
export function privacyOfAll() {
  const all = Object.values(known.models);
  return becomes({ sends: all.some((one) => one.sends), keeps: all.some((one) => one.keeps) });
}

function becomes({ sends, keeps }) {
  if (sends) return text(keeps ? "privacy.both" : "privacy.sends");
  return keeps ? text("privacy.keeps") : "";
}

/** Say on the page what becomes of pictures, if there is something to say. */
export function showPrivacy(line, words) {
  line.hidden = !words;
  if (line.textContent !== words) line.textContent = words;
}
