// Has two tabs of a user go on while the secret in their cookie changes, until
// one of them logs out: tabs.mjs ADDRESS FOLDER JWT.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { begin } from "./driver.mjs";
import { log } from "./orders.mjs";
import { join, visit } from "./visit.mjs";

const ROTATIONS = 2;

const { address, ask, say, open, finish } = await begin();
const [jwt] = process.argv.slice(4);
const orders = log(ask);
const first = await open();
await finish(first, async () => {
  const context = first.context();
  const secret = async () => (await context.cookies(address))[0]?.value;
  const mine = { all: { _persistent: true } };

  const tabs = [await visit(context, address, jwt), await visit(context, address)];
  assert.equal(tabs[1].client, tabs[0].client);
  const pages = tabs.map(({ page }) => page);
  const both = (todo) => Promise.all(pages.map(todo));
  await both((page) => join(page, mine));
  for (const page of pages) await orders.live(page, "all");

  for (let n = 1; n <= ROTATIONS; n++) {
    const before = await secret();
    while (await secret() === before) {
      await both((page) => page.evaluate(() => window.visitor.token()));
      await setTimeout(50);
    }
    await orders.post(1, 1);
    await both((page) => orders.check(page, "all", { from: 1, replayed: 0, live: n }));
    const { devices } = await pages[n % 2].evaluate(() => window.visitor.call("wireroom.session.devices"));
    assert.deepEqual(devices.map(({ client, sessions }) => ({ client, sessions })), [{ client: tabs[0].client, sessions: 2 }]);
  }
  const { rotated, stolen } = await pages[0].evaluate(() => window.visitor.call("wireroom.session.stats"));
  assert.ok(rotated >= ROTATIONS, `${rotated} secrets were replaced`);
  assert.equal(stolen, 0);

  assert.deepEqual(await both((page) => page.evaluate(() => window.visitor.ended)), [[], []], "nobody fell out");

  await pages[0].evaluate(() => window.visitor.token("DELETE"));
  await both((page) => page.waitForFunction(() => window.visitor.ended.length > 0));
  const revoked = ["wireroom.error.session_revoked"];
  assert.deepEqual(await both((page) => page.evaluate(() => window.visitor.ended)), [revoked, revoked]);
  assert.equal(await secret(), undefined);
  say("done");
});
