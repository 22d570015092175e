// The kiosk's "wrong" button: about the frame whose answer is on the screen. Not for the public of a locked kiosk.

import { Correction } from "./correction.js";
import { locked, state } from "./kiosk_state.js";
import { byId, setting } from "./page.js";

const correction = locked ? null : new Correction(byId("actions"), frameOnScreen);

function frameOnScreen() {
  if (!state.answer || !state.frame) return null;
  return new Shown(state.answer, state.frame);
}

/** The frame as it is now: the camera goes on while a person chooses. */
class Shown {
  #src = "";

  constructor(answer, image) {
    Object.assign(this, { answer, image, camera: setting("name", "kiosk") });
  }

  get src() {
    this.#src ||= URL.createObjectURL(this.image);
    return this.#src;
  }

  release() {
    if (this.#src) URL.revokeObjectURL(this.#src);
  }
}

export const learnCorrections = () => correction?.learn();

export const showCorrection = () => correction?.show();

export const closeCorrection = () => correction?.close();
