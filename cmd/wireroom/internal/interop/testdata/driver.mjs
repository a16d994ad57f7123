// What the scripts that use a page as a person would have in common. Their arguments
// are ADDRESS FOLDER: where the page is, and where screenshots go.

import assert from "node:assert/strict";
import { createInterface } from "node:readline/promises";
import { launch, launchProfile } from "./chromium.mjs";

export const PATIENCE = 30_000; // milliseconds for what must come

/** Starts a browser, and returns what a script works with. */
export async function begin() {
  const [address, folder] = process.argv.slice(2);
  const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  let browser; // of all visitors but those with a profile
  const complaints = []; // what the browser found wrong: an exception, a breach of the policy

  /** Says a step to the test. */
  const say = (step, rest = {}) => console.log(JSON.stringify({ step, ...rest }));

  /** Asks the test to do something, and waits until it is done. */
  async function ask(what, rest) {
    say(what, rest);
    await answers.next();
  }

  /** Opens an empty page of a new visitor. */
  async function open(options = {}) {
    browser ??= await launch();
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options });
    watch(context);
    return context.newPage();
  }

  /** Starts a browser of its own with the profile in a folder. */
  async function openProfile(folder) {
    const context = await launchProfile(folder);
    watch(context);
    return context;
  }

  function watch(context) {
    context.setDefaultTimeout(PATIENCE);
    context.on("page", watchPage);
    context.pages().forEach(watchPage);
  }

  function watchPage(page) {
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => {
      // A connection that is refused is what some steps are about; autobahn-js
      // answers GOODBYE on one that it has closed.
      const expected = /WebSocket connection|WebSocket is already|Failed to load resource/.test(message.text());
      if (message.type() === "error" && !expected) complaints.push(message.text());
    });
  }

  /** Runs the script's steps, and ends the program. */
  async function finish(page, steps) {
    try {
      await steps();
      assert.deepEqual(complaints, [], "the browser complained");
    } catch (error) {
      if (!page.isClosed()) await page.screenshot({ path: `${folder}/failed.png`, fullPage: true });
      console.error(error, complaints);
      process.exitCode = 1;
    }
    await browser?.close();
    process.exit();
  }

  return { address, folder, say, ask, open, openProfile, finish };
}
