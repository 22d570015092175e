// What the kiosk knows at this moment; `kiosk.js` changes it, `kiosk_screen.js` shows it.

import { inAddress, setting } from "./page.js";

export const state = {
  camera: "starting", // see camera.js
  facesVisitor: false, // the camera looks at the person in front of the screen
  server: "starting", // open, slow, gone, or busy: it can be reached and takes no stream
  paused: false,
  answer: null, // to the camera's latest frame, or to the opened picture
  frame: null, // the picture that the answer is about, a blob
  fault: null, // code of the error to the camera's latest frame
  still: null, // URL of the opened picture, shown in the camera's place
  reading: false, // a picture is opened and not answered yet
  refused: null, // the picture that was opened and refused: { file, code }
  absent: null, // the model that was asked for and does not serve
};

/** For the public: no settings, no links, nothing to open. Said by the address alone, so that no visit locks the next. */
export const locked = inAddress("locked") === "1";

/** Whether the camera's picture is shown as in a mirror: as set, or else if it looks at the visitor. */
export function mirrored() {
  if (state.still) return false;
  const wanted = setting("mirror");
  return wanted ? wanted === "1" : state.facesVisitor;
}
