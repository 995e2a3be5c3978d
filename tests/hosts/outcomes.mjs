// The scores and decisions of deploy/web/decide.mjs for a model and its inputs: in Node for web.mjs, in a browser for page.html.
import { decide, open } from "../../deploy/web/decide.mjs";

/** `bytes` is the file, `inputs` an ArrayBuffer of plain numbers. Returns { report, scores }: JSON values, and floats. */
export async function outcomesOf(ort, bytes, inputs) {
  const model = await open(ort, bytes);
  const { input, abstention } = model.manifest;
  const Values = { image: Uint8Array, features: Float32Array, tokens: BigInt64Array }[input.kind];
  const scores = await model.score(new Values(inputs));
  const policies = [
    ...abstention.selective_risk.map(({ selective_risk }) => ({ selective_risk })),
    ...abstention.reject_cost.map(({ reject_cost }) => ({ reject_cost })),
    { threshold: 0.8 },
    { never_abstain: true },
  ];
  const outcomes = policies.map((policy) => {
    const decisions = decide(scores, policy, model.manifest).map(({ label, reason }) => [label, reason]);
    return { policy, decisions };
  });
  const refused = [];
  for (const policy of [{ selective_risk: 0.123 }, {}]) {
    try {
      decide(scores, policy, model.manifest);
    } catch (error) {
      refused.push(error.message);
    }
  }
  return { report: { version: ort.env.versions.web, outcomes, refused }, scores: Object.values(scores) };
}
