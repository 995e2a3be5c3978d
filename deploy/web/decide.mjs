// Makes the service's decisions from the model's file alone, in a browser or in Node, with onnxruntime-web.
//
//   const model = await open(ort, bytes);                                  // of model.onnx
//   const [first] = await model.decide(pixels, { selective_risk: 0.05 });  // { label, reason, confidence, ... }

/** Loads a model. `ort` is the module onnxruntime-web, `bytes` the file as a Uint8Array. */
export async function open(ort, bytes) {
  const manifest = manifestOf(bytes);
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  return {
    manifest,
    /** Runs the graph on N inputs, concatenated in a typed array of the kind's element type. */
    score: (values) => score(ort, session, manifest, values),
    /** Decides N inputs by a policy in the form of `/predict`; by default the manifest's own. */
    decide: async (values, policy) => decide(await score(ort, session, manifest, values), policy, manifest),
  };
}

async function score(ort, session, manifest, values) {
  const [type, row] = tensorOf(manifest.input);
  const count = values.length / row.reduce((product, size) => product * size, 1);
  const tensor = new ort.Tensor(type, values, [count, ...row]);
  const outputs = await session.run({ [manifest.input.name]: tensor });
  return {
    probabilities: outputs.probabilities.data, // Float32Array of N * C
    confidence: outputs.confidence.data, // Float32Array of N
    oodScore: outputs.ood_score.data, // Float32Array of N
  };
}

function tensorOf(input) {
  switch (input.kind) {
    case "image":
      return ["uint8", [input.height, input.width, ...(input.channels === 3 ? [3] : [])]];
    case "features":
      return ["float32", [input.width]];
    case "tokens":
      return ["int64", [input.context]]; // a BigInt64Array
    default:
      throw new Error(`the input kind ${input.kind} is unknown`);
  }
}

/** The decisions, each { label, reason, confidence, oodScore }: label or reason is null. */
export function decide(scores, policy, manifest) {
  const rule = ruleOf(policy ?? manifest.default_policy, manifest);
  const classes = manifest.labels.length;
  return Array.from(scores.confidence, (confidence, i) => {
    const oodScore = scores.oodScore[i];
    const { best, reason } = rule(scores.probabilities.subarray(i * classes, (i + 1) * classes), confidence, oodScore);
    return { label: reason === null ? manifest.labels[best] : null, reason, confidence, oodScore };
  });
}

// The numbers of a Float32Array are read as doubles: all comparisons are in double precision, as in certification.
function ruleOf(policy, { abstention }) {
  const gate = abstention?.out_of_distribution.threshold ?? Infinity;
  const uncertified = () => ({ best: 0, reason: "no_certified_threshold" });
  const confident = (minConfidence, maxScore) => (row, confidence, oodScore) => {
    const reason = oodScore > maxScore ? "out_of_distribution" : confidence < minConfidence ? "low_confidence" : null;
    return { best: argmin(Array.from(row, (p) => -p)), reason };
  };
  if (policy.never_abstain || policy.kind === "never_abstain") return confident(-Infinity, Infinity);
  if (policy.selective_risk !== undefined) {
    const certificate = certified(abstention?.selective_risk, "selective_risk", policy.selective_risk);
    return certificate.status === "certified" ? confident(certificate.threshold, gate) : uncertified;
  }
  if (policy.reject_cost !== undefined) {
    const certificate = certified(abstention?.reject_cost, "reject_cost", policy.reject_cost);
    return certificate.status === "certified" ? affordable(abstention.cost_matrix, policy.reject_cost, gate) : uncertified;
  }
  if (policy.threshold !== undefined) return confident(policy.threshold, gate);
  throw new Error("a policy is one of selective_risk, reject_cost, threshold, never_abstain");
}

function affordable(matrix, maxCost, gate) {
  return (row, confidence, oodScore) => {
    const costs = matrix
      ? matrix.map((answer) => answer.reduce((sum, cost, label) => sum + cost * row[label], 0))
      : Array.from(row, (probability) => 1 - probability);
    const best = argmin(costs);
    const reason = oodScore > gate ? "out_of_distribution" : costs[best] > maxCost ? "expected_cost" : null;
    return { best, reason };
  };
}

function certified(certificates, field, value) {
  const certificate = (certificates ?? []).find((candidate) => candidate[field] === value);
  if (!certificate) throw new Error(`${field}=${value} is not certified by this model`);
  return certificate;
}

function argmin(values) {
  return values.reduce((best, value, i) => (value < values[best] ? i : best), 0); // the first of equal ones
}

/** The manifest: the value of the key demur.manifest in ModelProto.metadata_props, which is field 14. */
export function manifestOf(bytes) {
  for (const entry of fields(bytes, 14)) {
    const [key, value] = [1, 2].map((number) => new TextDecoder().decode([...fields(entry, number)][0]));
    if (key === "demur.manifest") return JSON.parse(value);
  }
  throw new Error("the file has no demur.manifest");
}

// Protobuf: the length-delimited fields with a given number. Other fields are skipped.
function* fields(bytes, fieldNumber) {
  let at = 0;
  const varint = () => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === 0) varint();
    else if (wire === 2) {
      const length = varint();
      if (number === fieldNumber) yield bytes.subarray(at, at + length);
      at += length;
    } else at += wire === 1 ? 8 : 4;
  }
}
