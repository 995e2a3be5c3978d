// The contribution of each pixel to a logit, as a picture.

import { scale } from "./colours.js";
import { element } from "./elements.js";
import { signed } from "./numbers.js";
import { PixelCursor } from "./pixel-cursor.js";
import { fit, paint } from "./pixels.js";

export class HeatMap {
  constructor(kind, signal) {
    this.size = { height: kind.height, width: kind.width, channels: 3 };
    this.values = [];
    this.cursor = new PixelCursor(kind, (column, row) => signed(this.values[row * kind.width + column] ?? 0, 4));
    this.canvas = fit(element("canvas", {
      id: "heat-map",
      tabIndex: 0,
      role: "application",
      onfocus: () => this.cursor.show(),
      onkeydown: (event) => this.cursor.takes(event) && event.preventDefault(),
      onpointermove: (event) => this.#point(event),
    }), kind);
    this.scale = fit(element("canvas", { className: "scale", ariaHidden: "true" }), { height: 1, width: 101 });
    this.ends = [element("span"), element("span"), element("span")];
    this.element = element(
      "div",
      {},
      element("div", { className: "stage" }, this.canvas, this.cursor.mark),
      this.scale,
      element("div", { className: "ends muted" }, ...this.ends),
      this.cursor.output,
    );
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.#paint(), { signal });
  }

  /** `contributions` have the shape of the picture; those of a pixel's channels are summed. */
  show(contributions, label) {
    const sum = (value) => (Array.isArray(value) ? value.reduce((a, b) => a + b, 0) : value);
    this.values = contributions.flat().map(sum);
    this.max = this.values.reduce((max, value) => Math.max(max, Math.abs(value)), 0) || 1;
    this.canvas.ariaLabel = `Contribution of each pixel to the logit of ${label}`;
    const [least, middle, most] = this.ends;
    least.textContent = `${signed(-this.max)} against`;
    middle.textContent = "0";
    most.textContent = `for ${signed(this.max)}`;
    this.#paint();
    if (this.cursor.output.value) this.cursor.show();
  }

  #paint() {
    const colour = scale();
    paint(this.canvas, this.size, this.values.flatMap((value) => colour(value / this.max)));
    const ramp = Array.from({ length: 101 }, (_, i) => colour(i / 50 - 1)).flat();
    paint(this.scale, { height: 1, width: 101, channels: 3 }, ramp);
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = (at, start, length) => Math.min(0.999999, Math.max(0, (at - start) / length));
    this.cursor.put(
      Math.floor(share(event.clientX, box.left, box.width) * this.size.width),
      Math.floor(share(event.clientY, box.top, box.height) * this.size.height),
    );
  }
}
