// Lays a heat map over a picture, as `edge/vision/heat.py` does: what is odd glows, the rest stays as it is.

const COLOUR = [255, 40, 0];
const FAINTEST = 0.3; // the score from which on a place begins to glow; the typical good part has 0.1
const STRONGEST = 0.65; // of the colour, so that what is odd can still be seen

/** RGBA bytes of a heat map, `rows` of scores 0..1 from the top: one colour, the more opaque the higher the score. */
export function glow(rows) {
  return Uint8ClampedArray.from(rows.flat().flatMap((score) => [...COLOUR, opacity(score)]));
}

function opacity(score) {
  const share = Math.min(1, Math.max(0, (score - FAINTEST) / (1 - FAINTEST)));
  return Math.floor(share * STRONGEST * 255);
}

let grid = null; // a canvas with a pixel for each place, used again for every answer

/**
 * Lay the heat map of an answer, if it has one, over the part of the picture that the model saw. `place` is where the
 * picture lies: left, top, width, height; `mirror` says that it is shown as in a mirror.
 */
export function layHeat(pen, { heat_map: rows, heat_region: region }, place, mirror) {
  if (!rows) return;
  const left = mirror ? 1 - region.x_max : region.x_min;
  const [width, height] = [region.x_max - region.x_min, region.y_max - region.y_min];
  const seen = mirror ? rows.map((row) => [...row].reverse()) : rows;
  pen.imageSmoothingQuality = "high"; // a place is as large as a thumb
  pen.drawImage(
    onGrid(glow(seen), seen[0].length, seen.length),
    place.left + left * place.width,
    place.top + region.y_min * place.height,
    width * place.width,
    height * place.height,
  );
}

function onGrid(bytes, width, height) {
  grid ??= document.createElement("canvas");
  Object.assign(grid, { width, height });
  const pen = grid.getContext("2d");
  const pixels = pen.createImageData(width, height);
  pixels.data.set(bytes);
  pen.putImageData(pixels, 0, 0);
  return grid;
}
