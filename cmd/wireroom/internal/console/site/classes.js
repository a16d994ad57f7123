// The list of event classes with their fields.

import { byId, chip, make } from "./dom.js";
import { access, allFields } from "./schema.js";

/** Shows the classes. Returns a function that marks one as refused, with the reason, or as open. */
export function showClasses(classes) {
  const open = new Set([...byId("classes").querySelectorAll("details[open]")].map((d) => d.dataset.class));
  const cards = new Map(classes.map((c) => [c.name, card(c, open.has(c.name))]));
  byId("classes").replaceChildren(...[...cards.values()].map(({ element }) => element));
  byId("classes-empty").hidden = classes.length > 0;
  byId("classes-empty").textContent = "This gateway has no event classes.";
  return (name, reason = "") => {
    const refusal = cards.get(name)?.refusal;
    if (!refusal) return;
    refusal.textContent = reason && `Not shown here: ${reason}`;
    refusal.hidden = !reason;
  };
}

function card(c, open) {
  const badges = make("p", { className: "badges" }, badge(access(c.access), "Who may receive it"));
  if (c.retained) badges.append(badge("retained", "Kept in a log, and replayed to who asks"));
  if (c.persistent_seconds) badges.append(badge("persistent", "Who comes back gets what was missed, if the subscription is a persistent one"));
  if (c.unknown === "reject") badges.append(badge("no other fields", "Data with a field that is not listed is refused"));
  if (c.channel) badges.append(badge(`channel: ${c.channel}`, `${c.name}.<${c.channel}> is a topic of its own`));

  const refusal = make("p", { className: "refusal", hidden: true });
  const element = make("details", { className: "class", open },
    make("summary", {}, make("span", { className: "class-name" }, chip(c.name)), make("span", { className: "class-about", textContent: c.about ?? "" })),
    badges, fieldTable(c));
  element.dataset.class = c.name;
  element.querySelector("summary").append(refusal);
  return { element, refusal };
}

function badge(text, title) {
  return make("span", { className: "badge", textContent: text, title });
}

function fieldTable({ name, fields, unknown }) {
  if (!fields.length) return make("p", { className: "hint", textContent: unknown === "reject" ? "No data." : "Any data." });
  const rows = allFields(fields).map((f) => make("tr", {},
    make("th", { scope: "row" }, f.path, ...(f.required ? [make("span", { className: "required", textContent: " required" })] : [])),
    make("td", { textContent: f.expected })));
  return make("table", {}, make("caption", { className: "unseen", textContent: `Fields of ${name}` }), make("tbody", {}, ...rows));
}
