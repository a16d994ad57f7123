// What the console knows of event classes: how to read the gateway's list,
// say a field's rules in words, and make up a value that fits.

/** Reads the answer of wireroom.class.list. */
export function readClasses({ args, kwargs }) {
  const list = kwargs.classes ?? args[0] ?? [];
  return list.map((c) => ({ ...c, fields: c.fields ?? [] }));
}

/** Returns the rules of a field in words: "int, at least 1, required". */
export function rules(field) {
  const words = [field.type];
  const { min, max } = field;
  if (min != null && max != null) words.push(`${min} to ${max}`);
  else if (min != null) words.push(`at least ${min}`);
  else if (max != null) words.push(`at most ${max}`);
  if (field.max_length) words.push(`at most ${field.max_length} long`);
  if (field.enum?.length) words.push(`one of ${field.enum.join(", ")}`);
  if (field.pattern) words.push(`like ${field.pattern}`);
  return words.join(", ");
}

/** Returns who may see a class, in words. */
export function access(value) {
  return Array.isArray(value) ? value.join(", ") : value || "public";
}

const examples = {
  room: "lobby", text: "hello", customer: "ada", user: "ada", name: "Ada", email: "ada@example.com",
  title: "Hello", message: "hello", city: "Oslo", currency: "EUR", sensor: "roof",
};

/** Returns an example of a field's value, as it stands in an event's data. */
export function example(field) {
  if (field.enum?.length) return field.enum[0];
  const number = Math.min(Math.max(field.name === "total" ? 120 : 1, field.min ?? -Infinity), field.max ?? Infinity);
  switch (field.type) {
    case "int": case "number": return number;
    case "bool": return true;
    case "time": return new Date().toISOString().replace(/\.\d+/, "");
    case "array": return [];
    case "object": return {};
    default: return examples[field.name] ?? "example";
  }
}

/** Returns an example of a class's data: its required fields, or the first one. */
export function exampleData({ fields }) {
  const wanted = fields.filter((f) => f.required);
  return Object.fromEntries((wanted.length ? wanted : fields.slice(0, 1)).map((f) => [f.name, example(f)]));
}
