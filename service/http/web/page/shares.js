// The contribution of each column, number or token to a logit, as bars to either side.

import { element } from "./elements.js";
import { count, signed } from "./numbers.js";

const MAX_BARS = 24; // of more parts, the largest, and one bar for the rest

export class Shares {
  constructor() {
    this.list = element("ul", { className: "shares" });
    this.element = this.list;
  }

  /** `contributions` are an object by column name, or a list with `names`. */
  show(contributions, names) {
    const parts = Array.isArray(contributions)
      ? contributions.map((value, i) => [names?.[i] ?? `[${i}]`, value])
      : Object.entries(contributions);
    const shown = parts.length > MAX_BARS ? largest(parts) : parts;
    const max = shown.reduce((largest, [, value]) => Math.max(largest, Math.abs(value)), 0) || 1;
    this.list.replaceChildren(...shown.map(([name, value]) => bar(name, value, max)));
  }
}

function largest(parts) {
  const sorted = [...parts].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const others = sorted.slice(MAX_BARS).reduce((sum, [, value]) => sum + value, 0);
  return [...sorted.slice(0, MAX_BARS), [`the other ${count(parts.length - MAX_BARS)}`, others]];
}

function bar(name, value, max) {
  const fill = element("span", { className: value < 0 ? "fill against" : "fill for" });
  fill.style.setProperty("--share", Math.abs(value) / max);
  return element(
    "li",
    {},
    element("span", { className: "name" }, name),
    element("span", { className: "both-sides" }, fill),
    element("span", { className: "value" }, signed(value)),
  );
}
