// Has a page lose the gateway that it is connected to, with another one over
// the same store behind the same address: failover.mjs ADDRESS FOLDER.

import assert from "node:assert/strict";
import { begin } from "./driver.mjs";
import { log } from "./orders.mjs";
import { join, visit } from "./visit.mjs";

const RETRIES = 1000; // as long as the test is patient

const { address, ask, say, open, finish } = await begin();
const orders = log(ask);
const first = await open();
await finish(first, async () => {
  const { page, client } = await visit(first.context(), address);
  await join(page, { all: { _persistent: true } }, RETRIES);
  await orders.live(page, "all");

  // Some are on their way when the gateway is killed, others come until the page
  // is back.
  await orders.post(200, 5);
  await ask("kill");
  await orders.post(400, 5);
  await page.waitForFunction(() => window.visitor.joined.length > 1);
  await orders.live(page, "all");
  await orders.acknowledged(page, "order.created");

  const tape = await page.evaluate(() => window.visitor.tapes.all);
  const seen = new Set();
  for (const [n, offset, mark] of tape) {
    assert.equal(n, offset);
    if (seen.has(n)) assert.equal(mark, "replayed", `order ${n} came twice`);
    else assert.equal(n, seen.size + 1, "the orders are in order, and none is missing");
    seen.add(n);
  }
  assert.equal(seen.size, orders.next - 1);
  assert.ok(await page.evaluate((client) => window.visitor.joined.every((j) => j.client === client), client));
  say("done", { repeated: tape.length - seen.size });
});
