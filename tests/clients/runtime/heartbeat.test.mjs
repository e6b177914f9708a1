// The heartbeat: a page can't see WebSocket pings, so the client sends its own after a silence.
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { describe, test } from "node:test";
import WebSocket, { WebSocketServer } from "ws";
import { proxy } from "./proxy.mjs";
import { fakeWebSocket, load, opened, page, replace, settled } from "./support.mjs";

const zocket = await load();
const PING = { type: "__ping" };
const pings = (socket) => socket.sent.filter(({ type }) => type === "__ping").length;

/** Returns a connected client whose server asks for this heartbeat. */
const beating = (heartbeatMs, options) => opened(zocket, options, { heartbeatMs });

/** Lets the client find its connection silent, and gives it another. Returns the time limit of the ping. */
async function breakBySilence(it) {
  const { socket, clock } = it;
  await clock.advance(1000);
  assert.equal(pings(socket), 1);
  let waited = 0;
  for (; it.client.status === "open" && waited < 100_000; waited += 500) await clock.advance(500);
  await clock.advance(30_000);
  it.socket.welcome({ heartbeatMs: 1000 });
  return waited;
}

describe("a silent connection", () => {
  test("is pinged after the server's heartbeatMs, and given up after another 5 s", async () => {
    const it = await beating(1000);
    const closes = [];
    it.client.onClose((close) => closes.push(close));
    await it.clock.advance(999);
    assert.deepEqual(it.socket.sent, []);
    await it.clock.advance(1);
    assert.deepEqual(it.socket.sent, [PING]);
    await it.clock.advance(4999);
    assert.equal(it.client.status, "open");
    const asked = it.client.whoami().catch((error) => error);
    await it.clock.advance(1);
    assert.equal(it.client.status, "reconnecting");
    assert.deepEqual(closes, [{ code: 1006, reason: "", final: false }]);
    assert.match(it.client.lastError.message, /ping/);
    const { code, sent } = await asked;
    assert.deepEqual([code, sent], ["DISCONNECTED", "unknown"]);
    await it.clock.advance(500);
    it.socket.welcome();
    assert.equal(it.client.status, "open");
  });

  for (const heartbeatMs of [undefined, null, 0, -1, "1000", NaN]) {
    test(`is pinged after 25 s if the welcome has heartbeatMs: ${heartbeatMs}`, async () => {
      const it = await beating(heartbeatMs);
      await it.clock.advance(24_999);
      assert.equal(pings(it.socket), 0);
      await it.clock.advance(1);
      assert.equal(pings(it.socket), 1);
    });
  }

  test("is not pinged before the welcome", async () => {
    const it = await beating(1000, { connectTimeout: 1e6 });
    it.socket.end(1006);
    await it.clock.advance(500);
    it.socket.readyState = 1;
    it.socket.dispatchEvent(new Event("open"));
    await it.clock.advance(100_000);
    assert.deepEqual(it.socket.sent, []);
  });

  test("is given up too if the socket is closing and never closes", async () => {
    const it = await beating(1000);
    it.socket.readyState = 2;
    await it.clock.advance(6000);
    assert.equal(it.client.status, "reconnecting");
  });

  test("leaves no timer after close()", async () => {
    for (const ms of [0, 1000]) {
      const it = await beating(1000);
      await it.clock.advance(ms);
      it.client.close();
      assert.equal(it.clock.timers.size, 0);
    }
  });
});

describe("a sign of life", () => {
  for (const [what, text] of [
    ["a pong", '{"type":"__pong"}'], ["an event", '{"type":"chat.message","payload":{}}'], ["an unknown frame", '{"type":"__new"}'],
    ["an error", '{"type":"__error","payload":{"code":"X","message":""}}'], ["a broken frame", "{"],
  ]) {
    test(`is ${what}`, async () => {
      const it = await beating(1000);
      it.client.onError(() => {});
      await it.clock.advance(5999);
      it.socket.receiveText(text);
      await it.clock.advance(999);
      assert.equal(pings(it.socket), 1);
      await it.clock.advance(1);
      assert.equal(pings(it.socket), 2);
      assert.equal(it.client.status, "open");
    });
  }

  test("that arrives in time keeps the client from pinging", async () => {
    const it = await beating(1000);
    for (let n = 0; n < 20; n++) {
      await it.clock.advance(900);
      it.socket.receive({ type: "chat.message", payload: {} });
    }
    assert.deepEqual(it.socket.sent, []);
  });

  test("of an earlier connection does not count", async () => {
    const it = await beating(1000);
    const old = it.socket;
    it.client.reconnect();
    await settled();
    it.socket.welcome({ heartbeatMs: 1000 });
    await it.clock.advance(1000);
    old.receive({ type: "__pong" });
    await it.clock.advance(5000);
    assert.equal(it.client.status, "reconnecting");
  });

  test("may arrive while the ping is sent, in the same process", async () => {
    const it = await beating(1000);
    const { socket } = it;
    socket.send = () => socket.receive({ type: "__pong" });
    await it.clock.advance(60_000);
    assert.equal(it.client.status, "open");
  });
});

describe("the time limit of a ping", () => {
  test("doubles with each break, up to a minute, so that a slow answer gets through", async () => {
    const it = await beating(1000);
    const seen = [];
    for (let n = 0; n < 6; n++) seen.push(await breakBySilence(it));
    assert.deepEqual(seen, [5000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  test("does not restart because calls were answered before the silence", async () => {
    const it = await beating(1000);
    const seen = [];
    for (let n = 0; n < 3; n++) {
      it.client.whoami();
      it.socket.answer({});
      seen.push(await breakBySilence(it));
    }
    assert.deepEqual(seen, [5000, 10_000, 20_000]);
  });

  test("restarts after a ping that was answered", async () => {
    const it = await beating(1000);
    await breakBySilence(it);
    await it.clock.advance(1000);
    it.socket.receive({ type: "__pong" });
    await it.clock.advance(1000);
    it.socket.receive({ type: "__pong" });
    it.socket.sent.length = 0;
    assert.equal(await breakBySilence(it), 5000);
  });
});

describe("a call that times out", () => {
  test("makes the client ping at once", async () => {
    const it = await beating(25_000);
    it.client.whoami({ timeout: 100 });
    await it.clock.advance(100);
    assert.equal(pings(it.socket), 1);
    await it.clock.advance(5000);
    assert.equal(it.client.status, "reconnecting");
  });

  test("does not prolong a ping's time limit, however many do", async () => {
    const it = await beating(1000);
    for (let n = 1; n <= 20; n++) it.client.whoami({ timeout: n * 500 });
    await it.clock.advance(5500);
    assert.equal(pings(it.socket), 1);
    assert.equal(it.client.status, "reconnecting");
  });

  test("sends no ping without a connection", async () => {
    const it = await beating(1000);
    it.socket.end(1006);
    it.client.whoami({ timeout: 100 });
    await it.clock.advance(500);
    it.socket.readyState = 1;
    await it.clock.advance(1000);
    assert.deepEqual(it.socket.sent, []);
  });
});

describe("a page", () => {
  for (const wake of ["online", "pageshow", "visibilitychange"]) {
    test(`that fires ${wake} pings at once`, async (t) => {
      const { window, document } = page(t);
      const it = await beating(25_000);
      (wake === "visibilitychange" ? document : window).dispatchEvent(new Event(wake));
      assert.deepEqual(it.socket.sent, [PING]);
      await it.clock.advance(5000);
      assert.equal(it.client.status, "reconnecting");
      it.client.close();
    });
  }

  test("that becomes hidden does not ping", async (t) => {
    const { document } = page(t);
    const it = await beating(25_000);
    document.visibilityState = "hidden";
    document.dispatchEvent(new Event("visibilitychange"));
    assert.deepEqual(it.socket.sent, []);
    it.client.close();
  });

  test("that was stopped while a ping waited gives the server one more time limit, and only one", async (t) => {
    let now = 0;
    replace(t, Date, "now", () => now);
    const it = await beating(1000);
    await it.clock.advance(1000);
    now += 3_600_000;
    await it.clock.advance(5000);
    assert.equal(it.client.status, "open");
    assert.equal(pings(it.socket), 1);
    now += 60_000; // A hidden tab runs its timers late, too.
    await it.clock.advance(5000);
    assert.equal(it.client.status, "reconnecting");
    it.client.close();
  });

  test("that comes back pings anew, with the whole time limit", async (t) => {
    const { document } = page(t);
    const it = await beating(1000);
    await it.clock.advance(5999);
    document.dispatchEvent(new Event("visibilitychange"));
    await it.clock.advance(4999);
    assert.equal(it.client.status, "open");
    it.socket.receive({ type: "__pong" });
    await it.clock.advance(999);
    assert.equal(it.client.status, "open");
    it.client.close();
  });
});

test("a worker has no document, and pings when the network is back", async (t) => {
  const worker = new EventTarget();
  for (const name of ["addEventListener", "removeEventListener"]) replace(t, globalThis, name, worker[name].bind(worker));
  const it = await beating(25_000);
  worker.dispatchEvent(new Event("online"));
  assert.deepEqual(it.socket.sent, [PING]);
  it.client.close();
});

test("timers longer than a runtime's maximum do not elapse at once", async (t) => {
  const delays = [];
  const original = setTimeout;
  replace(t, globalThis, "setTimeout", (run, ms) => (delays.push(ms), original(run, ms)));
  const WebSocket = fakeWebSocket();
  const client = zocket.createClient("ws://server/ws", { headers: { name: "Ann" }, dev: false, WebSocket, connectTimeout: Infinity });
  await settled();
  WebSocket.last.welcome({ heartbeatMs: 1e12 });
  client.close();
  assert.ok(delays.length >= 2 && delays.every((ms) => ms < 2 ** 31), `${delays}`);
});

test("a real client stays open on pongs, and replaces a lost connection", { timeout: 20_000 }, async (t) => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "zocket.v1.json" });
  await once(server, "listening");
  t.after(() => server.close());
  let pings = 0;
  const pinged = new EventEmitter();
  server.on("connection", (socket) => {
    socket.send('{"type":"__welcome","payload":{"clientId":"c","contract":"9f2c64","limits":{},"heartbeatMs":30}}');
    socket.on("message", (text) => {
      if (JSON.parse(text).type !== "__ping") return;
      socket.send('{"type":"__pong"}');
      if (++pings === 3) pinged.emit("thrice");
    });
  });
  const between = await proxy(t, server.address().port);
  const thrice = once(pinged, "thrice");
  const options = { headers: { name: "Ann" }, WebSocket, dev: false, backoff: { floor: 1, cap: 1 } };
  const client = zocket.createClient(`ws://127.0.0.1:${between.port}/ws`, options);
  t.after(() => client.close());
  const closes = [];
  client.onClose((close) => closes.push(close));
  await new Promise((resolve) => client.onOpen(resolve));
  await thrice;
  assert.deepEqual(closes, []);
  between.lose();
  await new Promise((resolve) => client.onOpen(resolve));
  assert.equal(closes.length, 1);
});
