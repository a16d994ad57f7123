// Starts the machine's own Chromium, which looks for nothing outside.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

export function launch() {
  const { chromium } = createRequire(pathToFileURL(`${process.env.NODE_CLIENTS}/`))("playwright-core");
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    headless: true,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
}
