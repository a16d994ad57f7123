// Opens a page in Chromium and hands on what its console says, until the page
// says that it is done or broken: browser.mjs ADDRESS.

import { launch } from "./chromium.mjs";

const browser = await launch();
const page = await browser.newPage();
const finished = new Promise((resolve) => {
  page.on("pageerror", (error) => resolve(`the page threw: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    if (!text.startsWith("{")) return console.error(text);
    console.log(text);
    const { step, error } = JSON.parse(text);
    if (step === "done") resolve();
    if (step === "broken") resolve(error);
  });
});
await page.goto(process.argv[2]);
const problem = await finished;
await browser.close();
if (problem) {
  console.error(problem);
  process.exit(1);
}
