// The query box of the live events: a query is checked by the gateway while it
// is typed, what is wrong is said and underlined, and Enter shows the events that
// satisfy it. The queries that stand are in the address of the page, to be shared:
// #class=order.created&where=total>100

import { byId, make } from "./dom.js";
import { exampleQueries, queryFields } from "./schema.js";

const CHECK_AFTER = 200; // milliseconds without a key
const SAY_AFTER = 1000; // milliseconds, until a screen reader is told, which is typed over otherwise
const TOKEN = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9][0-9A-Za-z.]*|"[^"\n]*"?|'[^'\n]*'?|==|!=|<=|>=|&&|\|\||\S)/u;

/**
 * Takes over the box. check(class, query) resolves with the query's normal form;
 * apply(class, query) resolves when what satisfies it is shown, or everything, if
 * it is empty. Both fail with a WampError. Returns {classes, where, refuse}.
 */
export function queryBox({ check, apply }) {
  const select = byId("ask-class");
  const input = byId("ask-where");
  const standing = addressed(); // class name -> query
  const drafts = new Map(); // class name -> what is typed, if it is not what stands
  let classes = [];
  let typed = 0; // counts changes, so that an answer to an older text is passed over
  let busy = false; // a query is on its way
  let checkTimer = 0;
  let sayTimer = 0;

  select.onchange = showClass;
  input.oninput = changed;
  input.onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    byId("ask").requestSubmit();
  };
  byId("ask").onsubmit = (event) => {
    event.preventDefault();
    stand(select.value, input.value.trim());
  };
  byId("ask-all").onclick = () => {
    input.value = "";
    changed();
    stand(select.value, "");
    input.focus();
  };
  addEventListener("hashchange", async () => {
    if (!new URLSearchParams(location.hash.slice(1)).has("class")) return;
    for (const [name, where] of addressed()) {
      if (!classes.some((c) => c.name === name)) continue;
      select.value = name;
      drafts.set(name, where);
      showClass();
      if (where !== (standing.get(name) ?? "")) await stand(name, where);
    }
  });

  function changed() {
    typed++;
    const where = input.value;
    if (where === (standing.get(select.value) ?? "")) drafts.delete(select.value);
    else drafts.set(select.value, where);
    mark();
    input.removeAttribute("aria-invalid");
    clearTimeout(checkTimer);
    showStanding();
    if (!where.trim()) return rest();
    if (!drafts.has(select.value)) return shown(where);
    checkTimer = setTimeout(() => ask(select.value, where, typed), CHECK_AFTER);
  }

  async function ask(name, where, of) {
    let normal;
    try {
      normal = await check(name, where);
    } catch (error) {
      if (of === typed && !busy) unchecked(error, where);
      return;
    }
    if (of !== typed || busy) return;
    say("good", "It can be asked: ", make("code", { textContent: normal }), ". Enter shows what matches.");
  }

  // unchecked tells what the check says. What it cannot check may be right.
  function unchecked(error, where) {
    const judged = error.message.startsWith("option _where: ");
    if (judged || /invalid_query$/.test(error.uri)) return wrong(error, where);
    if (/connection_lost$/.test(error.uri)) return say("", "There is no connection to check it.");
    say("", `It cannot be checked while you type: ${error.message} Enter asks for it.`);
  }

  // wrong shows what is wrong with a query, and where.
  function wrong(error, where) {
    const { reason, line, column } = error.kwargs;
    input.setAttribute("aria-invalid", "true");
    if (!reason || !line) {
      mark();
      return say("bad", sentence(error.message.replace(/^(option _where|the query): /, "")));
    }
    const at = mark(line, column);
    const place = at ? `At ${at}` : "At the end";
    say("bad", `${place}${where.includes("\n") ? ` in line ${line}` : ""}: ${sentence(reason, false)}`);
  }

  // mark underlines what is at a place of the text, or nothing, and returns it.
  // Columns count characters, and strings here count otherwise.
  function mark(line = 0, column = 0) {
    const text = input.value;
    const mirror = byId("ask-mirror");
    const lines = text.split("\n");
    if (!line || line > lines.length) {
      mirror.replaceChildren(`${text}\u200b`); // so that a last empty line has a height
      return "";
    }
    const before = [...lines[line - 1]].slice(0, column - 1).join("");
    const from = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0) + before.length;
    const token = TOKEN.exec(text.slice(from))?.[0] ?? "";
    mirror.replaceChildren(text.slice(0, from), make("mark", { textContent: token || "\u00a0\u00a0" }), `${text.slice(from + token.length)}\u200b`);
    return token;
  }

  // stand shows what satisfies a query of a class, or all of the class.
  async function stand(name, where) {
    if (busy || !name || where === (standing.get(name) ?? "")) return;
    clearTimeout(checkTimer);
    busy = true;
    const of = ++typed;
    say("", "Asking the gateway.");
    try {
      await apply(name, where);
      if (where) standing.set(name, where);
      else standing.delete(name);
      if (drafts.get(name)?.trim() === where) drafts.delete(name);
      addressAll();
      if (of === typed && name === select.value) {
        if (where) shown(where);
        else rest(`All events of ${name} are shown.`);
      }
    } catch (error) {
      if (of === typed && name === select.value) wrong(error, where);
    } finally {
      busy = false;
      showStanding();
    }
    if (of !== typed) changed();
  }

  function shown(where) {
    say("good", `Only events of ${select.value} that satisfy this are shown. The address of this page has the query.`);
    input.dataset.standing = Boolean(where);
  }

  function rest(text = "Only what matches is shown. Without a query, everything is.") {
    say("", text);
  }

  function say(kind, ...words) {
    const says = byId("ask-says");
    says.dataset.kind = kind;
    says.replaceChildren(...words);
    clearTimeout(sayTimer);
    sayTimer = setTimeout(() => {
      const news = kind ? says.textContent : "";
      if (byId("ask-news").textContent !== news) byId("ask-news").textContent = news;
    }, SAY_AFTER);
  }

  function showStanding() {
    const where = standing.get(select.value) ?? "";
    byId("ask-all").hidden = !where;
    byId("ask-show").disabled = busy || !input.value.trim();
    input.dataset.standing = where !== "" && where === input.value.trim();
  }

  // showClass shows what is typed for the chosen class, and what may be.
  function showClass() {
    const c = classes.find(({ name }) => name === select.value);
    if (!c) return;
    input.value = drafts.get(c.name) ?? standing.get(c.name) ?? "";
    const examples = exampleQueries(c);
    input.placeholder = examples[0] ?? "a query";
    row("ask-fields", "Fields", queryFields(c.fields).map(({ text, about, expected }) => button(text, about || expected || "", () => insert(text))));
    row("ask-examples", "Try", examples.map((text) => button(text, "", () => {
      input.value = text;
      changed();
      input.focus();
    })));
    changed();
  }

  function insert(text) {
    const before = input.value.slice(0, input.selectionStart);
    const space = before && !/[\s(!,[]$/.test(before) ? " " : "";
    input.setRangeText(space + text, input.selectionStart, input.selectionEnd, "end");
    changed();
    input.focus();
  }

  // addressAll puts the queries that stand into the address of the page.
  function addressAll() {
    const pairs = new URLSearchParams();
    for (const [name, where] of standing) {
      pairs.append("class", name);
      pairs.append("where", where);
    }
    history.replaceState(null, "", standing.size ? `#${pairs}` : location.pathname + location.search);
  }

  return {
    /** Says which classes there are. */
    classes(list) {
      classes = list;
      const chosen = select.value || [...standing.keys()].find((name) => list.some((c) => c.name === name));
      select.replaceChildren(...list.map(({ name }) => make("option", { value: name, textContent: name })));
      if (list.some((c) => c.name === chosen)) select.value = chosen;
      byId("ask").hidden = !list.length;
      showClass();
    },

    /** Returns the query that stands for a class, or an empty string. */
    where: (name) => standing.get(name) ?? "",

    /** Says that the query of the address was refused. */
    refuse(name, error) {
      const where = standing.get(name);
      standing.delete(name);
      drafts.set(name, where);
      select.value = name;
      showClass();
      clearTimeout(checkTimer);
      wrong(error, where);
    },
  };
}

function row(id, title, buttons) {
  byId(id).replaceChildren(...(buttons.length ? [make("span", { textContent: title, "aria-hidden": "true" }), ...buttons] : []));
}

function button(text, title, onclick) {
  return make("button", { type: "button", textContent: text, title, onclick });
}

// addressed reads the queries in the address of the page.
function addressed() {
  const queries = new Map();
  let name = "";
  for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
    if (key === "class") name = value;
    else if (key === "where" && name && value.trim()) queries.set(name, value.trim());
  }
  return queries;
}

function sentence(text, capital = true) {
  const first = capital ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
