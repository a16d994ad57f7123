// The form that posts an event. The gateway is the one that judges: what it
// finds wrong is shown at the field it names.

import { byId, make } from "./dom.js";
import { example } from "./schema.js";

/**
 * Takes over the form. post(class name, data) posts and resolves with the
 * publication's id; onchoose is told the class that is chosen. Returns a
 * function that takes the list of classes.
 */
export function form(post, onchoose) {
  const select = byId("compose-class");
  const outcome = byId("compose-outcome");
  let classes = [];
  let inputs = []; // {field, control, problem, read}

  select.onchange = choose;
  byId("compose").onsubmit = async (event) => {
    event.preventDefault();
    clear();
    const data = readAll();
    if (!data) return;
    const button = byId("compose-send");
    button.disabled = true;
    try {
      const publication = await post(select.value, data);
      tell("good", `Posted as publication ${publication}.`);
    } catch (error) {
      refuse(error);
    } finally {
      button.disabled = false;
    }
  };

  function choose() {
    const c = classes.find(({ name }) => name === select.value);
    if (!c) return;
    clear();
    byId("compose-about").textContent = c.about ?? "";
    inputs = c.fields.map(input);
    byId("compose-fields").replaceChildren(...inputs.map(({ element }) => element));
    onchoose(c);
  }

  function readAll() {
    const data = {};
    for (const item of inputs) {
      try {
        const value = item.read();
        if (value !== undefined) data[item.field.name] = value;
      } catch (error) {
        complain(item, error.message);
        return null;
      }
    }
    return data;
  }

  // refuse shows an ERROR of the gateway, whose kwargs name the field.
  function refuse({ message, uri, kwargs = {} }) {
    const { field, expected, found } = kwargs;
    const name = String(field ?? "").split(/[.[]/)[0];
    const item = inputs.find((i) => i.field.name === name);
    if (!item) {
      tell("bad", `${message} (${uri})`);
      return;
    }
    const where = field === name ? "" : `${field}: `;
    complain(item, expected === undefined ? message : `${where}expected ${say(expected)}${found === undefined ? "" : `, found ${say(found)}`}`);
  }

  function complain({ control, problem }, text) {
    problem.textContent = text;
    problem.hidden = false;
    control.setAttribute("aria-invalid", "true");
    control.focus();
    tell("bad", "The event was not posted.");
  }

  function clear() {
    tell("", "");
    for (const { control, problem } of inputs) {
      problem.hidden = true;
      control.removeAttribute("aria-invalid");
    }
  }

  function tell(kind, text) {
    outcome.className = `outcome ${kind}`;
    outcome.textContent = text;
  }

  return (list) => {
    const before = select.value;
    const same = JSON.stringify(list) === JSON.stringify(classes);
    classes = list;
    if (same) return;
    select.replaceChildren(...list.map(({ name }) => make("option", { value: name, textContent: name })));
    if (list.some(({ name }) => name === before)) select.value = before;
    select.disabled = byId("compose-send").disabled = list.length === 0;
    choose();
  };
}

function say(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

// input makes the label, control and hint for a field. Its read returns the
// value as data wants it, or undefined if there is none.
function input(field) {
  const id = `compose-field-${field.name}`;
  const { control, read } = controlFor(field, field.required ? example(field) : undefined);
  const hint = make("p", { className: "hint", id: `${id}-hint`, textContent: field.expected });
  const problem = make("p", { className: "problem", id: `${id}-problem`, hidden: true });
  control.id = id;
  control.autocomplete = "off";
  control.setAttribute("aria-describedby", `${hint.id} ${problem.id}`);
  if (field.required) control.setAttribute("aria-required", "true");
  const label = make("label", { for: id }, field.name, ...(field.required ? [make("span", { className: "required", textContent: " required" })] : []));
  return { field, control, problem, read, element: make("div", { className: "field" }, label, control, hint, problem) };
}

function controlFor({ type, enum: choices, max_length: longest }, value) {
  if (choices?.length || type === "bool") {
    const values = choices?.length ? choices : [true, false];
    const control = make("select", {}, make("option", { value: "", textContent: "not given" }), ...values.map((v, i) => make("option", { value: i, textContent: String(v) })));
    control.value = value === undefined ? "" : values.indexOf(value);
    return { control, read: () => (control.value === "" ? undefined : values[control.value]) };
  }
  if (type === "object" || type === "array") {
    const control = make("textarea", { rows: 3, spellcheck: false, value: value === undefined ? "" : JSON.stringify(value) });
    return { control, read: () => (control.value.trim() === "" ? undefined : readJSON(control.value)) };
  }
  const control = make("input", { type: "text", value: value ?? "", spellcheck: type === "string" && (longest ?? 0) > 80 });
  if (type === "int") control.inputMode = "numeric";
  if (type === "number") control.inputMode = "decimal";
  return { control, read: () => readText(type, control.value) };
}

// readText leaves what is no number a string, for the gateway to refuse.
function readText(type, text) {
  if (text === "") return undefined;
  if (type !== "int" && type !== "number") return text;
  const number = Number(text);
  return text.trim() === "" || !Number.isFinite(number) ? text : number;
}

function readJSON(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`expected JSON: ${error.message}`);
  }
}
