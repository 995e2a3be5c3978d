// Files: chosen, dropped anywhere on the page, or pasted.

import { element } from "./elements.js";

/** A button that chooses files, and listeners for the other two ways, which `signal` removes. */
export function fileChooser(text, { accept, multiple, take, signal }) {
  const given = (list) => {
    const files = [...(list ?? [])];
    if (files.length) take(files);
    return files.length > 0;
  };
  const chooser = element("input", {
    type: "file",
    accept,
    multiple,
    hidden: true,
    onchange: () => {
      given(chooser.files);
      chooser.value = ""; // lets the same file be chosen again
    },
  });
  const hovered = (is) => document.body.classList.toggle("hovered", is);
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    hovered(true);
  }, { signal });
  document.addEventListener("dragleave", (event) => hovered(event.relatedTarget !== null), { signal });
  document.addEventListener("drop", (event) => {
    hovered(false);
    if (!holdsFiles(event)) return;
    event.preventDefault();
    given(event.dataTransfer.files);
  }, { signal });
  document.addEventListener("paste", (event) => {
    if (given(event.clipboardData?.files)) event.preventDefault();
  }, { signal });
  return element(
    "span",
    { className: "chooser" },
    element("button", { type: "button", onclick: () => chooser.click() }, text),
    chooser,
  );
}
