// Creates elements of the page. Text is set as text and never parsed: a label with markup is shown literally.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element: `on...` are listeners, properties of the element are set as such, the rest as attributes. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && key !== "list") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** An SVG element. */
export function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

let made = 0;

/** An id that is unique on the page. */
export function freshId(stem) {
  made += 1;
  return `${stem}-${made}`;
}

/** A control with its label before it, in one line. */
export function labelled(text, control) {
  control.id ||= freshId("control");
  return element("span", { className: "labelled" }, element("label", { htmlFor: control.id }, text), control);
}

/** A table: a caption, heads, and rows of cells; the first cell of a row is its head. */
export function table(caption, heads, rows) {
  const cells = ([first, ...others]) => [
    element("th", { scope: "row" }, first),
    ...others.map((cell) => element("td", {}, cell)),
  ];
  const content = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row)))),
  );
  // A table wider than a phone scrolls by touch, or by the arrow keys once it has the focus.
  const frame = element("div", { className: "wide", tabIndex: 0, role: "region", ariaLabel: caption }, content);
  return element("figure", {}, element("figcaption", {}, caption), frame);
}
