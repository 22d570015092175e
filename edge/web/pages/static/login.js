// The sign-in: a plain form, so that the key goes only to the server and returns as a cookie that no script can read.

import { byId, dress, text } from "./page.js";

const query = new URLSearchParams(location.search);
const faults = ["key_missing", "key_expired", "key_forbidden"];

dress();
byId("next").value = query.get("next") ?? "/";
const fault = query.get("fault");
if (faults.includes(fault)) Object.assign(byId("fault"), { hidden: false, textContent: text(`login.fault.${fault}`) });
