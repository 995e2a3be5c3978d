// The input of a token model: a text, of which it reads the last tokens.

import { element, freshId } from "./elements.js";
import { sampleStrip } from "./samples.js";

export function tokenInput(kind, context) {
  const vocabulary = new Set(kind.vocabulary);
  const seen = element("ol", { className: "tokens", ariaLabel: "What the model sees" });
  const text = element("textarea", {
    id: freshId("text"),
    rows: 4,
    spellcheck: false,
    oninput: () => {
      strip.release();
      notify();
    },
  });
  const notify = () => {
    const tokens = text.value.split(/\s+/).filter(Boolean).slice(-kind.context);
    seen.replaceChildren(...tokens.map((token) => chip(token, vocabulary.has(token))));
    context.changed(tokens);
  };
  const strip = sampleStrip("Sample", kind, context.samples, (tokens) => {
    text.value = tokens.join(" ");
    notify();
  });
  const panel = element(
    "div",
    { className: "token-input" },
    element("div", { className: "row" }, element("span", { className: "muted" }, "Samples"), strip.element),
    element("label", { htmlFor: text.id }, `Text, with spaces between the tokens: the last ${kind.context} count`),
    text,
    seen,
  );
  return { element: panel, start: () => context.samples.length && strip.pick(0) };
}

function chip(token, isKnown) {
  if (isKnown) return element("li", {}, token);
  return element("li", { className: "unknown", title: "not in the vocabulary" }, token, " (unknown)");
}
