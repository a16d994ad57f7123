// Has visitors who are not those that they were, on the same browser, look for
// what somebody has left there: strangers.mjs ADDRESS FOLDER ADA BOB, with JWTs.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { begin } from "./driver.mjs";
import { log } from "./orders.mjs";
import { join, visit } from "./visit.mjs";

const { address, ask, say, open, finish } = await begin();
const [ada, bob] = process.argv.slice(4);
const orders = log(ask);
const persistent = { all: { _persistent: true } };

/** Opens the page, subscribes, and gets orders: from this one on. */
async function begins(context, { from = orders.next, replayed = 0, jwt } = {}) {
  const { page, client } = await visit(context, address, jwt);
  await join(page);
  const owned = await page.evaluate(() => window.visitor.owns());
  assert.deepEqual(owned.map(([name]) => name), replayed ? ["order.created"] : []);
  await page.evaluate((options) => window.visitor.subscribe("all", options), persistent.all);
  await orders.live(page, "all");
  await orders.post(5, 5);
  await orders.check(page, "all", { from, replayed, live: 5 });
  await orders.acknowledged(page, "order.created");
  return { page, client };
}

/** Leaves without a word, and misses ten orders. */
async function leaves(page) {
  await page.close();
  await orders.post(10, 10);
}

const steps = {
  async "whoever has no cookie has no persistent subscriptions"(context) {
    const page = await context.newPage();
    await page.goto(address);
    await page.waitForFunction(() => window.visitor);
    await assert.rejects(join(page, persistent), /wireroom\.error\.no_client/);
    await assert.rejects(page.evaluate(() => window.visitor.owns()), /wireroom\.error\.no_client/);
  },

  async "when the browser's cookie has expired, a new client begins"(context) {
    const { page, client } = await begins(context);
    await leaves(page);
    const [cookie] = await context.cookies(address);
    await context.addCookies([{ ...cookie, expires: Date.now() / 1000 + 1 }]);
    while ((await context.cookies(address)).length > 0) await setTimeout(50);
    const again = await begins(context);
    assert.notEqual(again.client, client);
  },

  async "when the gateway has ended the token, too"(context) {
    const { page, client } = await begins(context);
    await leaves(page);
    const [{ name, value }] = await context.cookies(address);
    await ask("revoke", { cookie: `${name}=${value}` });
    assert.equal((await context.cookies(address))[0].value, value, "the browser knows nothing of it");
    const again = await begins(context);
    assert.notEqual(again.client, client);
  },

  async "who logs in keeps the subscription, and another user on the browser does not see it"(context) {
    const { page, client } = await begins(context);
    await leaves(page);
    const user = await begins(context, { from: orders.next - 10, replayed: 10, jwt: ada });
    assert.equal(user.client, client);
    const [joined] = await user.page.evaluate(() => window.visitor.joined);
    assert.deepEqual(joined, { authid: "ada", authrole: "member", client });

    const other = await begins(context, { jwt: bob });
    assert.notEqual(other.client, client);
    await user.page.waitForFunction(() => window.visitor.ended.length > 0);
    assert.deepEqual(await user.page.evaluate(() => window.visitor.ended), ["wireroom.error.session_revoked"]);
  },
};

const page = await open();
await finish(page, async () => {
  for (const [name, run] of Object.entries(steps)) {
    const visitor = await open();
    await run(visitor.context());
    await visitor.context().close();
    say("passed", { name });
  }
  say("done");
});
