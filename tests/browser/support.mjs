// What the tests in a browser share: the chat's server, windows of a headless Chromium, and how to use the chat in them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

/** A path within the project. */
export const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** Starts the chat's server, on a free port or the one given. */
export async function serve(port = 0) {
  const child = spawn(at("target/debug/examples/chat"), { env: { ...process.env, ADDR: `127.0.0.1:${port}`, NO_COLOR: "1" }, stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface({ input: child.stderr })) {
    const url = /chat on (http:\S+)/.exec(line)?.[1];
    if (url) {
      child.stderr.resume();
      return { child, url, port: Number(new URL(url).port) };
    }
  }
  throw new Error("the server said nothing");
}

/** Ends a server. Returns its exit code and the signal that ended it. */
export async function stop({ child }, signal) {
  child.kill(signal);
  return await once(child, "exit");
}

/** A browser whose windows are each of a person of its own: nothing is shared. */
export class Browser {
  /** What pages threw. */
  complaints = [];

  static async launch() {
    const browser = new Browser();
    browser.chromium = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
    return browser;
  }

  async open(url) {
    const page = await (await this.chromium.newContext()).newPage();
    page.setDefaultTimeout(15_000);
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    await page.goto(url);
    return page;
  }

  async close() {
    await this.chromium.close();
  }
}

/** An element of the chat's. */
export const one = (page, id) => page.getByTestId(id);
/** Waits until the page says that its connection is in this state. */
export const state = (page, state) => page.locator(`[data-testid=status][data-state=${state}]`).waitFor();
/** Waits until the page shows a message. */
export const shows = (page, text) => one(page, "message-text").filter({ hasText: text }).waitFor();

export async function say(page, text) {
  await one(page, "message-input").fill(text);
  await one(page, "message-input").press("Enter");
}

/** Puts a page into the background as a phone does, where nothing of it runs, and brings it back. */
export async function sleep(page, meanwhile) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
  await meanwhile();
  await devtools.send("Page.setWebLifecycleState", { state: "active" });
  await devtools.detach();
}
