import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock, client as connecting, consoleOf, fakeWebSocket, load, opened, page, replace, settled } from "./support.mjs";

const zocket = await load();

describe("connecting", () => {
  test("offers the subprotocol and what it understands beside it, and sends headers and version as query parameters", async () => {
    const { socket } = await connecting(zocket, { headers: { name: "Ann & Bob", role: undefined } });
    assert.deepEqual(socket.protocols, ["zocket.v1.json", "zocket.refusals", "zocket.flow", "zocket.resume"]);
    assert.deepEqual([...socket.url.searchParams], [["name", "Ann & Bob"], ["x-zocket-version", "0.1.0"]]);
  });

  test("maps http to ws, keeps the query, drops the fragment", async () => {
    for (const [given, expected] of [
      ["http://a/ws?room=1#x", "ws://a/ws?room=1&name=n&x-zocket-version=0.1.0"],
      ["https://a/ws", "wss://a/ws?name=n&x-zocket-version=0.1.0"],
      [new URL("wss://a:8/ws"), "wss://a:8/ws?name=n&x-zocket-version=0.1.0"],
    ]) {
      const WebSocket = fakeWebSocket();
      const client = zocket.createClient(given, { headers: { name: "n" }, WebSocket, clock: new FakeClock() });
      await settled();
      assert.equal(WebSocket.last.url.href, expected);
      client.close();
    }
  });

  test("takes a relative URL in a page", async (t) => {
    replace(t, globalThis, "location", { href: "https://app.example/chat/?q#f", hostname: "app.example" });
    const WebSocket = fakeWebSocket();
    zocket.createClient("/ws", { headers: { name: "n" }, WebSocket, clock: new FakeClock() });
    await settled();
    assert.equal(WebSocket.last.url.origin + WebSocket.last.url.pathname, "wss://app.example/ws");
  });

  test("throws at once for options that can never work", (t) => {
    replace(t, globalThis, "WebSocket", undefined);
    assert.throws(() => zocket.createClient("localhost:3000", { headers: { name: "n" } }), /expected a URL like wss:/);
    assert.throws(() => zocket.createClient("ws://a", { headers: { name: "n" } }), /options\.WebSocket/);
  });

  test("is open after the welcome and reports it", async () => {
    const { client, socket } = await connecting(zocket);
    const seen = [];
    client.onStatus((status) => seen.push(status));
    client.onOpen((open) => seen.push(open));
    assert.equal(client.status, "connecting");
    socket.readyState = 1;
    socket.dispatchEvent(new Event("open"));
    assert.equal(client.status, "connecting");
    socket.welcome({ clientId: "me" });
    assert.equal(client.status, "open");
    assert.equal(client.clientId, "me");
    assert.deepEqual(seen, ["open", { clientId: "me", resumed: false, lost: undefined }]);
  });

  test("computes the headers for each attempt and waits for them", async () => {
    let asked = 0;
    const it = await connecting(zocket, { headers: async () => ({ name: `token ${++asked}` }) });
    it.socket.end(1006);
    await it.clock.advance(500);
    assert.deepEqual(it.WebSocket.all.map(({ url }) => url.searchParams.get("name")), ["token 1", "token 2"]);
  });

  test("is retried when the headers fail", async () => {
    let asked = 0;
    const it = await connecting(zocket, { headers: () => { if (!asked++) throw new Error("no token"); return { name: "n" }; } });
    assert.equal(it.WebSocket.all.length, 0);
    assert.equal(it.client.lastError.cause.message, "no token");
    await it.clock.advance(500);
    assert.equal(it.WebSocket.all.length, 1);
  });

  test("has a time limit, which covers the headers and the welcome", async () => {
    const hanging = await connecting(zocket, { headers: () => new Promise(() => {}), connectTimeout: 100 });
    await hanging.clock.advance(100);
    assert.equal(hanging.client.lastError.code, "TIMEOUT");

    const it = await connecting(zocket, { connectTimeout: 100 });
    const told = [];
    it.client.onError(({ code }) => told.push(code));
    it.socket.readyState = 1;
    await it.clock.advance(100);
    assert.deepEqual(told, ["TIMEOUT"]);
    assert.ok(it.socket.closedWith);
    await it.clock.advance(500);
    assert.equal(it.WebSocket.all.length, 2);
  });

  test("waits for reconnect() if the options say so", async () => {
    const it = await connecting(zocket, { autoConnect: false });
    assert.equal(it.WebSocket.all.length, 0);
    assert.equal(it.client.status, "connecting");
    it.client.whoami();
    it.client.reconnect();
    await settled();
    it.socket.welcome();
    assert.equal(it.socket.sent.length, 1);
  });

  test("keeps the WebSocket's description of its failure", async () => {
    const { client, socket } = await connecting(zocket);
    socket.dispatchEvent(Object.assign(new Event("error"), { message: "Unexpected server response: 401" }));
    socket.end(1006);
    assert.match(client.lastError.message, /1006 Unexpected server response: 401/);
  });
});

describe("the contract's hash", () => {
  test("is compared in development, and a mismatch is logged once", async (t) => {
    const warned = consoleOf(t, "warn");
    const it = await connecting(zocket, { dev: true });
    it.socket.welcome({ contract: "other" });
    it.socket.end(1006);
    await it.clock.advance(500);
    it.socket.welcome({ contract: "other" });
    assert.equal(warned.length, 1);
    assert.match(warned[0][0], /9f2c64, got other/);
  });

  test("is not reported if it is equal or absent, or in production", async (t) => {
    const warned = consoleOf(t, "warn");
    (await connecting(zocket, { dev: true })).socket.welcome();
    (await connecting(zocket, { dev: true })).socket.welcome({ contract: undefined }); // A stack without a contract.
    (await connecting(zocket, { dev: false })).socket.welcome({ contract: "other" });
    replace(t, process.env, "NODE_ENV", "production");
    (await connecting(zocket, { dev: undefined })).socket.welcome({ contract: "other" });
    assert.deepEqual(warned, []);
    replace(t, globalThis, "location", { href: "http://localhost/", hostname: "localhost" });
    (await connecting(zocket, { dev: undefined })).socket.welcome({ contract: "other" });
    assert.equal(warned.length, 1);
  });
});

describe("reconnecting", () => {
  /** Fails `times` attempts. Returns the wait before each. */
  async function waits(it, times) {
    const seen = [];
    for (let n = 0; n < times; n++) {
      it.socket.end(1006);
      const [timer] = it.clock.timers.values();
      seen.push(timer.ms);
      await it.clock.advance(timer.ms);
    }
    return seen;
  }

  test("waits between the floor and a ceiling that doubles up to the cap", async () => {
    const low = await connecting(zocket);
    assert.deepEqual(await waits(low, 8), [500, 500, 500, 500, 500, 500, 500, 500]);
    const high = await connecting(zocket);
    high.clock.nextRandom = 1;
    assert.deepEqual(await waits(high, 8), [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    const own = await connecting(zocket, { backoff: { floor: 10, cap: 30 } });
    own.clock.nextRandom = 0.5;
    assert.deepEqual(await waits(own, 3), [15, 20, 20]);
  });

  test("does not reset the backoff after a connection that only opened", async () => {
    const it = await connecting(zocket);
    it.clock.nextRandom = 1;
    await waits(it, 2);
    it.socket.welcome();
    await it.clock.advance(4999);
    assert.deepEqual(await waits(it, 1), [4000]);
  });

  test("resets the backoff after a connection of five seconds, and is back from a short break within a second", async () => {
    const it = await connecting(zocket);
    it.clock.nextRandom = 1;
    await waits(it, 3);
    it.socket.welcome();
    await it.clock.advance(5000);
    assert.deepEqual((await waits(it, 3)).map(Math.round), [758, 1516, 3031]);
  });

  test("is back from a short break as soon after a stable connection that has answered calls", async () => {
    const it = await opened(zocket);
    it.clock.nextRandom = 1;
    await it.clock.advance(5000);
    it.client.whoami();
    it.socket.answer({});
    assert.deepEqual((await waits(it, 1)).map(Math.round), [758]);
  });

  test("resets the backoff after a connection that answered a call", async () => {
    const it = await connecting(zocket);
    it.clock.nextRandom = 1;
    await waits(it, 3);
    it.socket.welcome();
    it.client.whoami();
    it.socket.answer({});
    assert.deepEqual(await waits(it, 1), [1000]);
  });

  test("spreads out further after a server that goes away or restarts", async () => {
    for (const code of [1001, 1012]) {
      const it = await opened(zocket);
      await it.clock.advance(5000);
      it.clock.nextRandom = 1;
      it.socket.end(code, "going-away");
      assert.equal([...it.clock.timers.values()][0].ms, 4000);
    }
  });

  for (const [code, reason] of [
    [1000, ""], [1001, "going-away"], [1002, "protocol-error"], [1005, ""], [1006, ""], [1007, "invalid-utf-8"],
    [1009, "message-too-large"], [1011, "unavailable"], [1012, ""], [1013, ""], [3001, "stalled"], [3499, ""],
    [1008, "OVERLOADED"], [1008, "TOO_MANY_REQUESTS"],
  ]) {
    test(`happens after ${code} ${reason}`, async () => {
      const it = await opened(zocket);
      const closed = [];
      it.client.onClose((close) => closed.push(close));
      it.socket.end(code, reason);
      assert.equal(it.client.status, "reconnecting");
      assert.deepEqual(closed, [{ code, reason, final: false }]);
      await it.clock.advance(500);
      it.socket.welcome();
      assert.equal(it.client.status, "open");
      assert.equal(it.client.lastError, undefined);
    });
  }

  for (const [code, reason] of [[3500, "banned"], [3999, ""], [4000, "mine"], [4999, ""], [1008, "UNAUTHORIZED"], [1008, "ROOM_GONE"], [1008, ""]]) {
    test(`does not happen after ${code} ${reason}`, async () => {
      const it = await opened(zocket);
      await it.clock.advance(5000);
      const closed = [];
      it.client.onClose((close) => closed.push(close));
      it.socket.end(code, reason);
      assert.equal(it.client.status, "closed");
      assert.deepEqual(closed, [{ code, reason, final: true }]);
      assert.equal(it.clock.timers.size, 0);
      assert.match(it.client.lastError.message, new RegExp(`${code}`));
    });
  }

  test("can be cancelled or requested by a listener of onClose", async () => {
    const kicked = await opened(zocket);
    kicked.client.onClose(({ code }) => code === 3001 && kicked.client.close());
    kicked.socket.end(3001);
    assert.equal(kicked.client.status, "closed");
    const revived = await opened(zocket);
    revived.client.onClose(({ code }) => code === 4001 && revived.client.reconnect());
    revived.socket.end(4001, "moved");
    await settled();
    assert.equal(revived.client.status, "connecting");
    assert.equal(revived.WebSocket.all.length, 2);
  });
});

describe("close()", () => {
  test("closes with 1000 and the reason bye, reports it, and leaves no timer running", async () => {
    const it = await opened(zocket);
    const seen = [];
    it.client.onStatus((status) => seen.push(status));
    it.client.onClose((close) => seen.push(close));
    it.client.close();
    it.client.close();
    assert.deepEqual(it.socket.closedWith, { code: 1000, reason: "bye" });
    assert.deepEqual(seen, ["closed", { code: 1000, reason: "", final: true }]);
    assert.equal(it.clock.timers.size, 0);
    it.socket.end(1000);
    assert.equal(it.client.status, "closed");
  });

  test("cancels an attempt, even while its headers are awaited", async () => {
    let give;
    const it = await connecting(zocket, { headers: () => new Promise((resolve) => (give = resolve)) });
    it.client.close();
    give({ name: "n" });
    await settled();
    assert.equal(it.WebSocket.all.length, 0);
    assert.equal(it.clock.timers.size, 0);
  });

  test("does not call onClose if no connection was open", async () => {
    const { client } = await connecting(zocket);
    client.onClose(() => assert.fail("nothing was open"));
    client.close();
  });

  test("in a listener of onStatus prevents onOpen", async () => {
    const { client, socket } = await connecting(zocket);
    client.onStatus((status) => status === "open" && client.close());
    client.onOpen(() => assert.fail("it is closed"));
    socket.welcome();
    assert.equal(client.status, "closed");
  });

  test("cancels the wait for the next attempt", async () => {
    const it = await opened(zocket);
    it.socket.end(1006);
    it.client.close();
    await it.clock.advance(60_000);
    assert.equal(it.WebSocket.all.length, 1);
  });
});

describe("retryAt", () => {
  test("holds the time of the next attempt, and onRetry reports its changes", async (t) => {
    replace(t, Date, "now", () => 1_000_000);
    const it = await opened(zocket);
    const seen = [];
    it.client.onRetry((retryAt) => {
      assert.equal(it.client.retryAt, retryAt);
      seen.push(retryAt);
    });
    assert.equal(it.client.retryAt, undefined);
    it.socket.end(1006);
    assert.deepEqual(seen, [1_000_500]);
    await it.clock.advance(500);
    assert.deepEqual(seen, [1_000_500, undefined]);
    it.socket.end(1006);
    it.client.reconnect();
    assert.deepEqual(seen, [1_000_500, undefined, 1_000_500, undefined]);
    await settled();
    it.socket.end(1006);
    it.client.close();
    assert.deepEqual(seen.slice(4), [1_000_500, undefined]);
  });

  test("is set before the listeners of onStatus run", async () => {
    const it = await opened(zocket);
    const seen = [];
    it.client.onStatus((status) => seen.push([status, typeof it.client.retryAt]));
    it.socket.end(1006);
    it.client.close();
    assert.deepEqual(seen, [["reconnecting", "number"], ["closed", "undefined"]]);
  });

  test("allows its listener to close the client", async () => {
    const it = await opened(zocket);
    it.client.onRetry((retryAt) => retryAt && it.client.close());
    it.socket.end(1006);
    assert.equal(it.client.status, "closed");
    assert.equal(it.clock.timers.size, 0);
  });
});

describe("reconnect()", () => {
  test("replaces the wait", async () => {
    const it = await opened(zocket);
    it.socket.end(1006);
    it.client.reconnect();
    await settled();
    assert.equal(it.WebSocket.all.length, 2);
    await it.clock.advance(9000);
    assert.equal(it.WebSocket.all.length, 2);
  });

  test("replaces an open connection, whose events are then ignored", async () => {
    const it = await opened(zocket);
    const old = it.socket;
    const heard = [];
    it.client.on.chat.message((message) => heard.push(message));
    it.client.onClose(({ reason }) => heard.push(reason));
    const asked = it.client.whoami().catch(({ code }) => code);
    it.client.reconnect();
    assert.equal(await asked, "DISCONNECTED");
    assert.equal(it.client.status, "reconnecting");
    await settled();
    old.receive({ type: "chat.message", payload: "old" });
    old.receive({ type: "__welcome", payload: { clientId: "old" } });
    old.end(1006);
    assert.deepEqual(heard, ["reconnect"]);
    assert.equal(it.client.status, "reconnecting");
    it.socket.welcome({ clientId: "new" });
    old.end(3500);
    assert.equal(it.client.clientId, "new");
    assert.equal(it.client.status, "open");
  });

  test("opens a closed client again", async () => {
    const it = await opened(zocket);
    it.client.close();
    it.client.reconnect();
    assert.equal(it.client.status, "connecting");
    await settled();
    it.socket.welcome();
    assert.equal(it.client.status, "open");
  });
});

describe("a page", () => {
  for (const wake of ["online", "pageshow", "visibilitychange"]) {
    test(`that fires ${wake} wakes the client at once`, async (t) => {
      const { window, document } = page(t);
      const it = await opened(zocket);
      it.socket.end(1006);
      (wake === "visibilitychange" ? document : window).dispatchEvent(new Event(wake));
      await settled();
      assert.equal(it.WebSocket.all.length, 2);
      it.client.close();
    });
  }

  test("that becomes hidden does not wake the client", async (t) => {
    const { document } = page(t);
    const it = await opened(zocket);
    it.socket.end(1006);
    document.visibilityState = "hidden";
    document.dispatchEvent(new Event("visibilitychange"));
    await settled();
    assert.equal(it.WebSocket.all.length, 1);
    it.client.close();
  });

  test("has no listeners of a closed client, and has them again after it is reopened", async (t) => {
    const { document } = page(t);
    let listeners = 0;
    for (const target of [globalThis, document]) {
      replace(t, target, "addEventListener", () => ++listeners);
      replace(t, target, "removeEventListener", () => --listeners);
    }
    const { client } = await connecting(zocket);
    assert.equal(listeners, 4);
    client.close();
    assert.equal(listeners, 0);
    client.reconnect();
    assert.equal(listeners, 4);
    client.close();
  });

  test("does not affect a connection, an attempt or a closed client", async (t) => {
    const { window } = page(t);
    const it = await connecting(zocket);
    window.dispatchEvent(new Event("pageshow"));
    await settled();
    it.socket.welcome();
    window.dispatchEvent(new Event("online"));
    it.client.close();
    window.dispatchEvent(new Event("online"));
    await settled();
    assert.equal(it.WebSocket.all.length, 1);
  });

  test("that fires online begins the attempt anew, since it may wait for a network that is gone", async (t) => {
    const { window } = page(t);
    const it = await connecting(zocket);
    const { socket } = it;
    window.dispatchEvent(new Event("online"));
    await settled();
    assert.ok(socket.closedWith);
    assert.notEqual(it.socket, socket);
    it.socket.welcome();
    assert.equal(it.client.status, "open");
    it.client.close();
  });
});
