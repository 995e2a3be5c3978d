// Like alone.py, in Node: `node web.mjs MODEL INPUTS OUT`. INPUTS holds plain numbers.
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { outcomesOf } from "./outcomes.mjs";

// `make test-hosts` installs it there.
const installed = createRequire(`${process.env.HOSTS_WEB}/package.json`).resolve("onnxruntime-web");
const ort = await import(pathToFileURL(installed.replace(/\.js$/, ".mjs")));

const [file, inputs, out] = process.argv.slice(2);
const raw = await readFile(inputs);
const numbers = raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length);
const { report, scores } = await outcomesOf(ort, await readFile(file), numbers);
await writeFile(`${out}.json`, JSON.stringify({ host: `onnxruntime-web ${report.version} in Node`, ...report }));
const bytes = scores.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength));
await writeFile(`${out}.f32`, Buffer.concat(bytes));
