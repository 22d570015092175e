// The models that the kiosk may ask for, and the one that it does.

import { state } from "./kiosk_state.js";
import { learnModels } from "./model_info.js";
import { byId, element, setting, text } from "./page.js";

const PATIENCE_MS = 3000;
const DEFAULT = "default"; // this name always means the default model

let models = null;

/** Ask which models there are; whether the service answered. */
export async function findModels() {
  try {
    const response = await fetch("models", { signal: AbortSignal.timeout?.(PATIENCE_MS) });
    if (response.ok) models = await response.json();
  } catch {
    return false;
  }
  await learnModels();
  return true;
}

/** The model to ask: the one set, or the default one (empty) where that one does not serve. */
export function wantedModel() {
  const wanted = setting("model");
  const isThere = !models || !wanted || wanted === DEFAULT || models.models.some((one) => one.name === wanted);
  state.absent = isThere ? null : wanted;
  return isThere ? wanted : "";
}

/** What people call a model; the default one if its name is empty. */
export function displayName(name) {
  const wanted = name || models?.default;
  return models?.models.find((one) => one.name === wanted)?.display_name ?? wanted ?? "";
}

/** Offer all models in the settings. */
export function offerModels() {
  if (!models) return;
  const names = models.models.map((one) => [one.name, one.display_name ?? one.name]);
  const preset = text("settings.model.default", { name: displayName("") });
  offer(byId("set-model"), [["", preset], ...names], setting("model"));
}

/** Fill a select with values and their words; a chosen one that is not among them stays. */
export function offer(select, values, chosen) {
  select.replaceChildren(
    ...values.map(([value, words]) => Object.assign(element("option", "", words), { value })),
  );
  select.value = chosen;
  if (select.value !== chosen) {
    select.append(Object.assign(element("option", "", chosen), { value: chosen })); // not available now, perhaps later
    select.value = chosen;
  }
}
