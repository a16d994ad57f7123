// What the console knows of event classes: how to read the gateway's list, and
// how to make up data that fits.

/** Reads the answer of wireroom.class.list. */
export const readClasses = ({ kwargs }) => kwargs.classes ?? [];

/** Returns the query that a topic of wireroom.query carries, which is its last part in base 32. */
export function queryOf(topic) {
  let bits = 0, held = 0;
  const bytes = [];
  for (const digit of topic.slice(topic.lastIndexOf(".") + 1)) {
    bits = (bits << 5 | parseInt(digit, 32)) & 0xfff;
    held += 5;
    if (held >= 8) bytes.push(bits >> (held -= 8) & 0xff);
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

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

const BARE = /^[A-Za-z_][A-Za-z0-9_]*$/;
// What a bare name is not the field of that name for: names of the event's own,
// literals, and the words that CEL reserves.
const TAKEN = new Set("class id topic time data session has timestamp true false null as break const continue else for function if import in let loop namespace package return var void while".split(" "));

/** Returns how a query writes a field of the data, which names lead to. */
export function queryField([first, ...rest]) {
  const bare = (name) => BARE.test(name) && !TAKEN.has(name);
  const begin = bare(first) ? first : BARE.test(first) && !/^(true|false|null|in)$/.test(first) ? `data.${first}` : `data[${JSON.stringify(first)}]`;
  return begin + rest.map((name) => (bare(name) ? `.${name}` : `[${JSON.stringify(name)}]`)).join("");
}

/** Returns the fields that a query can name, with those within objects: {...field, text}. */
export function queryFields(fields, above = []) {
  return fields.flatMap((field) => {
    const path = [...above, field.name];
    return [{ ...field, text: queryField(path) }, ...queryFields(field.fields ?? [], path)];
  });
}

/** Returns up to three queries that make sense for a class. */
export function exampleQueries({ fields }) {
  const all = queryFields(fields);
  const said = all.map(condition).filter(Boolean);
  const first = said.find((text) => text.includes(" > ")) ?? said[0];
  if (!first) return [];
  const second = said.find((text) => text !== first);
  const missing = all.find(({ required, text }) => !required && !text.includes("["));
  return [first, second && `${first} && ${second}`, missing && `!has(${missing.text})`].filter(Boolean);
}

// condition returns a query about one field, or nothing.
function condition(field) {
  const { text, type } = field;
  if (field.enum?.length) return `${text} in [${field.enum.slice(0, 2).map((v) => JSON.stringify(v)).join(", ")}]`;
  switch (type) {
    case "int": case "number": return text.startsWith("data.") ? "" : `${text} > ${field.name === "total" ? 100 : Math.min(Math.max(10, field.min ?? 10), field.max ?? 10)}`;
    case "string": return `${text} == ${JSON.stringify(example(field))}`;
    case "bool": return text;
    default: return "";
  }
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
