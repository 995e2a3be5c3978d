// Draws pixels on a canvas of the model's size; the style sheet enlarges it without smoothing.

/** Nested or flat numbers, as flat bytes. */
export function flat(input) {
  return Uint8ClampedArray.from(input.flat(Infinity));
}

/** A canvas of the size of `{height, width}`. */
export function fit(canvas, { height, width }) {
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** Show `pixels`, one or three bytes each. */
export function paint(canvas, { height, width, channels }, pixels) {
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width; i += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      image.data[4 * i + channel] = pixels[channels === 3 ? 3 * i + channel : i];
    }
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
