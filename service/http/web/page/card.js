// The model card, for a person to read.

import { element, table } from "./elements.js";
import { count, percent, plain, promised } from "./numbers.js";
import { OperatingPoints } from "./operating-points.js";
import { scopeInWords } from "./set-method.js";

const NONE = "\u2013";
const MEASURED = ["Report: answered", "Report: wrong"];

export function modelCard(card) {
  const points = new OperatingPoints(card);
  return element(
    "div",
    { className: "card" },
    facts([
      ["Name", card.name === card.served_as ? card.name : `${card.name}, served as ${card.served_as}`],
      ["Version", card.version],
      ["Input", inputInWords(card.input)],
      ["Labels", listed(card.labels)],
      ["Accuracy", `${percent(card.metrics.accuracy)} of the ${count(card.metrics.size)} report examples`],
      ["Log loss", plain(card.metrics.nll)],
      ["Brier score", plain(card.metrics.brier)],
      ["Calibration error", `${plain(card.metrics.ece)} with temperature ${plain(card.temperature)}`],
      ["Out of distribution", gateInWords(card.abstention)],
      ["Logits", card.lift ? `quadratic lift of ${card.lift.components} components` : "linear in the features"],
      ["Training", trainingInWords(card.training)],
      ["Created", creationInWords(card)],
    ]),
    ...riskTable(points),
    ...costTable(points),
    ...setTable(card.abstention),
    splits(card.data),
  );
}

function facts(pairs) {
  const rows = pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  return element("dl", { className: "facts" }, ...rows);
}

function inputInWords(input) {
  switch (input.kind) {
    case "image": {
      const ground = input.foreground === null ? "" : `, ${input.foreground}`;
      return `pictures of ${input.width} × ${input.height} pixels, ${input.channels === 1 ? "grey" : "RGB"}${ground}`;
    }
    case "tokens":
      return `the last ${input.context} tokens, of ${count(input.vocabulary.length)}`;
    default: {
      const missing = input.missing === "mean" ? "; values may be missing" : "";
      return input.columns ? `a table: ${listed(input.columns.map((column) => column.name))}${missing}`
        : `embeddings of ${count(input.width)} numbers${missing}`;
    }
  }
}

function listed(names, max = 40) {
  const more = names.length - max;
  return names.slice(0, max).join(", ") + (more > 0 ? ` and ${count(more)} more` : "");
}

function gateInWords(abstention) {
  if (!abstention) return "no gate";
  const { threshold, false_alarm_rate: alarms } = abstention.out_of_distribution;
  return `abstains above a score of ${plain(threshold)}, at most ${promised(alarms)} of inputs like the training data`;
}

function trainingInWords(training) {
  const { recipe, epochs, batch_size: batch, learning_rate: rate, seed, device } = training;
  return `recipe ${recipe}: ${epochs} epochs, minibatches of ${batch}, learning rate ${rate}, seed ${seed}, ${device}`;
}

function creationInWords(card) {
  const libraries = Object.entries(card.versions).map(([name, version]) => `${name} ${version}`).join(", ");
  return [card.created_at, card.git_revision, libraries].filter(Boolean).join("; ");
}

function riskTable(points) {
  if (!points.risks.length) return [];
  return [table(
    "Certified risks: promised by the calibration split, and measured on the report split",
    ["Wrong, at most", "Threshold", "Confidence level", "Bound", "Calibration: answered", ...MEASURED],
    points.risks.map((c) => {
      const policy = { kind: "selective_risk", selective_risk: c.selective_risk };
      const level = promised(c.confidence_level);
      if (c.status !== "certified") return [promised(c.selective_risk), "infeasible", level, ...Array(4).fill(NONE)];
      return [
        promised(c.selective_risk),
        plain(c.threshold),
        level,
        percent(c.risk_bound, 2),
        percent(c.coverage),
        ...measuredCells(points, policy),
      ];
    }),
  )];
}

function costTable(points) {
  if (!points.costs.length) return [];
  return [table(
    "Certified costs of abstaining: an answer costs at most this much on average",
    ["Cost", "Confidence level", "Bound", "Calibration: answered", ...MEASURED],
    points.costs.map((c) => {
      const policy = { kind: "reject_cost", reject_cost: c.reject_cost };
      const bound = c.status === "certified" ? plain(c.answer_cost_bound, 4) : "infeasible";
      const level = promised(c.confidence_level);
      return [String(c.reject_cost), level, bound, percent(c.coverage), ...measuredCells(points, policy)];
    }),
  )];
}

function measuredCells(points, policy) {
  const [point] = points.measured(policy);
  if (!point) return [NONE, NONE];
  const wrong = point.risk === null ? NONE : percent(point.risk);
  if (!points.contradicted(policy)) return [percent(point.coverage), wrong];
  return [percent(point.coverage), element("span", { className: "wrong" }, `${wrong}, contradicts the promise`)];
}

function setTable(abstention) {
  if (!abstention) return [];
  return [table(
    "Prediction sets: they contain the true label at least this often",
    ["Coverage", "Promised", "Calibration examples"],
    abstention.prediction_sets.map((sets) => [
      promised(sets.set_coverage),
      scopeInWords(sets.method),
      count(sets.sizes.reduce((sum, size) => sum + size, 0)),
    ]),
  )];
}

function splits(data) {
  const held = data.report_is_held_out ? "" : "; the report split was used during training";
  return table(
    `Data: ${data.name}${held}`,
    ["Split", "Examples", "Source", "Fingerprint"],
    Object.entries(data.splits).map(([name, split]) => [
      name,
      count(split.size),
      split.source,
      element("code", { title: split.fingerprint }, split.fingerprint.slice(0, 12)),
    ]),
  );
}
