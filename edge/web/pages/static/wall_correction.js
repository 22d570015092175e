// The wall's "wrong" button, in the large view: about the frame that is opened, which the service keeps meanwhile.

import { Correction } from "./correction.js";
import { byId } from "./page.js";

let opened = null;

const correction = new Correction(byId("large-actions"), () => opened);

export const learnCorrections = () => correction.learn();

/** Offer to correct that answer; none once the view is closed. */
export function offerCorrection(answer) {
  opened = answer?.picture ? { answer, picture: answer.number, src: `wall/pictures/${answer.number}.jpg` } : null;
  if (!opened) correction.close();
  correction.show();
}
