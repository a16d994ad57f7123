// Starts the machine's own Chromium, which looks for nothing outside.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const options = {
  executablePath: process.env.CHROMIUM,
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
};

/** Starts it without a past. Returns the browser. */
export const launch = () => driven().launch(options);

/** Starts it with what the profile in a folder has, such as its cookies. Returns the context; the browser is closed with it. */
export const launchProfile = (folder) => driven().launchPersistentContext(folder, options);

const driven = () => createRequire(pathToFileURL(`${process.env.NODE_CLIENTS}/`))("playwright-core").chromium;
