// The console: joins the parts of the page to one WAMP session.

import { showClasses } from "./classes.js";
import { byId, colour } from "./dom.js";
import { form } from "./form.js";
import { queryBox } from "./query.js";
import { queryOf, readClasses } from "./schema.js";
import { snippets } from "./snippets.js";
import { stream } from "./stream.js";
import { Client } from "./wamp.js";

const REPLAYED_AT_FIRST = 20; // events of each retained class
const ALIVE_TIMEOUT = 5000; // milliseconds for an answer when the page wakes up

// The gateway's first realm, or the one that the page's address names: ?realm=NAME.
// The page has no list of them, which is not everybody's business.
const realm = new URLSearchParams(location.search).get("realm") || document.querySelector('meta[name="wireroom-realm"]').content;
byId("realm").textContent = realm;
const socketURL = new URL("ws", document.baseURI).href.replace(/^http/, "ws");

const known = new Map(); // class name -> class
const subscriptions = new Map(); // class name -> subscription
let mark = () => {}; // marks a class as refused or open
let wasLive = false;
let lost = false; // and said so

const events = stream();
const showSnippets = snippets(realm);
const offerClasses = form(
  (name, data) => client.publish(name, [], data, { exclude_me: false }),
  showSnippets,
);
const box = queryBox({
  check: async (name, where) => queryOf((await client.call("wireroom.query", [name, where])).args[0]),
  apply: (name, where) => listen(name, where),
});
const client = new Client({ url: socketURL, realm, prepare: renewToken, onstate: showState });

byId("connection-retry").onclick = () => client.start();
addEventListener("online", wake);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) wake();
});
setInterval(showCountdown, 1000);
client.start();

// renewToken gets this browser its client token, as a cookie. It makes the
// difference between a new client and a returning one.
async function renewToken() {
  const response = await fetch(new URL("session", document.baseURI), { method: "POST", signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`no client token: ${response.status} ${response.statusText}`);
}

// wake is called when the page or the network comes back: a connection may
// have died unnoticed, or the wait for the next attempt be long.
async function wake() {
  if (client.state.name === "waiting") client.start();
  if (client.state.name !== "live") return;
  const tooLate = setTimeout(() => client.reset("no answer after a pause"), ALIVE_TIMEOUT);
  await refreshClasses();
  clearTimeout(tooLate);
}

async function refreshClasses() {
  let classes;
  try {
    classes = readClasses(await client.call("wireroom.class.list"));
  } catch (error) {
    if (client.state.name === "live") events.note(`The list of classes was refused: ${error.message}`);
    return;
  }
  colour(classes.map(({ name }) => name));
  mark = showClasses(classes);
  offerClasses(classes);
  events.classes(classes.map(({ name }) => name));
  known.clear();
  for (const c of classes) known.set(c.name, c);
  for (const [name, sub] of subscriptions) {
    if (!known.has(name)) {
      client.unsubscribe(sub);
      subscriptions.delete(name);
    } else if (sub.error) mark(name, sub.error.message);
  }
  box.classes(classes);
  for (const { name } of classes) {
    if (subscriptions.has(name)) continue;
    const where = box.where(name);
    listen(name, where).catch((error) => {
      if (!where) return; // it is marked
      box.refuse(name, error);
      subscriptions.delete(name);
      return listen(name, "").catch(() => {});
    });
  }
}

// listen subscribes to a class: to what satisfies a query, or to all of it. What
// was subscribed before goes on until that is confirmed. It resolves then, and
// fails with a WampError.
function listen(name, where) {
  const options = known.get(name)?.retained ? { _last: REPLAYED_AT_FIRST } : {};
  if (where) options._where = where;
  const before = subscriptions.get(name);
  return new Promise((resolve, reject) => {
    let settled = false;
    const sub = client.subscribe(name, options, (event) => {
      if (subscriptions.get(name) === sub) receive(name, event);
    }, () => {
      const current = subscriptions.get(name);
      if (current !== sub && (!before || current !== before) || sub.error && !settled && (before || where)) {
        client.unsubscribe(sub); // the class has gone meanwhile, or it is refused
      } else {
        if (current !== sub) {
          subscriptions.set(name, sub);
          client.unsubscribe(before);
          events.forget(name);
        }
        mark(name, sub.error?.message);
      }
      settled = true;
      if (sub.error) reject(sub.error);
      else resolve();
    });
    if (!before) subscriptions.set(name, sub);
  });
}

function receive(name, event) {
  if (event.details._recovered === false) events.note(`Events of ${name} are missing here: the log no longer holds them.`);
  const { _missed } = event.details;
  if (_missed) events.note(`${_missed.toLocaleString()} ${_missed === 1 ? "event" : "events"} of ${name} did not arrive: they came faster than this page reads.`);
  events.add(name, event);
}

function showState(state) {
  byId("connection").dataset.state = state.name;
  byId("connection-state").textContent = { stopped: "Stopped", connecting: "Connecting", live: "Live", waiting: "Waiting", refused: "Refused" }[state.name];
  byId("connection-retry").hidden = state.name !== "waiting" && state.name !== "refused";
  const refusal = byId("refusal");
  refusal.hidden = state.name !== "refused";
  if (state.name === "refused") refusal.textContent = `The gateway refused this page: ${state.reason}`;
  showCountdown();

  if (state.name === "live") {
    if (lost) events.note("The connection is back.");
    wasLive = true;
    lost = false;
    refreshClasses();
  } else if (wasLive && !lost && state.name !== "connecting") {
    events.note(`The connection was lost: ${state.reason}.`);
    lost = true;
  }
}

function showCountdown() {
  const { name, retryAt, details, session, reason } = client?.state ?? {};
  const detail = byId("connection-detail");
  if (name === "live") {
    detail.textContent = `as ${details.authrole ?? "anonymous"}`;
    detail.title = `Session ${session}, ${details.authid ?? ""} by ${details.authmethod ?? "nothing"}`;
  } else if (name === "waiting" || name === "refused") {
    detail.textContent = `${Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))} s`;
    detail.title = reason;
  } else {
    detail.textContent = "";
    detail.title = "";
  }
}
