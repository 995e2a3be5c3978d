// The keyboard cursor on a canvas of pixels: a mark over it, and a line that describes the pixel.

import { element } from "./elements.js";

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class PixelCursor {
  /** `describe(column, row)` describes a pixel. */
  constructor({ height, width }, describe) {
    this.height = height;
    this.width = width;
    this.describe = describe;
    this.column = Math.floor(width / 2);
    this.row = Math.floor(height / 2);
    this.mark = element("span", { className: "cursor", ariaHidden: "true" });
    this.output = element("output", { className: "muted place" });
  }

  /** The centre of its pixel. */
  get middle() {
    return { x: this.column + 0.5, y: this.row + 0.5 };
  }

  /** Move by an arrow key; false for another key. */
  takes(event) {
    const move = MOVES[event.key];
    if (move === undefined) return false;
    this.put(this.column + move[0], this.row + move[1]);
    return true;
  }

  /** Move to a pixel, or to the nearest one. */
  put(column, row) {
    this.column = Math.min(this.width - 1, Math.max(0, column));
    this.row = Math.min(this.height - 1, Math.max(0, row));
    this.show();
  }

  show() {
    const { column, row, height, width } = this;
    const box = { left: column / width, top: row / height, width: 1 / width, height: 1 / height };
    for (const [name, share] of Object.entries(box)) this.mark.style.setProperty(name, `${100 * share}%`);
    this.output.value = `Row ${row + 1}, column ${column + 1}: ${this.describe(column, row)}`;
  }
}
