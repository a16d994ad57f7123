// Tests of site/wamp.js against a scripted router, in faked time.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";

// The file is a module without a package.json that says so.
const source = readFileSync(new URL("../site/wamp.js", import.meta.url), "utf8");
const { Client } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

class FakeSocket {
  static all = [];
  static get last() { return FakeSocket.all.at(-1); }
  readyState = 0;
  sent = [];
  closed = false;
  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    FakeSocket.all.push(this);
  }
  send(text) { this.sent.push(JSON.parse(text)); }
  close() { this.closed = true; this.readyState = 3; }
  open() { this.readyState = 1; this.onopen(); }
  say(...messages) { for (const m of messages) this.onmessage({ data: JSON.stringify(m) }); }
  lose(code = 1006, reason = "") { this.readyState = 3; this.onclose({ code, reason }); }
  /** Returns and forgets what was sent. */
  take() { return this.sent.splice(0); }
}

const settle = async () => { for (let i = 0; i < 10; i++) await Promise.resolve(); };

let states, client;

async function begin(options = {}) {
  states = [];
  client = new Client({ url: "ws://gateway/ws", realm: "realm1", onstate: (s) => states.push(s), Socket: FakeSocket, random: () => 1, ...options });
  client.start();
  await settle();
  return client;
}

// join lets the newest connection become a session.
async function join(session = 1) {
  FakeSocket.last.open();
  FakeSocket.last.say([2, session, { roles: {}, authrole: "anonymous" }]);
  await settle();
  return FakeSocket.last;
}

// Time stands still but for pass. What node:test has for that fakes no clock in
// Node 18.
let now = 0;
const timers = new Map();
Date.now = () => now;
globalThis.setTimeout = (f, milliseconds = 0) => {
  const id = Symbol("timer");
  timers.set(id, { f, at: now + Math.max(0, milliseconds) });
  return id;
};
globalThis.clearTimeout = (id) => void timers.delete(id);

async function pass(milliseconds) {
  const end = now + milliseconds;
  for (;;) {
    const due = [...timers].filter(([, t]) => t.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
    if (!due) break;
    const [id, { f, at }] = due;
    timers.delete(id);
    now = at;
    f();
  }
  now = end;
  await settle();
}

beforeEach(() => {
  timers.clear();
  now = 1_000_000;
  FakeSocket.all = [];
});

test("joins, and says so", async () => {
  await begin();
  const socket = await join(77);
  assert.deepEqual(socket.protocols, ["wamp.2.json"]);
  const [[type, realm, details]] = socket.take();
  assert.equal(type, 1);
  assert.equal(realm, "realm1");
  assert.deepEqual(Object.keys(details.roles).sort(), ["caller", "publisher", "subscriber"]);
  assert.deepEqual(states.map((s) => s.name), ["connecting", "live"]);
  assert.equal(states.at(-1).session, 77);
});

test("an event right behind SUBSCRIBED reaches its handler", async () => {
  await begin();
  const socket = await join();
  socket.take();
  const got = [];
  client.subscribe("order.created", { _last: 20 }, (e) => got.push(e));
  assert.deepEqual(socket.take(), [[32, 1, { _last: 20 }, "order.created"]]);
  socket.say([33, 1, 900], [36, 900, 5, { _offset: 1, _epoch: "e" }, null, { total: 3 }], [36, 900, 6, { topic: "order.created.ada" }]);
  await settle();
  assert.deepEqual(got.map(({ topic, args, kwargs }) => ({ topic, args, kwargs })), [
    { topic: "order.created", args: [], kwargs: { total: 3 } },
    { topic: "order.created.ada", args: [], kwargs: {} },
  ]);
});

test("after a loss it waits, comes back, and asks for what it missed", async () => {
  await begin();
  let socket = await join();
  const got = [];
  client.subscribe("a", { _last: 20 }, (e) => got.push(e.details._offset));
  client.subscribe("b", { match: "prefix" }, () => {});
  socket.say([33, 1, 900], [33, 2, 901], [36, 900, 5, { _offset: 7, _epoch: "e" }]);
  await settle();
  socket.lose();
  assert.equal(states.at(-1).name, "waiting");
  assert.equal(states.at(-1).retryAt, 1_000_500);
  await pass(499);
  assert.equal(FakeSocket.all.length, 1);
  await pass(1);
  assert.equal(FakeSocket.all.length, 2);
  socket = await join(2);
  assert.deepEqual(socket.take().slice(1), [
    [32, 1, { _since: "e:7" }, "a"],
    [32, 2, { match: "prefix" }, "b"],
  ]);
  // The router sends 7 once more, then what was missed.
  socket.say([33, 1, 500], [36, 500, 5, { _offset: 7, _epoch: "e" }], [36, 500, 6, { _offset: 8, _epoch: "e", _replayed: true }]);
  await settle();
  assert.deepEqual(got, [7, 8]);
  // A new epoch counts from the start again.
  socket.say([36, 500, 7, { _offset: 1, _epoch: "f" }]);
  assert.deepEqual(got, [7, 8, 1]);
});

test("each failure doubles the wait, up to thirty seconds; a steady session begins anew", async () => {
  await begin();
  const waits = [];
  for (let i = 0; i < 9; i++) {
    FakeSocket.last.lose();
    const wait = states.at(-1).retryAt - Date.now();
    waits.push(wait);
    await pass(wait);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  await join();
  await pass(5000);
  FakeSocket.last.lose();
  assert.equal(states.at(-1).retryAt - Date.now(), 500);
});

test("a session that dies young is a failure as well", async () => {
  await begin();
  for (const want of [500, 1000, 2000]) {
    await join();
    FakeSocket.last.lose();
    assert.equal(states.at(-1).retryAt - Date.now(), want);
    await pass(want);
  }
});

test("half of the wait is by chance", async () => {
  await begin({ random: () => 0 });
  FakeSocket.last.lose();
  assert.equal(states.at(-1).retryAt - Date.now(), 250);
});

test("ABORT shows the reason and is not hurried", async () => {
  await begin();
  const socket = FakeSocket.last;
  socket.open();
  socket.say([3, { message: "realm \"x\" does not exist" }, "wamp.error.no_such_realm"]);
  assert.equal(states.at(-1).name, "refused");
  assert.equal(states.at(-1).reason, 'realm "x" does not exist (wamp.error.no_such_realm)');
  assert.equal(states.at(-1).retryAt - Date.now(), 5000);
  assert.ok(socket.closed);
});

test("ABORT that says when to come back is no refusal", async () => {
  await begin();
  const socket = FakeSocket.last;
  socket.open();
  socket.say([3, { message: "too many", _retry_after: 3.25 }, "wireroom.error.unavailable"]);
  assert.equal(states.at(-1).name, "waiting");
  assert.equal(states.at(-1).reason, "too many (wireroom.error.unavailable)");
  assert.equal(states.at(-1).retryAt - Date.now(), 3250);
});

test("GOODBYE is answered, and its _retry_after kept", async () => {
  await begin();
  const socket = await join();
  socket.take();
  socket.say([6, { _retry_after: 12 }, "wamp.close.system_shutdown"]);
  assert.deepEqual(socket.take(), [[6, {}, "wamp.close.goodbye_and_out"]]);
  assert.equal(states.at(-1).name, "waiting");
  assert.equal(states.at(-1).retryAt - Date.now(), 12_000);
  assert.equal(states.at(-1).reason, "wamp.close.system_shutdown");
});

test("an ERROR carries what the gateway found", async () => {
  await begin();
  const socket = await join();
  const posted = client.publish("order.created", [], { total: -1 });
  assert.deepEqual(socket.take().at(-1), [16, 1, { acknowledge: true }, "order.created", [], { total: -1 }]);
  socket.say([8, 16, 1, {}, "wireroom.error.invalid_event", ["total is too small"], { field: "total", expected: "at least 0", found: "-1" }]);
  await assert.rejects(posted, (e) => e.uri === "wireroom.error.invalid_event" && e.message === "total is too small" && e.kwargs.field === "total");
});

test("calls and publications are answered by their own request", async () => {
  await begin();
  const socket = await join();
  const [a, b, c] = [client.call("p"), client.publish("t"), client.call("q")];
  socket.say([50, 3, {}, [3]], [17, 2, 222], [50, 1, {}, null, { n: 1 }]);
  assert.deepEqual(await Promise.all([a, b, c]), [{ args: [], kwargs: { n: 1 } }, 222, { args: [3], kwargs: {} }]);
});

test("what waits for an answer fails when the connection does", async () => {
  await begin();
  const socket = await join();
  const called = client.call("slow");
  socket.lose(1001, "going away");
  await assert.rejects(called, /going away/);
  await assert.rejects(client.publish("t"), /no connection/);
});

test("a refused subscription says why, and is tried again in the next session", async () => {
  await begin();
  let socket = await join();
  const seen = [];
  client.subscribe("secret", {}, () => {}, (sub) => seen.push(sub.error?.uri ?? "active"));
  socket.say([8, 32, 1, {}, "wamp.error.not_authorized"]);
  await settle();
  socket.lose();
  await pass(500);
  socket = await join(2);
  socket.say([33, 1, 4]);
  await settle();
  socket.say([35, 0, { subscription: 4, reason: "wireroom.error.class_removed" }]);
  assert.deepEqual(seen, ["wamp.error.not_authorized", "active", "wireroom.error.class_removed"]);
});

test("unsubscribing before the answer ends it after the answer", async () => {
  await begin();
  const socket = await join();
  const got = [];
  const sub = client.subscribe("a", {}, (e) => got.push(e));
  client.unsubscribe(sub);
  socket.say([33, 1, 900]);
  await settle();
  assert.deepEqual(socket.take().at(-1), [34, 2, 900]);
  socket.say([36, 900, 1, {}], [35, 2]);
  assert.deepEqual(got, []);
});

test("a topic is subscribed by two queries at a time, which may be the same to the router", async () => {
  await begin();
  let socket = await join();
  const got = [];
  const plain = client.subscribe("a", {}, () => got.push("plain"));
  const other = client.subscribe("a", { _where: "n > 1" }, () => got.push("other"));
  const same = client.subscribe("a", { _where: "n>1" }, () => got.push("same"));
  socket.say([33, 1, 7], [33, 2, 8], [33, 3, 8]);
  await settle();
  socket.take();
  client.unsubscribe(other); // or the third would end with it
  assert.deepEqual(socket.take(), []);
  client.unsubscribe(plain);
  assert.deepEqual(socket.take(), [[34, 4, 7]]);
  socket.say([36, 7, 1, {}], [36, 8, 2, {}]);
  assert.deepEqual(got, ["same"]);
  socket.lose();
  await pass(500);
  socket = await join(2);
  assert.deepEqual(socket.take().slice(1), [[32, 1, { _where: "n>1" }, "a"]]);
  client.unsubscribe(same);
});

test("a router that never answers is given up", async () => {
  await begin();
  const socket = FakeSocket.last;
  socket.open();
  await pass(10_000);
  assert.ok(socket.closed);
  assert.equal(states.at(-1).name, "waiting");
  assert.equal(states.at(-1).reason, "no answer in time");
});

test("a late word of a connection that was given up means nothing", async () => {
  await begin();
  const old = FakeSocket.last;
  old.lose();
  await pass(500);
  await join(2);
  old.say([2, 99, {}]);
  old.lose();
  assert.equal(states.at(-1).name, "live");
  assert.equal(states.at(-1).session, 2);
});

test("an attempt whose preparation fails opens no socket", async () => {
  await begin({ prepare: async () => { throw new Error("no client token"); } });
  assert.equal(FakeSocket.all.length, 0);
  assert.equal(states.at(-1).reason, "no client token");
});

test("stop says goodbye, and nothing comes after it", async () => {
  await begin();
  const socket = await join();
  socket.take();
  client.stop();
  assert.deepEqual(socket.take(), [[6, {}, "wamp.close.normal"]]);
  await pass(60_000);
  assert.equal(FakeSocket.all.length, 1);
  assert.equal(states.at(-1).name, "stopped");
});

test("start hurries a waiting client, and leaves a live one alone", async () => {
  await begin();
  FakeSocket.last.lose();
  client.start();
  await settle();
  await join(2);
  client.start();
  await pass(4000);
  assert.equal(FakeSocket.all.length, 2);
});
