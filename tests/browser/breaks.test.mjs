// Both pages of the chat over short and long breaks: what a person sees.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build, preview } from "../../examples/react/node_modules/vite/dist/node/index.js";
import { proxy } from "../clients/runtime/proxy.mjs";
import { at, launch, openIn, say, says, serve, state, stop } from "./support.mjs";

const complaints = [];
let server, browser, site, folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "zocket-chat-react-"));
  const config = {
    root: fileURLToPath(new URL("../../examples/react", import.meta.url)), logLevel: "silent", clearScreen: false,
    build: { outDir: folder, emptyOutDir: true }, preview: { host: "127.0.0.1", port: 0 },
  };
  [server, browser] = await Promise.all([serve(), launch(), build(config)]);
  site = await preview(config);
});
after(async () => {
  await browser?.close();
  await site?.close();
  if (server) await stop(server, "SIGKILL");
  if (folder) await rm(folder, { recursive: true });
});

/** Opens the page for Ann, through a proxy, and for Bob. */
async function meet(t, pages, roomId) {
  const bad = await proxy(t, server.port, pages);
  const good = await proxy(t, server.port, pages);
  const [near, far] = await Promise.all([browser.newContext(), browser.newContext()]);
  t.after(() => Promise.all([near.close(), far.close()]));
  await near.addInitScript(observe);
  const ann = await openIn(near, `http://127.0.0.1:${bad.port}/?name=Ann&room=${encodeURIComponent(roomId)}`, complaints);
  const bob = await openIn(far, `http://127.0.0.1:${good.port}/?name=Bob&room=${encodeURIComponent(roomId)}`, complaints);
  for (const page of [ann, bob]) {
    await state(page, "online");
    for (const name of ["Ann", "Bob"]) await at(page, "who-item").filter({ hasText: name }).waitFor();
  }
  await say(ann, "before");
  await says(bob, "before");
  await says(ann, "before");
  await at(ann, "message-input").fill("a draft");
  return { bad, ann, bob };
}

/** Records in the page when its connection closes and opens, and all states that a person can see. */
function observe() {
  // The shortest wait before an attempt to connect.
  Math.random = () => 0;
  const times = {};
  /** Records the end of a connection, and the time of a timer of a second, which a busy machine makes late. */
  const close = () => {
    if (times.closed !== undefined) return;
    times.closed = performance.now();
    setTimeout(() => (times.second = performance.now()), 1000);
  };
  const shown = new Set();
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener("close", close);
      this.addEventListener("message", ({ data }) => data.startsWith('{"type":"__welcome"') && (times.opened = performance.now()));
    }
  };
  const look = () => {
    const status = document.querySelector("[data-testid=status]");
    const people = document.querySelector(".people");
    if (!status || !people) return;
    const isStale = people.classList.contains("stale") || people.dataset.stale === "true";
    if (status.dataset.state === "reconnecting") times.shown ??= performance.now();
    shown.add(JSON.stringify({
      status: `${status.dataset.state} ${status.innerText}`, isStale, people: people.innerText,
      heading: document.querySelector("h1")?.innerText,
      draft: document.querySelector("[data-testid=message-input]")?.value,
      notes: [...document.querySelectorAll(".note, .system")].map((note) => note.innerText),
      errors: document.querySelectorAll("[data-testid=error]").length,
    }));
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  /** Forgets everything so far, but for the present state. */
  window.observeAnew = () => {
    for (const time of Object.keys(times)) delete times[time];
    shown.clear();
    look();
  };
  window.observed = () => ({ ...times, states: [...shown].map((state) => JSON.parse(state)) });
}

/** Returns true if a window of this width shows the whole bar at its top, and no part of it over another. */
async function fits(page, width) {
  const size = page.viewportSize();
  await page.setViewportSize({ ...size, width });
  await at(page, "reconnect-now").waitFor();
  const does = await page.evaluate((width) => {
    const parts = [...document.querySelector("[data-testid=status]").parentElement.children].map((part) => part.getBoundingClientRect());
    const shown = parts.filter((part) => part.width > 1).sort((one, other) => one.left - other.left);
    return shown.every(({ left, right }, index) => left >= 0 && right <= (shown[index + 1]?.left ?? width));
  }, width);
  await page.setViewportSize(size);
  return does;
}

for (const [name, pages] of [["React", () => Number(new URL(site.resolvedUrls.local[0]).port)], ["the page without a build step", () => server.port]]) {
  describe(`the chat in ${name}`, { concurrency: true, timeout: 120_000 }, () => {
    test("shows nothing of a break of 300 ms", async (t) => {
      const { bad, ann, bob } = await meet(t, pages(), `short ${name}`);
      // The page is back after about half a second. Where the machine is so busy that this takes it a second, the page is
      // right to show the break, and another one is tried.
      for (let tries = 1; ; tries++) {
        await ann.evaluate(() => window.observeAnew());
        bad.off();
        bad.cut();
        await say(bob, `meanwhile ${tries}`);
        await pause(300);
        bad.on();
        await says(ann, `meanwhile ${tries}`);
        const { closed, opened, states } = await ann.evaluate(() => window.observed());
        assert.ok(closed < opened, "the connection broke, and was replaced");
        if (opened - closed > 950 && tries < 30) {
          await state(ann, "online");
          continue;
        }
        assert.equal(states.length, 1, JSON.stringify(states, undefined, 1));
        assert.deepEqual([states[0].draft, states[0].isStale, states[0].errors], ["a draft", false, 0]);
        break;
      }
    });

    test("shows a break of 3 s after one, and keeps the room, the draft and the messages", async (t) => {
      const { bad, ann, bob } = await meet(t, pages(), `long ${name}`);
      const before = await ann.evaluate(() => (window.observeAnew(), window.observed().states[0]));
      bad.off();
      bad.cut();
      const began = Date.now();
      await state(ann, "reconnecting");
      await ann.waitForFunction(() => window.observed().second);
      const { closed, second, shown, states } = await ann.evaluate(() => window.observed());
      assert.ok(shown - closed > 990 && shown - second < 900, `shown after ${shown - closed} ms, a timer after ${second - closed} ms`);
      assert.equal(states.at(-1).isStale, true);
      for (const width of [360, 380, 450]) assert.ok(await fits(ann, width), `the bar does not fit in ${width} px`);
      await at(ann, "message-input").press("Enter");
      await at(ann, "message").filter({ hasText: "sending" }).waitFor();
      await at(ann, "message-input").fill("another draft");
      await say(bob, "meanwhile");
      await pause(began + 3000 - Date.now());
      bad.on();
      await state(ann, "online");
      await says(ann, "meanwhile");
      await says(bob, "a draft");
      await at(ann, "message").filter({ hasText: "sending" }).waitFor({ state: "detached" });
      // No note about missed messages, nobody left and nobody came.
      const now = (await ann.evaluate(() => (window.observeAnew(), window.observed()))).states[0];
      assert.deepEqual(now, { ...before, draft: "another draft" });
      for (const page of [ann, bob]) {
        // In the order of the room, also where the message was written before the other one arrived.
        assert.deepEqual(await at(page, "message-text").allInnerTexts(), ["before", "meanwhile", "a draft"]);
      }
      // Still a member.
      await say(ann, "after");
      await says(bob, "after");
    });
  });
}

test("no page threw an error", () => {
  assert.deepEqual(complaints, []);
});
