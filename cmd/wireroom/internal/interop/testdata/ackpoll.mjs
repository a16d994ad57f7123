// Has a persistent subscription by HTTP requests with autobahn: ackpoll.mjs URL
// REALM AUTHID JWT, with the folder that has node_modules in NODE_CLIENTS.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { createInterface } from "node:readline/promises";
import { pathToFileURL } from "node:url";
import { FetchRequest, inOrder, longpoll, numbered } from "./longpoll.mjs";

const PATIENCE = 30_000; // milliseconds for what must come

const [url, realm, authid, jwt] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${process.env.NODE_CLIENTS}/`));
const autobahn = require("autobahn");
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function post(from, to) {
  console.log(JSON.stringify({ step: "post", from, to, batch: to - from + 1 }));
  await answers.next();
}

/** Joins by requests of the class, and returns the session and how to leave. */
async function join(request) {
  globalThis.XMLHttpRequest = request;
  const connection = new autobahn.Connection({
    ...longpoll(url), realm, authid, authmethods: ["ticket"], onchallenge: () => jwt, max_retries: 0,
  });
  const session = await new Promise((resolve, reject) => {
    connection.onopen = resolve;
    connection.onclose = (reason, details) => reject(new Error(`${reason}: ${JSON.stringify(details)}`));
    connection.open();
  });
  const gone = new Promise((resolve) => { connection.onclose = resolve; });
  return { session, leave: () => (connection.close(), gone) };
}

/** Subscribes, and returns what takes the numbers of so many events. */
async function listen(session) {
  const events = [];
  let wake = () => {};
  await session.subscribe("order.created", (args, kwargs) => {
    events.push(kwargs.n);
    wake();
  }, { _persistent: true });
  return async (count) => {
    const late = setTimeout(() => { throw new Error(`${events.length} events came, and not ${count}`); }, PATIENCE);
    while (events.length < count) await new Promise((resolve) => { wake = resolve; });
    clearTimeout(late);
    return events.splice(0, count);
  };
}

/** Waits until the position is there. */
async function reaches(session, offset) {
  for (const end = Date.now() + PATIENCE; ;) {
    const { kwargs } = await session.call("wireroom.subscription.get", [], { name: "order.created" });
    if (kwargs._offset === offset) return;
    if (Date.now() > end) throw new Error(`the position is ${kwargs._offset}, and not ${offset}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const plain = await join(inOrder(FetchRequest));
await assert.rejects(listen(plain.session), ({ error }) => error === "wamp.error.option_not_allowed");
await plain.leave();

const first = await join(numbered(inOrder(FetchRequest)));
const take = await listen(first.session);
await post(1, 3);
assert.deepEqual(await take(3), [1, 2, 3]);
await reaches(first.session, 3);
await first.leave();
await post(4, 5);

const second = await join(numbered(inOrder(FetchRequest)));
const more = await listen(second.session);
assert.deepEqual(await more(2), [4, 5], "what was acknowledged does not come again");
await reaches(second.session, 5);
await second.leave();
console.log(JSON.stringify({ step: "done" }));
process.exit(0);
