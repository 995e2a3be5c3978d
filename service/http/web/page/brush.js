// A stroke of a soft brush over pixels. The stroke is blended as one with the pixels before it, so that passing over a
// place twice does not harden its edge.

export class Stroke {
  /** `size` is the model's `{height, width, channels}`, `ink` a number for each channel, `radius` in pixels. */
  constructor(size, pixels, ink, radius) {
    this.size = size;
    this.before = pixels;
    this.pixels = pixels.slice();
    this.ink = ink;
    this.radius = radius;
    this.cover = new Float32Array(size.height * size.width);
  }

  /** Touch one point; the centre of a pixel is at its index plus a half. */
  dab(x, y) {
    const { height, width } = this.size;
    const reach = this.radius + 1;
    for (let row = Math.max(0, Math.floor(y - reach)); row < Math.min(height, y + reach); row += 1) {
      for (let column = Math.max(0, Math.floor(x - reach)); column < Math.min(width, x + reach); column += 1) {
        const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y);
        this.#lay(row * width + column, Math.min(1, Math.max(0, this.radius + 0.5 - distance)));
      }
    }
  }

  /** Draw from one point to another. */
  line(from, to) {
    const steps = Math.max(1, Math.ceil(2 * Math.hypot(to.x - from.x, to.y - from.y)));
    for (let step = 1; step <= steps; step += 1) {
      const share = step / steps;
      this.dab(from.x + share * (to.x - from.x), from.y + share * (to.y - from.y));
    }
  }

  #lay(place, cover) {
    if (cover <= this.cover[place]) return;
    this.cover[place] = cover;
    this.ink.forEach((level, channel) => {
      const i = place * this.ink.length + channel;
      this.pixels[i] = Math.round(this.before[i] + cover * (level - this.before[i]));
    });
  }
}
