// Acknowledges orders one by one with wampy: ack.mjs URL REALM AUTHID JWT, with
// the folder that has node_modules in NODE_CLIENTS.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { createInterface } from "node:readline/promises";
import { pathToFileURL } from "node:url";

const PATIENCE = 30_000; // milliseconds for what must come

const [url, realm, authid, jwt] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${process.env.NODE_CLIENTS}/`));
const { Wampy } = require("wampy");
const { WebSocket } = require("ws");
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function post(from, to) {
  console.log(JSON.stringify({ step: "post", from, to, batch: to - from + 1 }));
  await answers.next();
}

/** Joins, subscribes, and returns what a worker does. */
async function worker() {
  let socket;
  const events = [];
  let wake = () => {};
  const wampy = new Wampy(url, {
    realm, authid, authmethods: ["ticket"], onChallenge: () => jwt, autoReconnect: false,
    ws: class extends WebSocket {
      constructor(...args) {
        super(...args);
        socket = this;
      }
    },
  });
  await wampy.connect();
  await wampy.subscribe("order.created", ({ argsDict, details }) => {
    events.push([argsDict.n, details._replayed === true]);
    wake();
  }, { _persistent: true, _ack: "explicit", _name: "worker" });
  return {
    /** Returns so many events, each with whether it is marked as replayed. */
    async take(count) {
      const late = setTimeout(() => { throw new Error(`${events.length} events came, and not ${count}`); }, PATIENCE);
      while (events.length < count) await new Promise((resolve) => { wake = resolve; });
      clearTimeout(late);
      return events.splice(0, count);
    },
    async ack(what) {
      const { argsDict } = await wampy.call("wireroom.ack", { argsDict: { name: "worker", ...what } });
      return argsDict._offset;
    },
    async position() {
      const { argsDict } = await wampy.call("wireroom.subscription.get", { argsDict: { name: "worker" } });
      return { offset: argsDict._offset, acked: argsDict.acked ?? [], ack: argsDict.ack };
    },
    crash() {
      socket.terminate();
    },
  };
}

const numbers = (events) => events.map(([n]) => n);

const first = await worker();
await post(1, 10);
assert.deepEqual(numbers(await first.take(10)), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
assert.equal(await first.ack({ _offset: 4 }), 4);
assert.equal(await first.ack({ offsets: [7, 9, 8] }), 4);
assert.deepEqual(await first.position(), { offset: 4, acked: [[7, 9]], ack: "explicit" });
await assert.rejects(first.ack({ _offset: 11 }), ({ errorUri }) => errorUri === "wamp.error.invalid_argument");
first.crash();

const second = await worker();
assert.deepEqual(await second.take(3), [[5, true], [6, true], [10, true]]);
await post(11, 12);
assert.deepEqual(numbers(await second.take(2)), [11, 12]);
assert.equal(await second.ack({ offsets: [5, 6] }), 9);
assert.equal(await second.ack({ _offset: 12 }), 12);
second.crash();

const third = await worker();
await post(13, 13);
assert.deepEqual(numbers(await third.take(1)), [13], "nothing comes again");
console.log(JSON.stringify({ step: "done" }));
process.exit(0);
