// The lines to paste: each posts or receives an event of the class that is
// chosen in the form, at the address from which the page came.

import { byId, make } from "./dom.js";
import { exampleData } from "./schema.js";

const address = (path) => new URL(path, document.baseURI);
const webSocketURL = () => address("ws").href.replace(/^http/, "ws");

// key is that of the demonstration; any other gateway tells its own to nobody.
const placeholder = "YOUR-KEY";
const key = document.querySelector('meta[name="wireroom-key"]').content || placeholder;

const languages = [
  { id: "python", title: "Python", posts: true, about: "Posts an event over XML-RPC: paste it into a Python prompt.", write: python },
  { id: "curl", title: "curl", posts: true, about: "Posts an event over HTTP: paste it into a shell.", write: curl },
  { id: "javascript", title: "JavaScript", about: "Receives the events in a page or in Node, here with autobahn-js.", write: javascript },
  {
    id: "persistent", title: "Come back", only: (c) => c.persistent_seconds > 0, write: persistent,
    about: "Receives the events in a page, and when it is opened again, first those that came meanwhile.",
  },
];

/** Fills the panel. Returns a function that shows the snippets for a class. */
export function snippets(realm) {
  let language = languages[0];
  let offered = languages; // for the class that is chosen
  let chosen = { name: "demo.message", fields: [{ name: "room", type: "string", required: true }, { name: "text", type: "string", required: true }] };

  const tabs = languages.map((l) => make("button", {
    type: "button", role: "tab", id: `snippet-${l.id}`, textContent: l.title, "aria-controls": "snippet-panel",
    onclick: () => show(l),
  }));
  byId("snippet-tabs").append(...tabs);
  byId("snippet-tabs").onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    show(offered[(offered.indexOf(language) + step + offered.length) % offered.length]);
    tabs[languages.indexOf(language)].focus();
  };
  byId("snippet-copy").onclick = copy;

  function show(l) {
    offered = languages.filter(({ only }) => !only || only(chosen));
    language = offered.includes(l) ? l : languages[0];
    tabs.forEach((tab, i) => {
      tab.hidden = !offered.includes(languages[i]);
      tab.setAttribute("aria-selected", languages[i] === language);
      tab.tabIndex = languages[i] === language ? 0 : -1;
    });
    byId("snippet-panel").setAttribute("aria-labelledby", `snippet-${language.id}`);
    byId("snippet-about").textContent = language.about + (language.posts && key === placeholder ? ` Put an ingest key in place of ${placeholder}.` : "");
    byId("snippet").textContent = language.write(chosen, realm);
  }
  show(language);
  return (eventClass) => {
    chosen = eventClass;
    show(language);
  };
}

async function copy() {
  const code = byId("snippet");
  try {
    await navigator.clipboard.writeText(code.textContent);
    byId("snippet-copy").textContent = "Copied";
  } catch { // no clipboard without TLS, except on this machine: mark it instead
    getSelection().selectAllChildren(code);
    byId("snippet-copy").textContent = "Marked";
  }
  setTimeout(() => { byId("snippet-copy").textContent = "Copy"; }, 1500);
}


function python(c) {
  return `import xmlrpc.client
xmlrpc.client.ServerProxy("${address("RPC2").href}").event.publish("${key}", "${c.name}", ${pythonValue(exampleData(c))})`;
}

function curl(c) {
  const event = JSON.stringify({ class: c.name, data: exampleData(c) }).replaceAll("'", "'\\''");
  return `curl ${address("events").href} \\
  -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\
  -d '${event}'`;
}

function javascript(c, realm) {
  return `const connection = new autobahn.Connection({url: "${webSocketURL()}", realm: ${JSON.stringify(realm)}});
connection.onopen = (session) =>
  session.subscribe("${c.name}", (args, data, details) => console.log(details.topic, data));
connection.open();`;
}

function persistent(c, realm) {
  return `const connection = new autobahn.Connection({url: "${webSocketURL()}", realm: ${JSON.stringify(realm)}});
connection.onopen = (session) =>
  session.subscribe("${c.name}", (args, data) => console.log(data), {_persistent: true});
fetch("${address("session").href}", {method: "POST", credentials: "include"}).then(() => connection.open());`;
}

function pythonValue(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(pythonValue).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${pythonValue(v)}`).join(", ")}}`;
  return JSON.stringify(value);
}
