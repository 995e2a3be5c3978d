// What the promise of a prediction set averages over, in words.

const SCOPES = {
  by_decision: "for answers and abstentions each",
  lac: "on average",
  lac_class_conditional: "for each class",
};

export function scopeInWords(method) {
  return SCOPES[method];
}
