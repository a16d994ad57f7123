// What the console knows of event classes: how to read the gateway's list, and
// how to make up data that fits.

/** Reads the answer of wireroom.class.list. */
export const readClasses = ({ kwargs }) => kwargs.classes ?? [];

/** Returns all the fields, also those within objects and arrays, by their paths. */
export function allFields(fields, prefix = "") {
  return fields.flatMap((field) => {
    const path = prefix + field.name;
    const items = field.items ? [{ ...field.items, name: "" }] : [];
    return [{ ...field, path }, ...allFields(field.fields ?? [], `${path}.`), ...allFields(items, `${path}[]`)];
  });
}

/** Returns who may see a class, in words. */
export const access = (value) => (Array.isArray(value) ? value.join(", ") : value);

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
    case "array": return field.items && field.min_items ? [example(field.items)] : [];
    case "object": return exampleData({ fields: field.fields ?? [] });
    default: return examples[field.name] ?? "example";
  }
}

/** Returns an example of a class's data: its required fields, or the first one. */
export function exampleData({ fields }) {
  const wanted = fields.filter((f) => f.required);
  return Object.fromEntries((wanted.length ? wanted : fields.slice(0, 1)).map((f) => [f.name, example(f)]));
}
