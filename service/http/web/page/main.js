// Assembles the page: an input, its answer, the policy, and the explanation.

import { Answer } from "./answer.js";
import { modelCard } from "./card.js";
import { element } from "./elements.js";
import { Explanation } from "./explanation.js";
import { imageInput } from "./image-input.js";
import { askForKey } from "./key.js";
import { latest } from "./latest.js";
import { PolicyControl } from "./policy.js";
import { Dismissed, KeyNeeded, Model, models, ServiceError } from "./service.js";
import { tableInput } from "./table-input.js";
import { tokenInput } from "./token-input.js";
import { vectorInput } from "./vector-input.js";

const place = (id) => document.getElementById(id);
const problem = place("problem");
let session = new AbortController();

function failed(error) {
  if (error instanceof Dismissed) return;
  if (!(error instanceof ServiceError)) throw error;
  problem.textContent = error.message;
  problem.hidden = false;
  if (error instanceof KeyNeeded) askForKey(place("key"), () => start().catch(failed));
}

function inputFor(kind) {
  if (kind.kind === "image") return imageInput;
  if (kind.kind === "tokens") return tokenInput;
  return kind.columns ? tableInput : vectorInput;
}

/** Build the page for one model, and request a prediction for its first sample. */
async function open(entry) {
  session.abort();
  session = new AbortController();
  const { signal } = session;
  const model = new Model(entry, signal);
  const [card, samples] = await Promise.all([model.card(), model.samples()]);
  const state = { input: null, label: null };

  const predict = latest(
    (input) => model.predict({ inputs: [input], ...answer.options(), policy: policy.request() }),
    (response) => {
      problem.hidden = true;
      answer.show(response);
      policy.decided(response.policy);
    },
    (error) => {
      answer.clear();
      failed(error);
    },
  );
  const explain = latest(
    async ({ input, label }) => ({ input, result: await model.explain(input, label) }),
    ({ input, result }) => {
      explanation.show(result, input);
      answer.markExplained(result.label);
    },
    (error) => {
      if (error instanceof ServiceError) explanation.fail(error.message);
      else failed(error);
    },
  );
  const ask = () => state.input !== null && predict(state.input);
  const choose = (label) => {
    state.label = label;
    explanation.choose(label);
    if (state.input !== null) explain({ ...state });
  };
  const changed = (input) => {
    state.input = input;
    ask();
    explain({ ...state });
  };

  const answer = new Answer(card, { changed: ask, explained: choose });
  const policy = new PolicyControl(card, { changed: ask });
  const explanation = new Explanation(card, signal, { chosen: choose });
  const input = inputFor(card.input)(card.input, { model, samples, signal, changed, failed });
  problem.hidden = true;
  place("version").textContent = card.version;
  place("input-panel").replaceChildren(input.element);
  place("answer-panel").replaceChildren(answer.element);
  place("policy-panel").replaceChildren(policy.element);
  place("why-panel").replaceChildren(explanation.element);
  place("card-panel").replaceChildren(modelCard(card));
  input.start();
}

async function start() {
  const entries = await models();
  const choice = place("model");
  const name = (entry) => entry.name + (entry.ready ? "" : " (not ready)");
  choice.replaceChildren(
    ...entries.map((entry) => element("option", { value: entry.name, disabled: !entry.ready }, name(entry))),
  );
  const requested = new URLSearchParams(location.search).get("model");
  const ready = entries.filter((entry) => entry.ready);
  const first = ready.find((entry) => entry.name === requested) ?? ready.find((entry) => entry.default) ?? ready[0];
  choice.value = first.name;
  choice.onchange = () => {
    const entry = entries.find((other) => other.name === choice.value);
    history.replaceState(null, "", `?${new URLSearchParams({ model: entry.name })}`);
    open(entry).catch(failed);
  };
  await open(first);
}

start().catch(failed);
