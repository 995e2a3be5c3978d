// Formats numbers for a person to read.

/** A share in percent: 0.6964 is "69.6 %". */
export function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)} %`;
}

/** A promised share without rounding: 0.05 is "5 %". */
export function promised(share) {
  return `${Number((100 * share).toPrecision(6))} %`;
}

/** With a sign; the minus is as wide as the plus. */
export function signed(value, digits = 3) {
  const text = Math.abs(value).toFixed(digits);
  return `${value < 0 && Number(text) ? "\u2212" : "+"}${text}`;
}

/** As `signed`, but without the plus. */
export function plain(value, digits = 3) {
  return signed(value, digits).replace("+", "");
}

/** A whole number with thousands separators. */
export function count(value) {
  return value.toLocaleString("en");
}

/** Two numbers with enough digits to show which is larger. */
export function apart(one, other) {
  for (let digits = 3; digits < 17; digits += 1) {
    const texts = [one.toFixed(digits), other.toFixed(digits)];
    if (texts[0] !== texts[1] || one === other) return texts;
  }
  return [String(one), String(other)];
}

/** The shortest decimal that rounds to this float32. */
export function shortest(value) {
  for (let digits = 1; digits < 10; digits += 1) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === Math.fround(value)) return rounded;
  }
  return value;
}
