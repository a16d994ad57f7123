// Small helpers for building the page. Text always becomes a text node: what
// comes over the wire is never markup.

/** Returns the element with the id. */
export const byId = (id) => document.getElementById(id);

/** Makes an element. properties are DOM properties, or attributes if their name has a dash. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

const hues = new Map(); // class name -> degrees on the colour circle

/** Gives each class a colour of its own, as far apart as their number allows. */
export function colour(names) {
  hues.clear();
  names.forEach((name, i) => hues.set(name, (30 + i * 137.508) % 360)); // the golden angle
}

/** Returns the style property that colours what belongs to a class. */
export const hue = (name) => String(hues.get(name) ?? 30);

/** Returns a class's name beside a lamp of its own colour. */
export function chip(name) {
  const lamp = make("span", { className: "chip-lamp", "aria-hidden": "true" });
  lamp.style.setProperty("--hue", hue(name));
  return make("span", { className: "chip" }, lamp, name);
}
