// Does what the README's first lines say: opens the page, pastes what it shows
// into a Python prompt, and sees the event.

import { begin } from "./driver.mjs";

const { address, folder, say, ask, open, finish } = await begin();
const page = await open();
await finish(page, async () => {
  await page.goto(address);
  await page.locator('#connection[data-state="live"]').waitFor();
  await ask("python", { code: await page.locator("#snippet").innerText() });
  const event = page.locator(".tape .event", { hasText: "hello" });
  await event.waitFor();
  await page.screenshot({ path: `${folder}/demonstration.png`, fullPage: true });
  say("seen", { text: await event.locator(".data").innerText() });
});
