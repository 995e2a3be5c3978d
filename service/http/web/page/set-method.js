// Of what a prediction set's promise holds, in words.

const OF_WHAT = {
  by_decision: "of the answered and of the abstained apart",
  lac: "on average",
  lac_class_conditional: "for each class",
};

export function ofWhat(method) {
  return OF_WHAT[method];
}
