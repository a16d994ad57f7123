// The orders that the test posts for pages of visitor.html, and what must come of
// them. Order n is the nth of the log, so n is its offset, too.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { PATIENCE } from "./driver.mjs";

/** Every third order is in lane b. */
export const laneB = (n) => n % 3 === 0;

/** Returns the log, of which nothing is posted yet. */
export function log(ask) {
  let posted = 0;
  return {
    /** The order that is posted next. */
    get next() { return posted + 1; },

    /** Posts so many orders more, some in each request. */
    async post(count, batch) {
      const from = posted + 1;
      posted += count;
      await ask("post", { from, to: posted, batch });
    },

    /** Waits until the page has the last order that the subscription wants. */
    async arrived(page, name, only = () => true) {
      let last = posted;
      while (!only(last)) last--;
      await page.waitForFunction(([name, last]) => window.visitor.tapes[name].at(-1)?.[0] === last, [name, last], { polling: 20 });
    },

    /** Posts some orders, and more until the page gets them live: until its replay is over. */
    async live(page, name, only) {
      for (const end = Date.now() + PATIENCE; ;) {
        await this.post(3, 1);
        await this.arrived(page, name, only);
        if (await page.evaluate((name) => window.visitor.tapes[name].at(-1)[2], name) === "live") return;
        assert.ok(Date.now() < end, `${name} is not live`);
      }
    },

    /** Waits until everything is acknowledged of persistent subscriptions of these names, and there are no others. */
    async acknowledged(page, ...names) {
      const want = names.map((name) => [name, posted]).sort();
      for (const end = Date.now() + PATIENCE; ;) {
        const owned = await page.evaluate(() => window.visitor.owns());
        if (isDeepStrictEqual(owned, want)) return;
        if (Date.now() > end) assert.deepEqual(owned, want);
        await setTimeout(50);
      }
    },

    /**
     * Checks that a subscription has got each order once, in order: first those of
     * the log, at least so many from one on, marked, and then live ones, at least
     * so many.
     */
    async check(page, name, { from, replayed, live, only = () => true }) {
      await this.arrived(page, name, only);
      const tape = await page.evaluate((name) => window.visitor.tapes[name], name);
      const want = [];
      for (let n = from; n <= posted; n++) if (only(n)) want.push(n);
      assert.deepEqual(tape.map(([n]) => n), want, `what came of ${name}`);
      assert.deepEqual(tape.map(([, offset]) => offset), want, `offsets of ${name}`);
      const marks = tape.map(([, , mark]) => mark);
      assert.deepEqual(marks, [...marks].sort().reverse(), `${name}: first what is replayed`);
      for (const [n, , mark] of tape) {
        if (n < from + replayed) assert.equal(mark, "replayed", `order ${n} of ${name}`);
        if (n > posted - live) assert.equal(mark, "live", `order ${n} of ${name}`);
      }
    },
  };
}
