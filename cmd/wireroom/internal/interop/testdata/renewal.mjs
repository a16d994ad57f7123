// Runs the recipes of docs/auth.md in pages of the gateway's own origin, whose
// clocks it moves on: renewal.mjs ADDRESS FOLDER AUTOBAHN COOKIE JWT TICKET…, with
// both recipes as text. The JWTs, which the second one brings in turn, are good for
// an hour and for two days.

import assert from "node:assert/strict";
import { begin, PATIENCE } from "./driver.mjs";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const { address, say, open, finish } = await begin();
const [autobahn, withCookie, withJWT, ...tickets] = process.argv.slice(4);

/** Waits until a condition holds; the clocks of pages have nothing to do with that. */
async function until(what, condition) {
  for (const end = Date.now() + PATIENCE; !await condition();) {
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Opens a page of the gateway's origin, any, that has autobahn-js. */
async function blank() {
  const page = await open();
  await page.clock.install();
  await page.goto(`${address}healthz`);
  await page.addScriptTag({ path: autobahn });
  return page;
}

/** Runs a recipe in the page; what is its "connection" and its "keep" is the page's then. */
const run = (page, recipe, before = "") =>
  page.evaluate(`(async () => { ${before}\n${recipe}\nwindow.connection = connection; })()`);

const opened = (page) => until("the page joins", () => page.evaluate(() => window.connection?.isOpen));

const first = await blank();
await finish(first, async () => {
  await byCookie(first);
  await byJWT(await blank());
  say("done");
});

async function byCookie(page) {
  const posts = [];
  page.on("response", (answer) => {
    if (answer.url() === `${address}session`) posts.push(`${answer.request().method()} ${answer.status()}`);
  });
  await run(page, withCookie, `
    const connection = new autobahn.Connection({ url: "ws://" + location.host + "/ws", realm: "realm1" });
    connection.onopen = (session, details) => { window.welcome = details; };`);
  await opened(page);
  const { authmethod, _expires } = await page.evaluate(() => window.welcome);
  assert.equal(authmethod, "cookie", "the first POST came before HELLO");
  assert.ok(_expires, "the session ends with its token");
  assert.deepEqual(posts, ["POST 200"]);
  await page.clock.fastForward(HOUR + MINUTE);
  await until("the cookie is renewed", () => posts.length === 2);
  await page.clock.fastForward(HOUR + MINUTE);
  await until("the cookie is renewed again", () => posts.length === 3);
  assert.deepEqual(new Set(posts), new Set(["POST 200"]));
  say("passed", { name: "cookie" });
}

async function byJWT(page) {
  // The application gives a JWT for the join; then it is away once, and gives
  // another one each time that it is asked.
  const asked = [];
  const answers = [tickets[0], null, tickets[1], tickets[1]];
  await page.exposeFunction("freshJWT", async () => {
    const ticket = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(ticket);
    if (!ticket) throw new Error("the application is away");
    return ticket;
  });
  const ends = []; // what the gateway answers
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => {
    const message = JSON.parse(payload);
    if (message[0] === 50) ends.push(message[4].expires);
    if (message[0] === 8) ends.push(message[4]); // an error
  }));
  await run(page, withJWT);
  await opened(page);
  assert.equal(asked.length, 1);

  await page.clock.fastForward(46 * MINUTE);
  assert.equal(asked.length, 1, "it is early yet");
  await page.clock.fastForward(3 * MINUTE); // past four fifths of the hour
  await until("the page asks for a JWT", () => asked.length === 2);
  await page.clock.fastForward(6_000);
  await page.clock.fastForward(10 * MINUTE); // past four fifths of what was left
  await until("the page asks again", () => asked.length === 3);
  await until("the gateway has answered", () => ends.length === 1);
  const left = Date.parse(ends[0]) - Date.now();
  assert.ok(left > 47 * HOUR, `the session ends with the new JWT, in ${left} ms`);

  await page.clock.fastForward(23 * HOUR);
  assert.equal(asked.length, 3, "it is early yet");
  await page.clock.fastForward(2 * HOUR); // at the latest after a day
  await until("the gateway has answered", () => ends.length === 2);
  assert.equal(ends[1], ends[0], "the same JWT came");

  await page.evaluate(() => window.connection.close());
  await until("the page leaves", () => page.evaluate(() => !window.connection.isOpen));
  await page.clock.fastForward(48 * HOUR);
  assert.equal(asked.length, 4, "nobody is there who would stay");
  say("passed", { name: "JWT" });
}
