// The promise of each policy, and its measured result on the report split, kept apart.

export const CONTRADICTED = "The report split contradicts this promise.";
const CONTRADICTION = /^(selective_risk|reject_cost)=/; // begins with the policy

/** The certificates, the measured points and the curve of one model card. */
export class OperatingPoints {
  constructor(card) {
    this.size = card.metrics.size;
    this.curve = card.metrics.risk_coverage;
    this.points = card.metrics.operating_points;
    this.risks = card.abstention?.selective_risk ?? [];
    this.costs = card.abstention?.reject_cost ?? [];
    this.contradictions = card.warnings.filter((warning) => CONTRADICTION.test(warning));
    this.otherWarnings = card.warnings.filter((warning) => !CONTRADICTION.test(warning));
  }

  /** The certificate of a policy; undefined if it promises nothing. */
  certificate(policy) {
    if (policy.kind === "selective_risk") return this.risks.find((c) => c.selective_risk === policy.selective_risk);
    if (policy.kind === "reject_cost") return this.costs.find((c) => c.reject_cost === policy.reject_cost);
    return undefined;
  }

  /** Whether the report split contradicts the policy: then there is a warning that begins "selective_risk=0.05 ". */
  contradicted(policy) {
    return this.contradictions.some((warning) => {
      const [kind, value] = warning.split(" ", 1)[0].split("=");
      return kind === policy.kind && Number(value) === policy[kind];
    });
  }

  /**
   * The measurements of a policy, as one or two points: the curve has about fifty thresholds, and between two of them
   * the coverage lies between theirs. Empty if nothing was measured.
   */
  measured(policy) {
    if (policy.kind === "threshold") return this.#onCurve(policy.threshold);
    const same = (other) => ["kind", "selective_risk", "reject_cost"].every((key) => other[key] === policy[key]);
    const point = this.points.find((other) => same(other.policy));
    return point ? [{ coverage: point.coverage, risk: point.selective_risk, meanCost: point.mean_cost }] : [];
  }

  /** The point of one of the curve's thresholds. */
  at(i) {
    const { answered, errors } = this.curve;
    return { coverage: answered[i] / this.size, risk: errors[i] / answered[i] };
  }

  #onCurve(threshold) {
    const { thresholds } = this.curve;
    if (!thresholds.length) return [];
    const next = thresholds.findIndex((point) => point < threshold); // the first one below
    if (next === -1) return [this.at(thresholds.length - 1)];
    if (next === 0) return [{ coverage: 0, risk: null }, this.at(0)];
    return thresholds[next - 1] === threshold ? [this.at(next - 1)] : [this.at(next - 1), this.at(next)];
  }
}
