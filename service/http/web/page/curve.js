// The risk-coverage curve: measurements as a line, promises as caps above it, and the point of the current policy.

import { shape } from "./elements.js";
import { percent, promised } from "./numbers.js";
import { CONTRADICTED } from "./operating-points.js";

const WIDTH = 400;
const HEIGHT = 240;
const LEFT = 42;
const RIGHT = 12;
const TOP = 26;
const BOTTOM = 36;
const STEPS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25];
const MAX_TICKS = 5;

export class Curve {
  constructor(points) {
    this.points = points;
    this.certified = points.risks.filter((certificate) => certificate.status === "certified");
    const places = points.curve.thresholds.map((_, i) => points.at(i));
    const highest = Math.max(0.01, ...places.map((p) => p.risk), ...this.certified.map((c) => c.selective_risk));
    this.step = STEPS.find((step) => highest / step <= MAX_TICKS) ?? 0.5;
    this.top = Math.min(1, Math.ceil((1.05 * highest) / this.step) * this.step);
    this.current = shape("g", { class: "current" });
    this.element = shape(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "curve" },
      ...this.#axes(),
      shape("polyline", { class: "measured", points: places.map((p) => this.#xy(p)).join(" ") }),
      ...this.certified.map((certificate) => this.#certificate(certificate)),
      this.current,
    );
  }

  /** Mark the point of a policy. */
  show(policy) {
    const places = this.points.measured(policy).filter((place) => place.risk !== null);
    this.element.setAttribute("aria-label", `Risk-coverage curve. ${summary(this.points.measured(policy))}`);
    if (!places.length) {
      this.current.replaceChildren();
      return;
    }
    const [x, y] = this.#xy(places.at(-1));
    const guides = shape("path", { class: "guide", d: `M${x},${HEIGHT - BOTTOM}V${y}H${LEFT}` });
    const between = shape("polyline", { class: "between", points: places.map((p) => this.#xy(p)).join(" ") });
    this.current.replaceChildren(guides, between, shape("circle", { cx: x, cy: y, r: 5.5 }));
  }

  #xy({ coverage, risk }) {
    const x = LEFT + coverage * (WIDTH - LEFT - RIGHT);
    const y = HEIGHT - BOTTOM - (Math.min(risk, this.top) / this.top) * (HEIGHT - TOP - BOTTOM);
    return [Number(x.toFixed(1)), Number(y.toFixed(1))];
  }

  #axes() {
    const parts = [];
    const text = (x, y, anchor, words) => parts.push(shape("text", { x, y, "text-anchor": anchor }, words));
    for (let i = 0; i * this.step <= this.top + 1e-9; i += 1) {
      const [, y] = this.#xy({ coverage: 0, risk: i * this.step });
      parts.push(shape("path", { class: "grid", d: `M${LEFT},${y}H${WIDTH - RIGHT}` }));
      text(LEFT - 6, y + 4, "end", promised(i * this.step));
    }
    for (const coverage of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
      const [x] = this.#xy({ coverage, risk: 0 });
      text(x, HEIGHT - BOTTOM + 15, coverage === 1 ? "end" : "middle", promised(coverage));
    }
    text((WIDTH + LEFT - RIGHT) / 2, HEIGHT - 4, "middle", "coverage: share answered");
    text(2, 11, "start", "selective risk: share of wrong answers");
    return parts;
  }

  /** A cap at the promised risk, above the measured risk at the same threshold if there is one. */
  #certificate(certificate) {
    const risk = certificate.selective_risk;
    const [measured] = this.points.measured({ kind: "selective_risk", selective_risk: risk });
    const coverage = (measured ?? certificate).coverage;
    const [x, high] = this.#xy({ coverage, risk });
    const [, low] = this.#xy({ coverage, risk: measured?.risk ?? risk });
    const contradicted = this.points.contradicted({ kind: "selective_risk", selective_risk: risk });
    const words =
      `Promised: at most ${promised(risk)} wrong, bound ${percent(certificate.risk_bound, 2)}` +
      (contradicted ? `. ${CONTRADICTED}` : "");
    const label = promised(risk) + (contradicted ? " \u2717" : "");
    return shape(
      "g",
      { class: contradicted ? "certificate contradicted" : "certificate" },
      shape("title", {}, words),
      shape("path", { d: `M${x},${low}V${high}M${x - 7},${high}h14` }),
      shape("text", { x, y: contradicted ? high + 15 : high - 5, "text-anchor": "middle" }, label),
    );
  }
}

/** The measurements in a sentence. */
export function summary(places) {
  if (!places.length) return "Not measured.";
  const range = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => percent(value));
    return low === high ? low : `${low} to ${high}`;
  };
  const risks = places.map((place) => place.risk).filter((risk) => risk !== null);
  const coverage = range(places.map((place) => place.coverage));
  if (!risks.length) return `Answers ${coverage} of the report split.`;
  return `Answers ${coverage} of the report split; ${range(risks)} of those answers are wrong.`;
}
