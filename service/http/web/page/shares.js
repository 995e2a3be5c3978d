// What each column, number or token adds to a logit, as bars to either side.

import { element } from "./elements.js";
import { count, signed } from "./numbers.js";

const MOST = 24; // bars: of more parts the weightiest, and the others in one

export class Shares {
  constructor() {
    this.list = element("ul", { className: "shares" });
    this.element = this.list;
  }

  /** `contributions` are an object by column name, or a list; `names` are the list's. */
  show(contributions, names) {
    const parts = Array.isArray(contributions)
      ? contributions.map((value, i) => [names?.[i] ?? `[${i}]`, value])
      : Object.entries(contributions);
    const shown = parts.length > MOST ? weightiest(parts) : parts;
    const most = shown.reduce((found, [, value]) => Math.max(found, Math.abs(value)), 0) || 1;
    this.list.replaceChildren(...shown.map(([name, value]) => bar(name, value, most)));
  }
}

function weightiest(parts) {
  const sorted = [...parts].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const others = sorted.slice(MOST).reduce((sum, [, value]) => sum + value, 0);
  return [...sorted.slice(0, MOST), [`the other ${count(parts.length - MOST)}`, others]];
}

function bar(name, value, most) {
  const fill = element("span", { className: value < 0 ? "fill against" : "fill for" });
  fill.style.setProperty("--share", Math.abs(value) / most);
  return element(
    "li",
    {},
    element("span", { className: "name" }, name),
    element("span", { className: "both-sides" }, fill),
    element("span", { className: "value" }, signed(value)),
  );
}
