// The choice of the policy: a certified risk, a certified cost, a threshold by hand, or never to abstain.

import { Curve, summary } from "./curve.js";
import { element, freshId } from "./elements.js";
import { count, percent, plain, promised } from "./numbers.js";
import { CONTRADICTED, OperatingPoints } from "./operating-points.js";

export class PolicyControl {
  /** `changed()` is called when another policy is chosen. */
  constructor(card, { changed }) {
    this.points = new OperatingPoints(card);
    this.curve = new Curve(this.points);
    this.changed = changed;
    this.name = freshId("policy");
    this.choices = [];
    this.isDefaultKnown = false;
    this.promise = element("dd");
    this.measurement = element("dd");
    const notices = [
      notice("The report split contradicts these promises", this.points.contradictions),
      notice("Without a policy the model never answers", this.points.otherWarnings),
    ].flat();
    const risks = this.points.risks.map((c) => this.#choice(`${promised(c.selective_risk)}`, c, {
      kind: "selective_risk",
      selective_risk: c.selective_risk,
    }));
    const costs = this.points.costs.map((c) => this.#choice(String(c.reject_cost), c, {
      kind: "reject_cost",
      reject_cost: c.reject_cost,
    }));
    const choices = element(
      "div",
      { className: "choices" },
      ...group("Wrong answers, at most", risks),
      ...group("Cost of abstaining", costs),
      ...group("No condition", [this.#choice("always answer", null, { kind: "never_abstain" })]),
      ...group("Threshold by hand", [...this.#threshold()]),
    );
    const words = element(
      "dl",
      { className: "promise", ariaLive: "polite" },
      element("dt", {}, "Promised"),
      this.promise,
      element("dt", {}, "Measured"),
      this.measurement,
    );
    const keys = [
      ["line", "measured, report split"],
      ...(this.curve.certified.length ? [["cap", "promised at most"]] : []),
      ["dot", "this policy"],
    ];
    const legend = keys.map(([key, text]) => element("span", {}, element("span", { className: `key ${key}` }), text));
    this.element = element(
      "div",
      { className: "policy" },
      ...notices,
      element("div", {}, choices, words),
      element("div", {}, this.curve.element, element("p", { className: "legend muted" }, ...legend)),
    );
  }

  /** The policy of a request; undefined, which means the service's default, until one is chosen. */
  request() {
    if (this.chosen === undefined) return undefined;
    const { kind, ...value } = this.chosen;
    return kind === "never_abstain" ? { never_abstain: true } : value;
  }

  /** Take note of the policy that was applied: that of the first answer is the default. */
  decided(policy) {
    if (this.chosen !== undefined || this.isDefaultKnown) return;
    this.isDefaultKnown = true;
    const choice = this.choices.find((c) => same(c.policy, policy)) ?? this.byHand;
    choice.input.checked = true;
    choice.label.append(element("span", { className: "muted" }, " default"));
    if (policy.kind === "threshold") this.#setThreshold(policy.threshold);
    this.#show(policy);
  }

  #choose(policy) {
    this.chosen = policy;
    this.#show(policy);
    this.changed();
  }

  #choice(text, certificate, policy) {
    const input = element("input", { type: "radio", name: this.name, onchange: () => this.#choose(policy) });
    const infeasible = certificate?.status === "infeasible";
    const label = element("label", { className: infeasible ? "chip infeasible" : "chip" }, input);
    if (this.points.contradicted(policy)) {
      label.append(element("s", {}, text), element("span", { className: "wrong" }, " contradicted"));
    } else label.append(text);
    if (infeasible) label.title = "could not be certified: the model always abstains";
    this.choices.push({ input, label, policy });
    return label;
  }

  /** A slider over the measured thresholds, so that each of its points is exact, and a field for any other. */
  *#threshold() {
    const { thresholds } = this.points.curve;
    const last = thresholds.length - 1;
    const use = (entered) => {
      const threshold = Number.isNaN(entered) ? this.threshold : entered; // the field may be empty
      this.#setThreshold(threshold);
      this.byHand.input.checked = true;
      this.#choose({ kind: "threshold", threshold });
    };
    this.field = element("input", {
      type: "number",
      min: 0,
      max: 1,
      step: "any",
      ariaLabel: "Minimum confidence",
      onchange: () => use(this.field.valueAsNumber),
    });
    this.slider = element("input", {
      type: "range",
      min: 0,
      max: Math.max(0, last),
      ariaLabel: "Minimum confidence, among the measured thresholds",
      oninput: () => use(thresholds[last - this.slider.valueAsNumber]),
    });
    const input = element("input", { type: "radio", name: this.name, onchange: () => use(this.threshold) });
    const label = element("label", { className: "chip" }, input, "\u2265");
    input.ariaLabel = "Threshold by hand";
    this.byHand = { input, label };
    this.#setThreshold(thresholds[Math.floor(last / 2)] ?? 0.5);
    yield label;
    yield this.field;
    if (thresholds.length) yield this.slider;
  }

  #setThreshold(threshold) {
    const { thresholds } = this.points.curve;
    const next = thresholds.findIndex((point) => point <= threshold);
    this.slider.valueAsNumber = thresholds.length - 1 - (next === -1 ? thresholds.length - 1 : next);
    this.slider.ariaValueText = plain(threshold, 4);
    this.threshold = threshold; // exact; the field shows it rounded
    this.field.value = Number(threshold.toFixed(4));
  }

  #show(policy) {
    const words = promiseInWords(policy, this.points.certificate(policy));
    this.promise.replaceChildren(
      ...(this.points.contradicted(policy)
        ? [element("s", {}, words), " ", element("strong", { className: "wrong" }, CONTRADICTED)]
        : [words]),
    );
    const places = this.points.measured(policy);
    const cost = places[0]?.meanCost ?? null;
    const costInWords = cost === null ? "" : ` An input costs ${plain(cost)} on average.`;
    this.measurement.textContent = summary(places) + costInWords;
    this.curve.show(policy);
  }
}

function notice(title, warnings) {
  if (!warnings.length) return [];
  const list = element("ul", {}, ...warnings.map((warning) => element("li", {}, warning)));
  return [element("div", { className: "notice", role: "alert" }, element("strong", {}, title), list)];
}

function group(title, controls) {
  if (!controls.length) return [];
  const legend = element("legend", {}, title);
  return [element("fieldset", {}, legend, element("div", { className: "chips" }, ...controls))];
}

function same(one, other) {
  return ["kind", "selective_risk", "reject_cost"].every((key) => one[key] === other[key]);
}

function promiseInWords(policy, certificate) {
  if (certificate === undefined) return "Nothing.";
  if (certificate.status === "infeasible") return "It could not be certified, so the model always abstains.";
  const confidence = `at a confidence level of ${promised(certificate.confidence_level)}`;
  const population = `The promise covers inputs drawn like those: ${certificate.population}.`;
  if (policy.kind === "reject_cost") {
    const bound = plain(certificate.answer_cost_bound, 4);
    return (
      `An answer costs at most ${policy.reject_cost} on average, ${confidence}: the bound from the calibration ` +
      `examples is ${bound}. ${population}`
    );
  }
  const { answered, errors, size, risk_bound: bound } = certificate;
  return (
    `At most ${promised(policy.selective_risk)} of the answers are wrong, ${confidence}. Of ${count(size)} ` +
    `calibration examples ${count(answered)} were answered, ${count(errors)} of them wrong: the bound is ` +
    `${percent(bound, 2)}. ${population}`
  );
}
