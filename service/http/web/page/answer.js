// The answer: a label or the reason for an abstention, the prediction set, and the probabilities as bars.

import { element, labelled } from "./elements.js";
import { apart, count, plain, promised } from "./numbers.js";
import { CONTRADICTED, OperatingPoints } from "./operating-points.js";
import { scopeInWords } from "./set-method.js";

const MAX_BARS = 20; // with more classes only the most probable ones get bars
const MANY = 1000; // with more classes the service states a prediction set only on request
const MAX_LISTED = 40; // members of a prediction set
const VOID = "The probabilities of an input unlike the training data mean nothing.";

export class Answer {
  /** `changed()` is called when an option changes, `explained(label)` when a class is chosen. */
  constructor(card, { changed, explained }) {
    this.labels = card.labels;
    this.few = card.labels.length <= MAX_BARS;
    this.points = new OperatingPoints(card);
    this.sets = card.abstention?.prediction_sets ?? [];
    this.k = element("input", {
      type: "number",
      min: 1,
      max: card.labels.length,
      value: Math.min(this.few ? 3 : 10, card.labels.length),
      onchange: changed,
    });
    this.set = element(
      "select",
      { onchange: changed },
      ...this.sets.map((sets, i) => element("option", { value: String(i) }, setsInWords(sets))),
      ...(card.labels.length > MANY ? [element("option", { value: "", selected: true }, "none")] : []),
    );
    this.verdict = element("div", { className: "verdict", role: "status" });
    this.promise = element("p", { className: "muted hint about" });
    this.members = element("p", { className: "members" });
    this.rows = [];
    this.bars = element("ul", { className: "bars", ariaLabel: "Probabilities" });
    this.mark = element("span", { className: "threshold", ariaHidden: "true", hidden: true });
    this.frame = element("div", { className: "bars-frame" }, this.bars, this.mark);
    this.void = element("p", { className: "muted hint", hidden: true }, VOID);
    this.explained = explained;
    const sets = this.sets.length ? [labelled("Prediction set", this.set)] : [];
    this.element = element(
      "div",
      {},
      this.verdict,
      this.promise,
      this.frame,
      this.void,
      element("div", { className: "row" }, labelled("Top", this.k), ...sets),
      this.members,
      element("p", { className: "muted hint" }, "Choose a class for its explanation."),
    );
    this.clear();
  }

  /** The options of a request, except its policy. */
  options() {
    const sets = this.set.value === "" ? undefined : this.sets[Number(this.set.value)];
    return {
      top_k: this.k.valueAsNumber,
      ...(sets && { set_coverage: sets.set_coverage, set_method: sets.method }),
    };
  }

  /** Show the service's answer to one input. */
  show({ policy, prediction_sets: sets, predictions: [prediction] }) {
    const answered = prediction.decision === "answer";
    this.verdict.className = `verdict ${prediction.decision}`;
    this.verdict.replaceChildren(
      element("strong", {}, answered ? prediction.label : "Abstains"),
      element("span", {}, answered ? answerInWords(prediction, policy) : reasonInWords(prediction, policy)),
      ...(answered ? [] : [element("code", {}, prediction.reason)]),
    );
    this.#showPromise(policy);
    this.#markVoid(prediction.reason === "out_of_distribution");
    this.#showMembers(prediction.prediction_set, sets);
    this.#showBars(prediction);
    this.#showThreshold(policy.threshold ?? null);
  }

  /** Show no answer. */
  clear() {
    this.verdict.className = "verdict";
    this.verdict.replaceChildren(element("strong", {}, "\u2013"));
    this.promise.replaceChildren();
    this.#markVoid(false);
    this.members.replaceChildren();
    for (const row of this.rows) row.show({ probability: 0, rank: null });
  }

  /** Mark the class that is explained. */
  markExplained(label) {
    this.chosen = label;
    for (const row of this.rows) row.press(row.label === label);
  }

  /** The population that the policy's promise covers: many inputs, not this one. */
  #showPromise(policy) {
    this.promise.replaceChildren(populationInWords(policy, this.points.certificate(policy)));
    if (this.points.contradicted(policy)) {
      this.promise.append(" ", element("strong", { className: "wrong" }, CONTRADICTED));
    }
  }

  /** Grey out the bars if the gate decided: then neither the probabilities nor a threshold mattered. */
  #markVoid(is) {
    this.frame.classList.toggle("void", is);
    this.void.hidden = !is;
  }

  #showMembers(members, sets) {
    if (members === null) {
      this.members.replaceChildren();
      return;
    }
    const listed = members.slice(0, MAX_LISTED).map((label) => element("span", { className: "member" }, label));
    const more = members.length - listed.length;
    const promise = `Holds the true label in ${promised(sets.set_coverage)} of cases, ${scopeInWords(sets.method)}: `;
    this.members.replaceChildren(
      element("span", { className: "muted" }, promise),
      ...listed,
      ...(more > 0 ? [` and ${more} more`] : []),
    );
  }

  #showBars({ top_k: top, probabilities }) {
    const rank = new Map(top.map((entry, i) => [entry.label, i + 1]));
    const entries = this.few
      ? this.labels.map((label, i) => ({ label, probability: probabilities[i], rank: rank.get(label) ?? null }))
      : top.map((entry, i) => ({ ...entry, rank: i + 1 }));
    while (this.rows.length < entries.length) this.rows.push(this.#row());
    for (const row of this.rows.splice(entries.length)) row.element.remove();
    entries.forEach((entry, i) => this.rows[i].show(entry));
    this.markExplained(this.chosen);
  }

  #row() {
    const parts = ["rank", "name", "fill", "value"].map((part) => element("span", { className: part }));
    const [rank, name, fill, value] = parts;
    const button = element(
      "button",
      { type: "button", onclick: () => this.explained(row.label) },
      rank,
      name,
      element("span", { className: "track" }, fill),
      value,
    );
    const row = {
      label: null,
      element: element("li", {}, button),
      press: (is) => (button.ariaPressed = String(is)),
      show: ({ label = row.label, probability, rank: place }) => {
        row.label = label;
        name.textContent = label;
        rank.textContent = place ?? "";
        value.textContent = plain(probability);
        button.classList.toggle("ranked", place !== null);
        fill.style.setProperty("width", `${100 * probability}%`);
      },
    };
    this.bars.append(row.element);
    return row;
  }

  #showThreshold(threshold) {
    this.mark.hidden = threshold === null;
    if (threshold !== null) this.mark.style.setProperty("--at", threshold);
  }
}

function populationInWords(policy, certificate) {
  if (certificate === undefined) return "This policy promises nothing.";
  if (certificate.status === "infeasible") return "This policy promises nothing: it could not be certified.";
  const { population, size, confidence_level: level } = certificate;
  const promise =
    policy.kind === "reject_cost"
      ? `an answer costs at most ${policy.reject_cost} on average`
      : `at most ${promised(policy.selective_risk)} of those answered get a wrong label`;
  return (
    `For inputs drawn like the ${count(size)} calibration examples (${population}), ${promise}, at a ` +
    `confidence level of ${promised(level)}. This covers all of them together, not this one.`
  );
}

function setsInWords(sets) {
  return `${promised(sets.set_coverage)} ${scopeInWords(sets.method)}`;
}

function answerInWords({ confidence }, policy) {
  if ((policy.threshold ?? null) === null) return `confidence ${plain(confidence)}`;
  const [value, threshold] = apart(confidence, policy.threshold);
  return `confidence ${value} \u2265 threshold ${threshold}`;
}

function reasonInWords({ reason, confidence }, policy) {
  switch (reason) {
    case "low_confidence": {
      const [value, threshold] = apart(confidence, policy.threshold);
      return `confidence ${value} < threshold ${threshold}`;
    }
    case "out_of_distribution":
      return "the input is unlike the training data";
    case "expected_cost":
      return `every answer has a higher expected cost than abstaining, ${policy.reject_cost}`;
    case "no_certified_threshold":
      return "this policy could not be certified for the model";
    default:
      return "";
  }
}
