// The client of the service. Addresses are relative, so that the service may stand below a prefix.

import { keyHeader } from "./key.js";

/** An error, in the service's words. */
export class ServiceError extends Error {}

/** An API key is needed, or another one. */
export class KeyNeeded extends ServiceError {}

/** The page has switched to another model: the answer is not needed. */
export class Dismissed extends Error {}

/** The models of the service: `GET /models`. */
export async function models() {
  return (await ask("models")).models;
}

/** One model. `signal` aborts its requests. */
export class Model {
  constructor(entry, signal) {
    const named = `models/${encodeURIComponent(entry.name)}`;
    this.name = entry.name;
    this.signal = signal;
    this.cardPath = entry.default ? "model" : named;
    this.prefix = entry.default ? "" : `${named}/`;
  }

  card() {
    return ask(this.cardPath, { signal: this.signal });
  }

  async samples() {
    return (await ask(`${this.prefix}samples`, { signal: this.signal })).inputs;
  }

  predict(body) {
    return this.#post("predict", JSON.stringify(body), "application/json");
  }

  async explain(input, label) {
    const body = label === null ? { inputs: [input] } : { inputs: [input], label };
    const response = await this.#post("explain", JSON.stringify(body), "application/json");
    return response.explanations[0];
  }

  /** The inputs that the model sees in files; `options` are query options. */
  async seen(files, options) {
    const query = new URLSearchParams(options);
    const [body, type] = files.length > 1 ? [form(files), null] : [files[0], typeOf(files[0])];
    return (await this.#post(`inputs?${query}`, body, type)).inputs;
  }

  #post(path, body, type) {
    const headers = type === null ? {} : { "Content-Type": type };
    return ask(this.prefix + path, { method: "POST", body, headers, signal: this.signal });
  }
}

async function ask(path, options = {}) {
  let response;
  let body;
  try {
    response = await fetch(path, { ...options, headers: { ...options.headers, ...keyHeader() } });
    body = await response.json();
  } catch {
    if (options.signal?.aborted) throw new Dismissed();
    throw new ServiceError(`the service did not answer ${path.split("?")[0]}`);
  }
  if (response.status === 401 || response.status === 403) throw new KeyNeeded(body.detail);
  if (!response.ok) throw new ServiceError(body.detail ?? `the service answered ${path} with ${response.status}`);
  return body;
}

function form(files) {
  const made = new FormData();
  for (const file of files) made.append("file", file);
  return made;
}

/** Browsers know the types of pictures, but not of arrays. */
function typeOf(file) {
  if (file.name?.endsWith(".npy")) return "application/x-npy";
  return file.type || "application/octet-stream";
}
