// The explanation of a logit: the contributions and the bias add up to it exactly.

import { element, labelled } from "./elements.js";
import { HeatMap } from "./heat-map.js";
import { plain, signed } from "./numbers.js";
import { Shares } from "./shares.js";

const MAX_OPTIONS = 1000;

export class Explanation {
  /** `chosen(label)` is called with the class to explain; null is the most probable one. */
  constructor(card, signal, { chosen }) {
    this.kind = card.input;
    this.view = this.kind.kind === "image" ? new HeatMap(this.kind, signal) : new Shares();
    this.sum = element("p", { className: "sum" });
    this.trouble = element("p", { className: "muted", hidden: true });
    const labels = card.labels.length <= MAX_OPTIONS ? card.labels : [];
    this.choice = element(
      "select",
      { onchange: () => chosen(this.choice.value || null) },
      element("option", { value: "" }, "the most probable class"),
      ...labels.map((label) => element("option", { value: label }, label)),
    );
    this.title = element("h3");
    const form = this.kind.kind === "image" ? "body" : "body bars-only";
    const words = "The logit is the sum of the bias and the contributions. The probabilities are the softmax of the " +
      "logits of all classes.";
    const lifted = " The bias is the logit of the mean of the training inputs, and the contributions are of the " +
      "differences from it.";
    const hint = element("p", { className: "muted hint" }, card.lift ? words + lifted : words);
    const terms = element("div", {}, this.sum, hint);
    this.body = element("div", { className: form }, this.view.element, terms);
    const head = element("div", { className: "row" }, this.title, labelled("Explain", this.choice));
    this.element = element("div", { className: "explanation" }, head, this.body, this.trouble);
    this.body.hidden = true;
  }

  /** Select a class that was chosen elsewhere on the page. */
  choose(label) {
    if (label !== null && ![...this.choice.options].some((option) => option.value === label)) {
      this.choice.append(element("option", { value: label }, label));
    }
    this.choice.value = label ?? "";
  }

  show({ label, logit, bias, contributions }, input) {
    this.#setVisible(true);
    const { kind, columns } = this.kind;
    const part = { image: "pixel", tokens: "token", features: columns ? "column" : "number" }[kind];
    this.title.textContent = `Contribution of each ${part} to ${label}`;
    this.view.show(contributions, kind === "tokens" ? input : label);
    const values = (Array.isArray(contributions) ? contributions : Object.values(contributions)).flat(Infinity);
    const add = (terms) => terms.reduce((sum, value) => sum + value, 0);
    const [positive, negative] = [add(values.filter((v) => v > 0)), add(values.filter((v) => v < 0))];
    this.sum.replaceChildren(
      term("for", signed(positive, 4), "for"),
      term("against", signed(negative, 4), "against"),
      term("bias", signed(bias, 4)),
      element("span", { className: "equals" }, "="),
      term("logit", plain(logit, 4)),
    );
  }

  /** Show the service's error instead of an explanation. */
  fail(message) {
    this.#setVisible(false);
    this.trouble.textContent = message;
  }

  #setVisible(is) {
    this.body.hidden = !is;
    this.trouble.hidden = is;
  }
}

function term(name, value, kind = "") {
  return element("span", { className: "term" }, element("b", { className: kind }, value), element("small", {}, name));
}
