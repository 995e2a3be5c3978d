// Files of one's own, sent as they are: the service says what it sees of them. One may hold several inputs.

import { element } from "./elements.js";
import { fileChooser } from "./files.js";
import { sampleStrip } from "./samples.js";

export class OwnFiles {
  /** `options()` are the query's; `show(input)` gets what was read. `context` is that of the input's panel. */
  constructor(kind, text, accept, options, show, context) {
    this.kind = kind;
    this.options = options;
    this.show = show;
    this.context = context;
    this.files = null;
    this.strip = element("div");
    const take = (files) => {
      this.files = files;
      this.ask();
    };
    this.chooser = fileChooser(text, { accept, multiple: kind.kind === "image", take, signal: context.signal });
  }

  /** Ask again, with the options as they are now. */
  async ask() {
    if (this.files === null) return;
    const asked = this.files;
    let inputs;
    try {
      inputs = await this.context.model.seen(asked, this.options());
    } catch (error) {
      this.context.failed(error);
      return;
    }
    if (asked !== this.files) return;
    const strip = sampleStrip("Input of your file", this.kind, inputs, this.show);
    this.strip.replaceChildren(...(inputs.length > 1 ? [strip.element] : []));
    strip.pick(0);
  }

  /** What is shown is not from a file any more. */
  forget() {
    this.files = null;
    this.strip.replaceChildren();
  }
}
