// The page in the place of one that does not exist.

import { dress } from "./page.js";

dress();
