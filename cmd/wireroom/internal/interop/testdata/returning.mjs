// Has a visitor with persistent subscriptions leave and come back, in one
// profile of Chromium: returning.mjs ADDRESS FOLDER PROFILE.

import assert from "node:assert/strict";
import { begin } from "./driver.mjs";
import { laneB, log } from "./orders.mjs";
import { join, visit } from "./visit.mjs";

const { address, ask, say, openProfile, finish } = await begin();
const orders = log(ask);
const subscriptions = { all: { _persistent: true }, some: { _persistent: true, _where: "lane == 'b'" } };
const names = ["order.created", 'order.created where lane == "b"'];

/** Checks what both subscriptions got, from an order on, with more that come live, and that it is acknowledged. */
async function check(page, from, replayed) {
  await orders.live(page, "all");
  await orders.live(page, "some", laneB);
  await orders.post(10, 1);
  const what = { from, replayed, live: 10 };
  await orders.check(page, "all", what);
  await orders.check(page, "some", { ...what, only: laneB });
  await orders.acknowledged(page, ...names);
}

/** Comes back after 1,000 orders, while others come in. */
async function comeBack(context, owner) {
  const from = orders.next;
  await orders.post(1000, 100);
  const { page, client } = await visit(context, address);
  assert.equal(client, owner);
  await Promise.all([join(page, subscriptions), orders.post(200, 10)]);
  await check(page, from, 1000);
  await page.close();
}

let profile = await openProfile(process.argv[4]);
await finish(profile.pages()[0], async () => {
  await orders.post(5, 5); // of no concern to who comes later
  const { page, client } = await visit(profile, address);
  await join(page, subscriptions);
  await check(page, 6, 0);
  await page.close();
  await comeBack(profile, client);

  await profile.close(); // the whole browser
  profile = await openProfile(process.argv[4]);
  await comeBack(profile, client);
  await profile.close();
  say("done");
});
