// Why: what a logit is made of. The model is linear, so the parts and the bias are the logit, to the last digit.

import { element, labelled } from "./elements.js";
import { HeatMap } from "./heat-map.js";
import { plain, signed } from "./numbers.js";
import { Shares } from "./shares.js";

const MOST_OPTIONS = 1000;

export class Explanation {
  /** `chosen(label)` hears which class a person wants explained; null is the likeliest. */
  constructor(card, signal, { chosen }) {
    this.kind = card.input;
    this.view = this.kind.kind === "image" ? new HeatMap(this.kind, signal) : new Shares();
    this.sum = element("p", { className: "sum" });
    this.trouble = element("p", { className: "muted", hidden: true });
    const labels = card.labels.length <= MOST_OPTIONS ? card.labels : [];
    this.choice = element(
      "select",
      { onchange: () => chosen(this.choice.value || null) },
      element("option", { value: "" }, "the likeliest class"),
      ...labels.map((label) => element("option", { value: label }, label)),
    );
    this.title = element("h3");
    const form = this.kind.kind === "image" ? "body" : "body bars-only";
    const words = "The logit is the sum of the bias and of what each part adds. The probabilities are the softmax of " +
      "the logits of all classes.";
    const terms = element("div", {}, this.sum, element("p", { className: "muted hint" }, words));
    this.body = element("div", { className: form }, this.view.element, terms);
    const head = element("div", { className: "row" }, this.title, labelled("Explain", this.choice));
    this.element = element("div", { className: "explanation" }, head, this.body, this.trouble);
    this.body.hidden = true;
  }

  /** Which class is asked for, chosen elsewhere on the page. */
  choose(label) {
    if (label !== null && ![...this.choice.options].some((option) => option.value === label)) {
      this.choice.append(element("option", { value: label }, label));
    }
    this.choice.value = label ?? "";
  }

  show({ label, logit, bias, contributions }, input) {
    this.#isThere(true);
    const { kind, columns } = this.kind;
    const part = { image: "pixel", tokens: "token", features: columns ? "column" : "number" }[kind];
    this.title.textContent = `What each ${part} says of ${label}`;
    this.view.show(contributions, kind === "tokens" ? input : label);
    const values = (Array.isArray(contributions) ? contributions : Object.values(contributions)).flat(Infinity);
    const add = (some) => some.reduce((sum, value) => sum + value, 0);
    const [speaking, against] = [add(values.filter((v) => v > 0)), add(values.filter((v) => v < 0))];
    this.sum.replaceChildren(
      term("for", signed(speaking, 4), "for"),
      term("against", signed(against, 4), "against"),
      term("bias", signed(bias, 4)),
      element("span", { className: "equals" }, "="),
      term("logit", plain(logit, 4)),
    );
  }

  /** There is none, for a reason in the service's words. */
  fail(message) {
    this.#isThere(false);
    this.trouble.textContent = message;
  }

  #isThere(is) {
    this.body.hidden = !is;
    this.trouble.hidden = is;
  }
}

function term(name, value, kind = "") {
  return element("span", { className: "term" }, element("b", { className: kind }, value), element("small", {}, name));
}
