// The input of a table model: a form with a field for each column.

import { element, freshId } from "./elements.js";
import { shortest } from "./numbers.js";
import { OwnFiles } from "./own-files.js";
import { sampleStrip } from "./samples.js";

export function tableInput(kind, context) {
  const mayMiss = kind.missing === "mean";
  const notify = () => context.changed(Object.fromEntries(fields.map((field) => [field.name, field.read()])));
  const byHand = () => {
    strip.release();
    files.forget();
    notify();
  };
  const fields = kind.columns.map((column) => (column.categories ? choice : number)(column, mayMiss, byHand));
  const show = (row) => {
    for (const field of fields) field.write(row[field.name]);
    notify();
  };
  const files = new OwnFiles(kind, "Choose an .npy file", ".npy", () => ({}), (row) => {
    strip.release();
    show(row);
  }, context);
  const strip = sampleStrip("Sample", kind, context.samples, (row) => {
    files.forget();
    show(row);
  });
  const hint = mayMiss ? "An empty field is a missing value." : "No value may be missing.";
  const panel = element(
    "form",
    { className: "table-input", onsubmit: (event) => event.preventDefault() },
    element("div", { className: "row" }, element("span", { className: "muted" }, "Samples"), strip.element),
    element("div", { className: "fields" }, ...fields.flatMap((field) => [field.label, field.control])),
    element("p", { className: "muted hint" }, hint),
    element("div", { className: "row" }, files.chooser),
    files.strip,
  );
  return { element: panel, start: () => context.samples.length && strip.pick(0) };
}

/** Text that is not a number is sent unchanged: the service reports what is wrong. */
function number(column, mayMiss, changed) {
  const control = element("input", {
    type: "text",
    inputMode: "decimal",
    autocomplete: "off",
    id: freshId("column"),
    placeholder: mayMiss ? "missing" : "",
    oninput: changed,
  });
  const read = () => {
    const text = control.value.trim();
    if (text === "") return null;
    return Number.isFinite(Number(text)) ? Number(text) : text;
  };
  const write = (value) => (control.value = value === null ? "" : shortest(value));
  return { name: column.name, label: label(column, control), control, read, write };
}

function choice(column, mayMiss, changed) {
  const other = differentFrom(column.categories);
  const values = [...column.categories, other, ...(mayMiss ? [null] : [])];
  const texts = [...column.categories, "(another)", ...(mayMiss ? ["(missing)"] : [])];
  const control = element(
    "select",
    { id: freshId("column"), onchange: changed },
    ...texts.map((text, i) => element("option", { value: String(i) }, text)),
  );
  const read = () => values[control.selectedIndex];
  const write = (value) => (control.selectedIndex = values.indexOf(values.includes(value) ? value : other));
  return { name: column.name, label: label(column, control), control, read, write };
}

function label(column, control) {
  return element("label", { htmlFor: control.id }, column.name);
}

/** A text that is not one of these. */
function differentFrom(texts) {
  let text = "";
  while (texts.includes(text)) text += " ";
  return text;
}
