// Listens with EventSource, on the page at ADDRESS, while the network breaks:
// eventsource.mjs ADDRESS FOLDER.

import assert from "node:assert/strict";
import { begin } from "./driver.mjs";

const { address, ask, say, open, finish } = await begin();
const page = await open();
await finish(page, async () => {
  await page.goto(address);
  await page.evaluate(() => new Promise((opened) => {
    window.seen = [];
    const source = new EventSource("/events?topic=demo.message&topic=chat.lobby");
    source.addEventListener("demo.message", (e) => window.seen.push(JSON.parse(e.data).data.text));
    source.onopen = opened;
  }));
  const wait = (n) => page.waitForFunction((n) => window.seen.length >= n, n);
  await ask("post", { text: "one" });
  await wait(1);
  await ask("break", { text: "two" });
  await wait(2);
  await ask("post", { text: "three" });
  await wait(3);
  assert.deepEqual(await page.evaluate(() => window.seen), ["one", "two", "three"]);
  say("done");
});
