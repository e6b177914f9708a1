// Networks and machines that fail under a session: what a page with a client sees, and its server.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { proxy } from "../clients/runtime/proxy.mjs";
import { answers, join, members, post, seen, sessions, until, untilParked } from "./sessions.mjs";
import { launch, launchUnforced, serveShort, stop } from "./support.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

async function newContext(t) {
  const context = await browser.newContext();
  t.after(() => context.close());
  return context;
}

/** Starts a server, and two people in one room: Bob, and Ann behind a proxy, in a context of her own. */
async function meet(t, limits, options, near) {
  const server = await serveShort(t, limits);
  const bad = await proxy(t, server.port);
  const bob = await join(await newContext(t), server.port, "Bob", "room");
  near ??= await newContext(t);
  const ann = await join(near, bad.port, "Ann", "room", options);
  await until(bob, "presence", 2);
  return { server, bad, near, ann, bob };
}

/** As `meet`, with Ann in a browser of her own, whose pages may be hidden. */
async function meetAlone(t, limits, options) {
  const own = await launchUnforced(t);
  return { own, ...(await meet(t, limits, options, own.contexts()[0])) };
}

/** Returns functions that stop and continue all processes of a browser, as the sleep of its machine does. */
async function sleeper(t, own) {
  const devtools = await own.newBrowserCDPSession();
  const { processInfo } = await devtools.send("SystemInfo.getProcessInfo");
  const each = (signal, processes) => processes.forEach(({ id }) => {
    try {
      process.kill(id, signal);
    } catch {
      // A process that nobody needed any more.
    }
  });
  // A stopped browser can't be closed.
  t.after(() => each("SIGCONT", processInfo));
  return {
    sleep: () => each("SIGSTOP", processInfo),
    wake: () => each("SIGCONT", processInfo),
    wakePages: () => each("SIGCONT", processInfo.filter(({ type }) => type === "renderer")),
  };
}

/** Returns a Close frame of a server. */
function closeFrame(code, reason = "") {
  const payload = code === undefined ? [] : [code >> 8, code & 255, ...Buffer.from(reason)];
  return Buffer.from([0x88, payload.length, ...payload]);
}

/** Waits until these calls, and no others, have been answered, once and in order. */
async function answered(page, texts) {
  await page.waitForFunction((length) => window.answers.length >= length, texts.length, { polling: 50 });
  assert.deepEqual(await answers(page), texts);
}

const numbers = (name, count) => Array.from({ length: count }, (_, n) => `${name} ${n}`);
const fast = { backoff: { floor: 1, cap: 20 } };

// They wait, most of the time.
describe("a session in a page", { concurrency: 4, timeout: 180_000 }, () => {
  // Chromium's own emulation closes no WebSocket: it holds their frames back, fails new ones, and fires the events. So the
  // proxy loses the connection meanwhile.
  test("outlives ten seconds without a network", async (t) => {
    const { server, bad, near, ann, bob } = await meet(t, { PING_AFTER: 1000, PONG_WITHIN: 3000 });
    await post(ann, "before");
    await until(bob, "texts", 1);
    await near.setOffline(true);
    bad.off();
    const began = Date.now();
    await post(ann, ...numbers("Ann", 5));
    await post(bob, ...numbers("Bob", 20));
    await untilParked(server, 1);
    assert.deepEqual(await members(bob, "room"), ["Ann", "Bob"]);
    await pause(began + 10_000 - Date.now());
    assert.deepEqual((await seen(ann)).statuses.slice(1), ["reconnecting"]);
    bad.on();
    await near.setOffline(false);
    await until(bob, "texts", 26);
    await until(ann, "texts", 26);

    const her = await seen(ann);
    assert.deepEqual(her.opens, [{ resumed: false }, { resumed: true }]);
    assert.deepEqual(her.signals, ["offline", "online"]);
    const all = ["before", ...numbers("Bob", 20), ...numbers("Ann", 5)];
    assert.deepEqual(her.texts, all);
    await answered(ann, ["before", ...numbers("Ann", 5)]);
    const his = await seen(bob);
    assert.deepEqual(his.texts, all);
    assert.deepEqual(his.presence, ["Bob joined", "Ann joined"]);
    assert.deepEqual(await members(ann, "room"), ["Ann", "Bob"]);
    assert.equal(await ann.evaluate(() => window.client.clientId), ann.clientId);
  });

  test("outlives each way in which a connection is killed, and ends with the server", async (t) => {
    const { server, bad, ann, bob } = await meet(t, {}, fast);
    const kills = [
      ["1006", () => bad.cut()],
      ["1006", () => bad.end()],
      // A proxy in between restarts, or goes away: not the server, whose reasons are words.
      ["1012", () => bad.endWith(closeFrame(1012))],
      ["1001 Going away", () => bad.endWith(closeFrame(1001, "Going away"))],
      ["1005", () => bad.endWith(closeFrame())],
      // A handshake that the client had given up arrives late, and takes the session's place. The client takes it back.
      ["3501 replaced", () => ann.evaluate(() => {
        const resume = `zocket.resume.${window.wire.token}.${window.wire.received}`;
        window.late = new WebSocket("/ws?name=Ann", ["zocket.v1.json", "zocket.refusals", "zocket.flow", resume]);
      })],
    ];
    const [hers, his] = [[], []];
    for (const [index, [, kill]] of kills.entries()) {
      const [mine, others] = [numbers(`Ann ${index}`, 3), numbers(`Bob ${index}`, 3)];
      const isReplaced = index === kills.length - 1;
      if (isReplaced) {
        await kill();
        // A session can't be resumed from a frame before the last acknowledged one, so none may come before the handshake.
        await until(ann, "closes", index + 1);
      }
      await post(ann, ...mine);
      // Some of it is in flight, and lost.
      if (!isReplaced) await kill();
      await post(bob, ...others);
      await until(ann, "opens", index + 2);
      hers.push(...mine);
      his.push(...others);
      for (const page of [ann, bob]) await until(page, "texts", hers.length + his.length);
      await answered(ann, hers);
    }
    const saw = await seen(ann);
    assert.deepEqual(saw.closes, kills.map(([close]) => close));
    assert.deepEqual(saw.opens, [{ resumed: false }, ...kills.map(() => ({ resumed: true }))]);
    for (const [name, texts] of [["Ann", hers], ["Bob", his]]) {
      assert.deepEqual(saw.texts.filter((text) => text.startsWith(name)), texts);
    }
    assert.deepEqual((await seen(bob)).texts, saw.texts);
    assert.deepEqual((await seen(bob)).presence, ["Bob joined", "Ann joined"]);

    await stop(server, "SIGTERM");
    await serveShort(t, {}, server.port);
    await until(ann, "opens", kills.length + 2);
    const { opens, closes } = await seen(ann);
    assert.equal(closes[kills.length], "1012 restarting");
    assert.deepEqual(opens.at(-1), { resumed: false, lost: 0 });
    assert.deepEqual(await members(ann, "room"), ["Ann"]);
  });

  test("ends at once when its page is reloaded, left or closed", async (t) => {
    // A browser with the cache for back and forward, which Playwright switches off in its own.
    const own = await launchUnforced(t);
    const [caching] = own.contexts();
    const { server, near, ann, bob } = await meet(t, { RESUME_WITHIN: 600_000 });
    const ways = [
      [near, (page) => page.goto("about:blank")],
      [near, (page) => page.close()],
      [caching, (page) => page.reload()],
      [caching, (page) => page.close({ runBeforeUnload: true })],
      [caching, (page) => page.close()],
    ];
    let page = ann;
    for (const [index, [, leave]] of ways.entries()) {
      await leave(page);
      await until(bob, "presence", 3 + 2 * index);
      assert.equal((await seen(bob)).presence.at(-1), "Ann left");
      assert.deepEqual(await sessions(server), { parked: 0, all: 1 });
      const next = ways[index + 1]?.[0];
      if (next) page = await join(next, server.port, "Ann", "room");
    }
  });

  test("is resumed when a frozen page, whose socket died meanwhile, is thawed", async (t) => {
    const { server, bad, near, ann, bob } = await meetAlone(t, { PING_AFTER: 1000, PONG_WITHIN: 3000 });
    await post(ann, "before");
    await until(ann, "texts", 1);
    // Hides her page.
    await (await near.newPage()).bringToFront();
    const devtools = await near.newCDPSession(ann);
    await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
    bad.lose();
    // The server finds the silent page dead.
    await bad.abandoned();
    await untilParked(server, 1);
    await post(bob, ...numbers("Bob", 30));
    await until(bob, "texts", 31);
    assert.deepEqual(await members(bob, "room"), ["Ann", "Bob"]);
    await devtools.send("Page.setWebLifecycleState", { state: "active" });
    await ann.bringToFront();
    await until(ann, "texts", 31);
    const her = await seen(ann);
    assert.deepEqual(her.signals, ["freeze", "resume"]);
    assert.deepEqual(her.texts, ["before", ...numbers("Bob", 30)]);
    assert.deepEqual(her.opens, [{ resumed: false }, { resumed: true }]);
    assert.deepEqual((await seen(bob)).presence, ["Bob joined", "Ann joined"]);
    assert.deepEqual(await sessions(server), { parked: 0, all: 2 });
  });

  test("is parked while its page lies in the cache for back and forward, and resumed from there", async (t) => {
    const { server, ann, bob } = await meetAlone(t, {});
    await post(ann, "before");
    await until(ann, "texts", 1);
    await ann.goto(`${ann.url()}zocket.js`);
    await untilParked(server, 1);
    await post(bob, ...numbers("Bob", 30));
    await until(bob, "texts", 31);
    await ann.goBack({ waitUntil: "commit" });
    await until(ann, "texts", 31);
    const her = await seen(ann);
    assert.deepEqual(her.signals, ["pagehide persisted", "freeze", "resume", "pageshow persisted"]);
    assert.deepEqual(her.texts, ["before", ...numbers("Bob", 30)]);
    assert.deepEqual(her.opens, [{ resumed: false }, { resumed: true }]);
    assert.deepEqual((await seen(bob)).presence, ["Bob joined", "Ann joined"]);
  });

  test("keeps its connection over a sleep in which the limit of a ping elapsed: the server gets one more", async (t) => {
    const { bad, own, ann } = await meetAlone(t, { PING_AFTER: 500, PONG_WITHIN: 20_000 });
    const { sleep, wake, wakePages } = await sleeper(t, own);
    bad.hold();
    await ann.waitForFunction(() => window.wire.isPinged, undefined, { polling: 20 });
    sleep();
    bad.release();
    await pause(8000);
    // The page finds the limit of 5 s elapsed, before the network has delivered the answer.
    wakePages();
    await pause(500);
    wake();
    await post(ann, "awake");
    await until(ann, "texts", 1);
    const { opens, closes } = await seen(ann);
    assert.deepEqual([opens, closes], [[{ resumed: false }], []]);
  });

  for (const [what, millis, isKept] of [["shorter", 3000, true], ["longer", 13_000, false]]) {
    test(`is ${isKept ? "resumed" : "known to have ended"} after a sleep that was ${what} than the server keeps it`, async (t) => {
      const { server, bad, own, ann, bob } = await meetAlone(t, { RESUME_WITHIN: 10_000 }, fast);
      const { sleep, wake } = await sleeper(t, own);
      bad.off();
      bad.cut();
      await until(ann, "closes", 1);
      await post(ann, "meanwhile");
      // One call that the server may have got.
      await untilParked(server, 1);
      sleep();
      await post(bob, "Bob");
      await pause(millis);
      if (isKept) bad.on();
      wake();
      if (!isKept) {
        // Known without the server.
        await until(bob, "presence", 3);
        assert.equal((await seen(bob)).presence.at(-1), "Ann left");
        await ann.waitForFunction(() => window.client.status === "reconnecting");
        bad.on();
      }
      await until(ann, "opens", 2);
      const { opens } = await seen(ann);
      assert.deepEqual(opens[1], isKept ? { resumed: true } : { resumed: false, lost: 0 });
      if (!isKept) return;
      await until(ann, "texts", 2);
      assert.deepEqual((await seen(ann)).texts.sort(), ["Bob", "meanwhile"]);
    });
  }
});
