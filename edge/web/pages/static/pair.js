// The pairing page: how to make a device trust this machine's certificate authority.

import { byId, dress, element, text } from "./page.js";

const DEVICES = ["android", "ios", "windows"];

async function fill() {
  const known = await (await fetch("pair/info")).json();
  if (!known.authority) {
    Object.assign(byId("none"), { hidden: false, textContent: text(known.tls ? "pair.owner" : "pair.none") });
    return;
  }
  byId("print").textContent = known.authority;
  Object.assign(byId("service"), { href: known.url, textContent: known.url });
  Object.assign(byId("qr"), { src: "pair/qr.svg", alt: text("pair.code") });
  byId("steps").replaceChildren(...DEVICES.map(steps));
  byId("authority").hidden = false;
}

function steps(device) {
  const section = element("section");
  const list = element("ol");
  for (const step of [1, 2, 3]) list.append(element("li", "", text(`pair.${device}.${step}`)));
  section.append(element("h2", "", text(`pair.${device}`)), list);
  return section;
}

dress();
fill();
