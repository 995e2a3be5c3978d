// The picture as the model sees it, pixel by pixel, which can be drawn on by mouse, touch or keyboard.

import { Stroke } from "./brush.js";
import { element } from "./elements.js";
import { PixelCursor } from "./pixel-cursor.js";
import { fit, paint } from "./pixels.js";

const MAX_UNDO = 100;

export class Picture {
  /** `changed(pixels)` is called at each change by hand; `helpId` is the id of the text on the keys. */
  constructor(size, { changed, helpId }) {
    this.size = size;
    this.changed = changed;
    // A smaller radius than a half would not fill a pixel.
    this.radius = Math.max(0.5, (1.1 * Math.max(size.height, size.width)) / 28);
    this.ground = size.foreground === "dark on light" ? 255 : 0;
    this.colour = Array(size.channels).fill(255 - this.ground);
    this.erasing = false;
    this.onErasing = () => {};
    this.pixels = this.#blank();
    this.past = [];
    this.cursor = new PixelCursor(size, (column, row) => this.#levels(column, row));
    this.canvas = fit(element("canvas", {
      id: "picture",
      tabIndex: 0,
      role: "application",
      ariaLabel: `What the model sees, ${size.width} by ${size.height} pixels, to draw on`,
      "aria-describedby": helpId,
      onpointerdown: (event) => this.#start(event),
      onpointermove: (event) => this.#go(event),
      onpointerup: () => (this.stroke = null),
      onpointercancel: () => (this.stroke = null),
      onkeydown: (event) => this.#key(event),
      onfocus: () => this.cursor.show(),
    }), size);
    this.element = element("div", { className: "stage" }, this.canvas, this.cursor.mark);
    paint(this.canvas, size, this.pixels);
  }

  /** Show other pixels, without calling `changed`. */
  show(pixels) {
    this.#keep();
    this.#set(pixels);
  }

  clear() {
    this.#keep();
    this.#set(this.#blank());
    this.changed(this.pixels);
  }

  undo() {
    const before = this.past.pop();
    if (before === undefined) return;
    this.#set(before);
    this.changed(this.pixels);
  }

  #blank() {
    return new Uint8ClampedArray(this.size.height * this.size.width * this.size.channels).fill(this.ground);
  }

  #keep() {
    this.past.push(this.pixels);
    if (this.past.length > MAX_UNDO) this.past.shift();
  }

  #set(pixels) {
    this.pixels = pixels;
    paint(this.canvas, this.size, pixels);
  }

  #begin() {
    this.#keep();
    const ink = this.erasing ? this.colour.map(() => this.ground) : this.colour;
    return new Stroke(this.size, this.pixels, ink, this.radius);
  }

  #laid(stroke) {
    this.#set(stroke.pixels.slice());
    this.changed(this.pixels);
  }

  #start(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.stroke = this.#begin();
    this.last = this.#at(event);
    this.stroke.dab(this.last.x, this.last.y);
    this.#laid(this.stroke);
  }

  #go(event) {
    if (!this.stroke) return;
    for (const part of event.getCoalescedEvents?.() ?? [event]) {
      const next = this.#at(part);
      this.stroke.line(this.last, next);
      this.last = next;
    }
    this.#laid(this.stroke);
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * this.size.width,
      y: ((event.clientY - box.top) / box.height) * this.size.height,
    };
  }

  #key(event) {
    const key = event.key.toLowerCase();
    const command = event.ctrlKey || event.metaKey;
    const from = this.cursor.middle;
    if (this.cursor.takes(event)) {
      if (event.shiftKey) this.#ink((stroke) => stroke.line(from, this.cursor.middle));
    } else if (key === " ") this.#ink((stroke) => stroke.dab(from.x, from.y));
    else if (key === "e" && !command) this.onErasing((this.erasing = !this.erasing));
    else if (key === "z" && command) this.undo();
    else return;
    event.preventDefault();
    this.cursor.show();
  }

  #ink(draw) {
    const stroke = this.#begin();
    draw(stroke);
    this.#laid(stroke);
  }

  #levels(column, row) {
    const start = (row * this.size.width + column) * this.size.channels;
    return [...this.pixels.slice(start, start + this.size.channels)].join(", ");
  }
}
