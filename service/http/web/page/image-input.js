// The input of an image model: a picture that is drawn, read from a file or taken from the samples.

import { element, freshId, labelled } from "./elements.js";
import { OwnFiles } from "./own-files.js";
import { Picture } from "./picture.js";
import { flat } from "./pixels.js";
import { sampleStrip } from "./samples.js";

export function imageInput(kind, context) {
  const helpId = freshId("keys");
  const { changed } = context;
  const picture = new Picture(kind, {
    helpId,
    changed: (pixels) => {
      strip.release();
      files.forget();
      changed([...pixels]);
    },
  });
  const show = (input) => {
    picture.show(flat(input));
    changed(input);
  };
  const resize = element("input", { type: "checkbox", checked: true, onchange: () => files.ask() });
  const invert = element("input", { type: "checkbox", onchange: () => files.ask() });
  const options = () => ({ resize: resize.checked, invert: invert.checked });
  const fromFile = (input) => {
    strip.release();
    show(input);
  };
  const formats = ["png", "jpeg", "webp", "gif", "bmp", "tiff", "avif"];
  const types = [...formats.map((format) => `image/${format}`), ".npy"].join();
  const files = new OwnFiles(kind, "Choose a picture", types, options, fromFile, context);
  const strip = sampleStrip("Sample", kind, context.samples, (input) => {
    files.forget();
    show(input);
  });
  const size = element("span", { className: "muted" }, `${kind.width}\u00a0×\u00a0${kind.height}`);
  const seen = element(
    "div",
    { className: "picture" },
    element("h3", {}, "What the model sees ", size),
    picture.element,
    picture.cursor.output,
  );
  const panel = element(
    "div",
    { className: "image-input" },
    seen,
    strip.element,
    element(
      "fieldset",
      {},
      element("legend", {}, "Your picture"),
      element("div", { className: "row" }, files.chooser, element("span", { className: "muted" }, "or drop, paste")),
      files.strip,
      element(
        "div",
        { className: "row" },
        element("label", {}, resize, " Fit to size"),
        element("label", {}, invert, " Invert, for dark on light"),
      ),
    ),
    tools(picture, helpId, kind),
  );
  return { element: panel, start: () => (context.samples.length ? strip.pick(0) : changed([...picture.pixels])) };
}

function tools(picture, helpId, kind) {
  const name = freshId("tool");
  const tool = (text, erasing) => {
    const chosen = () => (picture.erasing = erasing);
    const choice = element("input", { type: "radio", name, checked: !erasing, onchange: chosen });
    return [choice, element("label", { className: "chip" }, choice, text)];
  };
  const [brush, brushLabel] = tool("Brush", false);
  const [eraser, eraserLabel] = tool("Erase", true);
  picture.onErasing = (erasing) => ((erasing ? eraser : brush).checked = true);
  const size = element("input", {
    type: "range",
    min: 0.5,
    max: Math.max(1, kind.height / 7, kind.width / 7),
    step: 0.1,
    value: picture.radius,
    oninput: () => (picture.radius = size.valueAsNumber),
  });
  return element(
    "fieldset",
    {},
    element("legend", {}, "Draw on it"),
    element(
      "div",
      { className: "row" },
      element("span", { className: "chips" }, brushLabel, eraserLabel),
      element("button", { type: "button", onclick: () => picture.undo() }, "Undo"),
      element("button", { type: "button", onclick: () => picture.clear() }, "Clear"),
    ),
    element(
      "div",
      { className: "row" },
      labelled("Size", size),
      ...(kind.channels === 3 ? [labelled("Colour", colour(picture))] : []),
    ),
    element(
      "p",
      { className: "muted hint", id: helpId },
      "Keyboard: arrows move, space paints, Shift and an arrow draw, E switches brush and eraser, Ctrl+Z undoes.",
    ),
  );
}

function colour(picture) {
  const hex = picture.colour.map((level) => level.toString(16).padStart(2, "0")).join("");
  const chosen = element("input", {
    type: "color",
    value: `#${hex}`,
    oninput: () => (picture.colour = [1, 3, 5].map((i) => parseInt(chosen.value.slice(i, i + 2), 16))),
  });
  return chosen;
}
