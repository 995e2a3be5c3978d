// The user's own files, sent unchanged: the service returns the inputs that it reads from them, which may be several.

import { element } from "./elements.js";
import { fileChooser } from "./files.js";
import { sampleStrip } from "./samples.js";

export class OwnFiles {
  /** `options()` returns the query options; `show(input)` gets an input. `context` is that of the input's panel. */
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

  /** Send the files again, with the current options. */
  async ask() {
    if (this.files === null) return;
    const sent = this.files;
    let inputs;
    try {
      inputs = await this.context.model.seen(sent, this.options());
    } catch (error) {
      this.context.failed(error);
      return;
    }
    if (sent !== this.files) return;
    const strip = sampleStrip("Input of your file", this.kind, inputs, this.show);
    this.strip.replaceChildren(...(inputs.length > 1 ? [strip.element] : []));
    strip.pick(0);
  }

  /** The input is no longer from a file. */
  forget() {
    this.files = null;
    this.strip.replaceChildren();
  }
}
