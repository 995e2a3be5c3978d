// The colours for and against a class: blue and orange, which nearly everybody can tell apart, on the page's
// background.

/** A function from -1..1 to `[red, green, blue]`, in the colours of the page's current scheme. */
export function scale() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => bytes(style.getPropertyValue(name));
  const [against, neutral, speaking] = ["--against", "--neutral", "--for"].map(colour);
  return (share) => {
    const end = share < 0 ? against : speaking;
    return neutral.map((level, i) => level + Math.abs(share) * (end[i] - level));
  };
}

function bytes(hex) {
  const digits = hex.trim().slice(1);
  return [0, 2, 4].map((i) => parseInt(digits.slice(i, i + 2), 16));
}
