// A row of inputs to choose from: the model's own samples, or those of a file.

import { element } from "./elements.js";
import { fit, flat, paint } from "./pixels.js";

/** A button for each of `inputs`; `choose(input)` gets the chosen one. */
export function sampleStrip(title, kind, inputs, choose) {
  const buttons = inputs.map((input, i) => element("button", {
    type: "button",
    className: "sample",
    ariaLabel: `${title} ${i + 1}`,
    ariaPressed: "false",
    onclick: () => pick(i),
  }, kind.kind === "image" ? thumbnail(kind, input) : String(i + 1)));
  const press = (pressed) => buttons.forEach((button, i) => (button.ariaPressed = String(i === pressed)));
  const pick = (i) => {
    press(i);
    choose(inputs[i]);
  };
  const strip = element("div", { className: "samples", role: "group", ariaLabel: `${title}s` }, ...buttons);
  return { element: strip, pick, release: () => press(-1) };
}

function thumbnail(kind, input) {
  const canvas = fit(element("canvas", { ariaHidden: "true" }), kind);
  paint(canvas, kind, flat(input));
  return canvas;
}
