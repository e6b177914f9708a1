// The chat example as people use it: its binary, its page, two windows of a headless Chromium.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const binary = fileURLToPath(new URL("../../target/debug/examples/chat", import.meta.url));
const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** Starts the server, on a free port or the one given. */
async function serve(port = 0) {
  const child = spawn(binary, { env: { ...process.env, ADDR: `127.0.0.1:${port}`, NO_COLOR: "1" }, stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface({ input: child.stderr })) {
    const url = /chat on (http:\S+)/.exec(line)?.[1];
    if (url) {
      child.stderr.resume();
      return { child, url, port: Number(new URL(url).port) };
    }
  }
  throw new Error("the server said nothing");
}

async function stop({ child }, signal) {
  child.kill(signal);
  return await once(child, "exit");
}

let server, browser, ann, bob;
const complaints = [];

/** A window of its own person: nothing is shared with the others. */
async function open(query) {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(server.url + query);
  return page;
}

const at = (page, id) => page.getByTestId(id);
const state = (page, state) => page.locator(`[data-testid=status][data-state=${state}]`).waitFor();
const says = (page, text) => at(page, "message-text").filter({ hasText: text }).waitFor();

async function say(page, text) {
  await at(page, "message-input").fill(text);
  await at(page, "message-input").press("Enter");
}

before(async () => {
  server = await serve();
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
});

after(async () => {
  await browser?.close();
  server?.child.kill("SIGKILL");
});

test("someone enters by the form, someone else by a link, and each sees the other", async () => {
  ann = await open("");
  await at(ann, "name-input").fill("Ann");
  await at(ann, "role-select").selectOption("admin");
  await at(ann, "enter-button").click();
  await state(ann, "online");
  bob = await open("?name=Bob&room=lobby");
  await state(bob, "online");
  for (const page of [ann, bob]) {
    await at(page, "who-item").filter({ hasText: "Ann" }).waitFor();
    await at(page, "who-item").filter({ hasText: "Bob" }).waitFor();
  }
});

test("they chat", async () => {
  await say(ann, "Hello <b>Bob</b>");
  await says(bob, "Hello <b>Bob</b>");
  await bob.getByTestId("message-input").pressSequentially("Hel");
  await at(ann, "typing").filter({ hasText: "Bob" }).waitFor();
  await say(bob, "Hello Ann");
  await says(ann, "Hello Ann");
  // One's own message comes twice, as an event and as an answer, and is shown once.
  assert.equal(await at(ann, "message").count(), 2);
});

test("an admin's announcement reaches everyone", async () => {
  await at(ann, "announce-input").fill("Tea is ready");
  await at(ann, "announce-send").click();
  await at(bob, "announcement").filter({ hasText: "Tea is ready" }).waitFor();
});

test("an error is shown where it occurs", async () => {
  await at(bob, "room-input").fill("x".repeat(65));
  await at(bob, "room-join").click();
  await at(bob, "error").filter({ hasText: "64" }).waitFor();
});

test("the server goes and comes back: the page says so, and goes on", async () => {
  await stop(server, "SIGKILL");
  await Promise.all([state(ann, "reconnecting"), state(bob, "reconnecting")]);
  server = await serve(server.port);
  await Promise.all([state(ann, "online"), state(bob, "online")]);
  await at(ann, "who-item").filter({ hasText: "Bob" }).waitFor();
  await at(bob, "who-item").filter({ hasText: "Ann" }).waitFor();
  await say(bob, "Here again");
  await says(ann, "Here again");
});

test("who leaves is gone from the list", async () => {
  await bob.context().close();
  await at(ann, "who-item").filter({ hasText: "Bob" }).waitFor({ state: "detached" });
});

test("SIGTERM ends the server cleanly, with a client connected", async () => {
  const [code, signal] = await stop(server, "SIGTERM");
  assert.deepEqual([code, signal], [0, null]);
  await state(ann, "reconnecting");
});

test("no page threw an error", () => {
  assert.deepEqual(complaints, []);
});
