// A session in a browser, whose connections are cut.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { proxy } from "../clients/runtime/proxy.mjs";
import { launch, serve, stop } from "./support.mjs";

let server, browser;

before(async () => {
  [server, browser] = await Promise.all([serve(), launch()]);
});
after(async () => {
  await browser?.close();
  if (server) await stop(server, "SIGKILL");
});

test("a page resumes its session after each cut, and ends it when it is left", { timeout: 25_000 }, async (t) => {
  const bad = await proxy(t, server.port);
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${bad.port}/`);
  const first = await page.evaluate(async () => {
    const { createClient } = await import("/zocket.js");
    const client = createClient("/ws", { headers: { name: "Ann" }, backoff: { floor: 1, cap: 10 } });
    const seen = { opens: [], texts: [] };
    Object.assign(window, { client, seen });
    client.onOpen(({ resumed }) => seen.opens.push(resumed));
    client.on.chat.message(({ text }) => seen.texts.push(text));
    await client.chat.join({ roomId: "cuts" });
    return client.clientId;
  });
  for (let cuts = 1; cuts <= 5; cuts++) {
    const posted = page.evaluate((text) => window.client.chat.post({ roomId: "cuts", text }), `${cuts}`);
    bad.cut();
    await page.waitForFunction((opens) => window.seen.opens.length > opens, cuts);
    await posted;
  }
  await page.waitForFunction(() => window.seen.texts.length >= 5);
  const seen = await page.evaluate(() => ({ ...window.seen, clientId: window.client.clientId }));
  assert.deepEqual(seen, { opens: [false, true, true, true, true, true], texts: ["1", "2", "3", "4", "5"], clientId: first });

  const other = await context.newPage();
  await other.goto(server.url);
  const left = other.evaluate(async () => {
    const { createClient } = await import("/zocket.js");
    const client = createClient("/ws", { headers: { name: "Bob" } });
    const left = new Promise((resolve) => client.on.chat.left(({ clientId }) => resolve(clientId)));
    await client.chat.join({ roomId: "cuts" });
    window.isReady = true;
    return left;
  });
  await other.waitForFunction(() => window.isReady);
  await page.goto("about:blank");
  assert.equal(await left, first);
});
