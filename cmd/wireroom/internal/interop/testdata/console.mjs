// Uses the console page as a person would: console.mjs ADDRESS FOLDER. What it
// needs done elsewhere it asks for, and waits for a line on standard input.
// Screenshots go to the folder.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { begin } from "./driver.mjs";

const { address, folder, ask, say, open, finish } = await begin();

const state = (page, name) => page.locator(`#connection[data-state="${name}"]`).waitFor();
const event = (page, text) => page.locator(".tape .event", { hasText: text });
const arrived = (page, text) => event(page, text).first().waitFor();

const page = await open();
const tape = page.getByRole("list", { name: "Events, newest first" });

const steps = {
  async "the page comes up and is live"() {
    await page.goto(address);
    await state(page, "live");
  },

  async "the classes are listed with their fields"() {
    const card = page.locator("details.class", { hasText: "order.created" });
    await card.locator("summary").click();
    await card.getByText("A customer placed an order.").waitFor();
    assert.match(await card.locator("tr", { hasText: "total" }).innerText(), /a number of at least 0/);
    assert.match(await card.locator("tr", { hasText: "customer" }).innerText(), /required/);
    await card.getByText("retained").waitFor();
  },

  async "the Python lines post an event that appears at once"() {
    await ask("python", { code: await page.locator("#snippet").innerText() });
    await arrived(page, "hello");
  },

  async "so do the curl line, and the JavaScript receives it"() {
    await page.getByRole("tab", { name: "JavaScript" }).click();
    const javascript = await page.locator("#snippet").innerText();
    await page.getByRole("tab", { name: "JavaScript" }).press("ArrowLeft");
    assert.equal(await page.getByRole("tab", { name: "curl" }).getAttribute("aria-selected"), "true");
    await ask("receive", { code: javascript, post: await page.locator("#snippet").innerText() });
    await event(page, "hello").nth(1).waitFor();
    await page.getByRole("tab", { name: "Python" }).click();
  },

  async "the lines for a page that is opened again receive what it has missed"() {
    await page.getByRole("tab", { name: "Come back" }).click();
    const javascript = await page.locator("#snippet").innerText();
    const other = await open();
    const paste = async (tab) => {
      await tab.goto(address);
      await tab.evaluate(await readFile(`${process.env.NODE_CLIENTS}/node_modules/autobahn-browser/autobahn.min.js`, "utf8"));
      await tab.evaluate(() => {
        const { subscribe } = autobahn.Session.prototype;
        autobahn.Session.prototype.subscribe = function (...args) {
          const answer = subscribe.apply(this, args);
          answer.then(() => { window.subscribed = true; });
          return answer;
        };
        window.logged = [];
        console.log = (data) => window.logged.push(data.text);
      });
      await tab.evaluate(javascript);
      await tab.waitForFunction(() => window.subscribed);
    };
    await paste(other);
    const again = await other.context().newPage();
    await other.close();
    await ask("post", { class: "demo.message", data: { room: "lobby", text: "while away" } });
    await paste(again);
    await ask("post", { class: "demo.message", data: { room: "lobby", text: "back again" } });
    await again.waitForFunction(() => window.logged.length === 2);
    assert.deepEqual(await again.evaluate(() => window.logged), ["while away", "back again"]);
    await again.context().close();
    await page.getByRole("tab", { name: "Python" }).click();
  },

  async "markup in an event stays text"() {
    const text = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
    await ask("post", { class: "demo.message", data: { room: "<b>lobby</b>", text } });
    await arrived(page, text);
    assert.equal(await page.locator(".tape img, .tape script, .tape b").count(), 0);
    assert.equal(await page.title(), "Wireroom");
  },

  async "the form shows what the gateway finds wrong at its field, and posts what is right"() {
    await page.getByLabel("Class", { exact: true }).selectOption("order.created");
    const id = page.getByLabel("id required");
    await id.fill("many");
    await page.getByLabel("customer required").fill("grace");
    await page.getByRole("button", { name: "Post event" }).click();
    const problem = page.locator("#compose-field-id-problem");
    await problem.waitFor();
    assert.match(await problem.innerText(), /expected .*int.*found .*many/i);
    assert.equal(await id.getAttribute("aria-invalid"), "true");
    assert.ok(await id.evaluate((input) => input === document.activeElement), "the field has the focus");
    await page.screenshot({ path: `${folder}/console-problem.png` });

    await id.fill("4711");
    await page.getByLabel("items").fill("[1, 2");
    await page.getByRole("button", { name: "Post event" }).click();
    await page.locator("#compose-field-items-problem").getByText("expected JSON").waitFor();
    await page.getByLabel("items").fill('[{"sku": "A-7", "n": 2}]');
    await page.getByLabel("total").fill("129.5");
    await page.getByLabel("express").selectOption("true");
    await page.getByRole("button", { name: "Post event" }).click();
    await page.getByText(/^Posted as publication/).waitFor();
    await arrived(page, "grace");
    assert.match(await event(page, "grace").innerText(), /4711[\s\S]*129\.5[\s\S]*true/);
    assert.equal(await problem.isVisible(), false);
  },

  async "a pause holds events back and loses none"() {
    await page.getByRole("button", { name: "Pause" }).click();
    await ask("post", { class: "demo.message", data: { room: "lobby", text: "while paused" } });
    await page.getByRole("button", { name: "Resume, 1 waiting" }).waitFor();
    assert.equal(await event(page, "while paused").count(), 0);
    await page.getByRole("button", { name: "Resume, 1 waiting" }).click();
    await arrived(page, "while paused");
  },

  async "the filter hides a class"() {
    const filter = page.getByRole("group", { name: "Show events of these classes" });
    const box = filter.getByRole("checkbox", { name: /order\.created/ });
    await box.press("Space");
    await event(page, "grace").waitFor({ state: "hidden" });
    assert.ok(await event(page, "while paused").isVisible());
    await box.press("Space");
    await event(page, "grace").waitFor();
  },

  async "a query that is wrong is marked while it is typed"() {
    await page.getByLabel("Class of the query").selectOption("order.created");
    const query = page.getByRole("textbox", { name: "where" });
    await query.pressSequentially("customer = 'hopper' &&");
    await page.locator("#ask-says", { hasText: 'found a single "="; equality is ==' }).waitFor();
    assert.equal(await query.getAttribute("aria-invalid"), "true");
    assert.equal(await query.getAttribute("aria-describedby"), "ask-says");
    assert.equal(await page.locator("#ask-mirror mark").textContent(), "=");
    await page.locator("#ask-news", { hasText: "At =: expected a comparison" }).waitFor({ state: "attached" });
    await page.screenshot({ path: `${folder}/console-query-wrong.png` });
    await query.press("Enter"); // which changes nothing
    await event(page, "grace").waitFor();
    await query.fill("customer == '\u{1F600}' &&");
    await page.locator("#ask-says", { hasText: "At the end: expected" }).waitFor();
    await query.fill("customer == '\u{1F600}' && total == 'x'"); // one character, two for JavaScript
    await page.locator("#ask-mirror mark", { hasText: "==" }).waitFor();
  },

  async "a query that is right shows what matches it, and no more"() {
    const query = page.getByRole("textbox", { name: "where" });
    await query.fill("");
    await page.getByRole("group", { name: "Insert a field" }).getByRole("button", { name: "total" }).click();
    await query.pressSequentially(" >  100 && customer == 'hopper'");
    await page.locator("#ask-says code", { hasText: 'customer == "hopper" && total > 100' }).waitFor();
    assert.equal(await query.getAttribute("aria-invalid"), null);
    await query.press("Enter");
    await page.locator("#ask-says", { hasText: "Only events of order.created that satisfy this are shown." }).waitFor();
    await event(page, "grace").waitFor({ state: "detached" });
    assert.ok(await event(page, "while paused").isVisible(), "other classes stay");
    for (const total of [99, 101]) await ask("post", { class: "order.created", data: { id: total, customer: "hopper", total } });
    await arrived(page, "hopper");
    assert.equal(await event(page, "hopper").count(), 1);
    assert.match(await event(page, "hopper").innerText(), /101/);
    await page.screenshot({ path: `${folder}/console-query.png` });

    const other = await open(); // the address has the query
    await other.goto(page.url());
    await arrived(other, "hopper");
    assert.equal(await other.getByRole("textbox", { name: "where" }).inputValue(), "total >  100 && customer == 'hopper'");
    assert.equal(await event(other, "order.created").count(), 1);
    await other.context().close();

    await page.getByRole("button", { name: "Show all" }).click();
    await event(page, "grace").waitFor();
    await event(page, "hopper").nth(1).waitFor();
    assert.doesNotMatch(page.url(), /#/);
  },

  async "a link with a query that is wrong says so, and shows everything"() {
    const other = await open();
    await other.goto(`${address}#class=order.created&where=total+%3E+'x'`);
    await other.locator('#ask-says[data-kind="bad"]').waitFor();
    await arrived(other, "grace");
    await other.context().close();
  },

  async "a crash of the gateway is survived, and what was missed is shown"() {
    const before = await tape.locator(".event").count();
    await ask("crash");
    await state(page, "waiting");
    assert.match(await page.locator("#connection-detail").innerText(), /^\d+ s$/);
    await page.screenshot({ path: `${folder}/console-waiting.png` });
    await ask("recover", { missed: ["missed 1", "missed 2", "missed 3"] });
    await state(page, "live");
    await arrived(page, "missed 3");
    const missed = await event(page, /missed \d/).allInnerTexts();
    assert.deepEqual(missed.map((text) => text.match(/missed \d/)[0]), ["missed 3", "missed 2", "missed 1"]);
    for (const text of missed) assert.match(text, /replayed/);
    assert.equal(await tape.locator(".event").count(), before + 3, "nothing came twice");
    await ask("post", { class: "demo.message", data: { room: "lobby", text: "live again" } });
    await arrived(page, "live again");
    assert.doesNotMatch(await event(page, "live again").innerText(), /replayed/);
  },

  async "a planned restart is survived"() {
    await ask("restart");
    await page.locator(".tape .note", { hasText: "The connection is back." }).nth(1).waitFor();
    await state(page, "live");
  },

  async "a refusal is shown with its reason"() {
    const other = await open();
    // Before the page's script runs, which is when the page is parsed.
    await other.addInitScript(() => document.addEventListener("readystatechange", () => {
      document.querySelector('meta[name="wireroom-realm"]').content = "nowhere";
    }, { once: true }));
    await other.goto(address);
    await state(other, "refused");
    assert.match(await other.getByRole("alert").innerText(), /wamp\.error\.no_such_realm/);
    await other.screenshot({ path: `${folder}/console-refused.png` });
    await other.context().close();
  },

  async "it fits into 1280 and 400 pixels, by day and by night"() {
    for (const width of [1280, 400]) {
      for (const colorScheme of ["light", "dark"]) {
        const other = await open({ viewport: { width, height: 900 }, colorScheme });
        await other.goto(address);
        await arrived(other, "live again");
        await other.locator("details.class summary").first().click();
        await other.getByRole("tab", { name: "Come back" }).click();
        const wider = await other.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wider <= 0, `the page is ${wider} pixels wider than ${width}`);
        await other.screenshot({ path: `${folder}/console-${width}-${colorScheme}.png`, fullPage: true });
        await other.context().close();
      }
    }
  },
};

await finish(page, async () => {
  for (const [name, run] of Object.entries(steps)) {
    await run();
    say("passed", { name });
  }
  say("done", { count: Object.keys(steps).length });
});
