// The input of an embedding model: numbers that are typed or pasted, or a file of them.

import { element, freshId } from "./elements.js";
import { count, plain, shortest } from "./numbers.js";
import { OwnFiles } from "./own-files.js";
import { sampleStrip } from "./samples.js";

export function vectorInput(kind, context) {
  const summary = element("output", { className: "muted" });
  const text = element("textarea", {
    id: freshId("numbers"),
    rows: 8,
    spellcheck: false,
    oninput: () => {
      strip.release();
      files.forget();
      notify();
    },
  });
  const notify = () => {
    const numbers = parse(text.value);
    summary.value = described(numbers, kind.width);
    context.changed(numbers);
  };
  const show = (numbers) => {
    text.value = numbers.map((value) => (value === null ? "null" : shortest(value))).join(", ");
    notify();
  };
  const files = new OwnFiles(kind, "Choose an .npy file", ".npy", () => ({}), (numbers) => {
    strip.release();
    show(numbers);
  }, context);
  const strip = sampleStrip("Sample", kind, context.samples, (numbers) => {
    files.forget();
    show(numbers);
  });
  const panel = element(
    "div",
    { className: "vector-input" },
    element("div", { className: "row" }, element("span", { className: "muted" }, "Samples"), strip.element),
    element("label", { htmlFor: text.id }, `${count(kind.width)} numbers, typed or pasted`),
    text,
    summary,
    element("div", { className: "row" }, files.chooser, element("span", { className: "muted" }, "or drop one")),
    files.strip,
  );
  return { element: panel, start: () => context.samples.length && strip.pick(0) };
}

/** Numbers between commas, spaces or brackets; other words stay text, and the service reports what is wrong. */
function parse(text) {
  const words = text.split(/[\s,;[\]()]+/).filter(Boolean);
  return words.map((word) => {
    if (/^(null|nan)$/i.test(word)) return null;
    return Number.isFinite(Number(word)) ? Number(word) : word;
  });
}

function described(numbers, width) {
  const valid = numbers.filter((value) => typeof value === "number");
  const progress = `${count(numbers.length)} of ${count(width)}`;
  if (!valid.length) return progress;
  const min = valid.reduce((a, b) => Math.min(a, b));
  const max = valid.reduce((a, b) => Math.max(a, b));
  return `${progress}, from ${plain(min)} to ${plain(max)}`;
}
