// The input of a model of tokens: a text, of which it sees the last few.

import { element, freshId } from "./elements.js";
import { sampleStrip } from "./samples.js";

export function tokenInput(kind, context) {
  const known = new Set(kind.vocabulary);
  const seen = element("ol", { className: "tokens", ariaLabel: "What the model sees" });
  const text = element("textarea", {
    id: freshId("text"),
    rows: 4,
    spellcheck: false,
    oninput: () => {
      strip.release();
      tell();
    },
  });
  const tell = () => {
    const tokens = text.value.split(/\s+/).filter(Boolean).slice(-kind.context);
    seen.replaceChildren(...tokens.map((token) => chip(token, known.has(token))));
    context.changed(tokens);
  };
  const strip = sampleStrip("Sample", kind, context.samples, (tokens) => {
    text.value = tokens.join(" ");
    tell();
  });
  const panel = element(
    "div",
    { className: "token-input" },
    element("div", { className: "row" }, element("span", { className: "muted" }, "Samples"), strip.element),
    element("label", { htmlFor: text.id }, `A text, with spaces between its tokens: the last ${kind.context} count`),
    text,
    seen,
  );
  return { element: panel, start: () => context.samples.length && strip.pick(0) };
}

function chip(token, isKnown) {
  if (isKnown) return element("li", {}, token);
  return element("li", { className: "unknown", title: "not in the vocabulary" }, token, " (unknown)");
}
