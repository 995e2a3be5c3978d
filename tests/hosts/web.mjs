// The same as alone.py in Node, by deploy/web/decide.mjs: `node web.mjs MODEL INPUTS OUT`, INPUTS being plain numbers.
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { decide, open } from "../../deploy/web/decide.mjs";

// From where `make test-hosts` has installed it.
const installed = createRequire(`${process.env.HOSTS_WEB}/package.json`).resolve("onnxruntime-web");
const ort = await import(pathToFileURL(installed.replace(/\.js$/, ".mjs")));

const [file, inputs, out] = process.argv.slice(2);
const model = await open(ort, await readFile(file));
const raw = await readFile(inputs);
const bytes = raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length);
const Values = { image: Uint8Array, features: Float32Array, tokens: BigInt64Array }[model.manifest.input.kind];
const scores = await model.score(new Values(bytes));
const abstention = model.manifest.abstention;
const policies = [
  ...abstention.selective_risk.map(({ selective_risk }) => ({ selective_risk })),
  ...abstention.reject_cost.map(({ reject_cost }) => ({ reject_cost })),
  { threshold: 0.8 },
  { never_abstain: true },
];
const decided = policies.map((policy) => [policy, decide(scores, policy, model.manifest)]);
const outcomes = decided.map(([policy, found]) => ({ policy, found: found.map(({ label, reason }) => [label, reason]) }));
const refused = [];
for (const policy of [{ selective_risk: 0.123 }, {}]) {
  try {
    decide(scores, policy, model.manifest);
  } catch (error) {
    refused.push(error.message);
  }
}
const host = `onnxruntime-web ${ort.env.versions.web}`;
await writeFile(`${out}.json`, JSON.stringify({ host, outcomes, refused }));
await writeFile(`${out}.f32`, Buffer.concat(Object.values(scores).map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength))));
