// Where the captions of boxes stand, so that none covers another: the rule of `edge/vision/captions.py`.

/**
 * Places for captions, best first, each `{ box, width, height }`: the first of six (above its box, inside at the top, or
 * below, at the left or the right edge) that lies within the area and that no earlier caption overlaps; null for none.
 * Boxes, the area and places are `{ left, top, right, bottom }`.
 */
export function placeCaptions(captions, area) {
  const taken = [];
  return captions.map((caption) => {
    const place = candidates(caption, area).find((one) => isFree(one, area, taken)) ?? null;
    if (place) taken.push(place);
    return place;
  });
}

function candidates({ box, width, height }, area) {
  const found = [];
  for (const wanted of [box.left, box.right - width]) {
    const left = Math.max(area.left, Math.min(wanted, area.right - width));
    for (const top of [box.top - height, box.top, box.bottom]) {
      found.push({ left, top, right: left + width, bottom: top + height });
    }
  }
  return found;
}

function isFree(place, area, taken) {
  const isInside = place.top >= area.top && place.bottom <= area.bottom;
  return isInside && !taken.some((other) => overlap(place, other));
}

function overlap(one, other) {
  const across = one.left < other.right && other.left < one.right;
  return across && one.top < other.bottom && other.top < one.bottom;
}
